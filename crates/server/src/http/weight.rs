//! What a JSON text weighs once it is parsed, told from its bytes.
//!
//! A parsed value takes many times the bytes of its text: `{"":0}` is seven bytes and a map of more
//! than six hundred. So the values are counted before they are made, and a request of too many is
//! refused while it is still small.

/// Memory of an object with at least one field, in bytes: one node of its map.
const OBJECT_BYTES: usize = 700;
/// Memory of a value or key beside its text, in bytes, growth of its array included.
const VALUE_BYTES: usize = 64;

/// About how many bytes of memory the values of a JSON text take. Of a text that is not JSON it
/// tells nothing, and that parses to nothing.
pub(super) fn parsed_bytes(json: &[u8]) -> usize {
    let (mut objects, mut values, mut in_text, mut escaped) = (0, 0, false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (true, _) => {}
            (false, b'{') => objects += 1,
            (false, b',' | b':' | b'[') => values += 1,
            (false, _) => {}
        }
    }
    json.len() + objects * OBJECT_BYTES + values * VALUE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_weigh_more_than_values_and_texts_nothing_beside_themselves() {
        assert_eq!(parsed_bytes(br#""{[,:\"{,""#), 10);
        assert_eq!(parsed_bytes(b"[1,2,3]"), 7 + 3 * VALUE_BYTES);
        assert_eq!(parsed_bytes(br#"{"a":{}}"#), 8 + 2 * OBJECT_BYTES + VALUE_BYTES);
    }
}
