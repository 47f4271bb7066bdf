//! Base64 as it is met in the field: with or without padding, with line breaks, as a data URL.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes that `text` encodes, else what is wrong with it and where.
pub(in crate::http) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let start = match text.split_once(',') {
        Some((head, _)) if head.starts_with("data:") => head.len() + 1,
        _ => 0,
    };
    let encoded = &text[start..];
    let foreign = |character: char| {
        !(character.is_ascii_alphanumeric() || "+/=".contains(character) || is_space(character))
    };
    if let Some((at, character)) = encoded.char_indices().find(|(_, character)| foreign(*character))
    {
        return Err(format!(
            "character '{}' at position {}",
            character.escape_default(),
            start + at + 1
        ));
    }
    let decoded = if encoded.contains(is_space) {
        TOLERANT.decode(encoded.replace(is_space, ""))
    } else {
        TOLERANT.decode(encoded)
    };
    // All characters are of the alphabet by now: what is left to be wrong is the end.
    decoded.map_err(|_| {
        format!("it is cut off or wrongly padded at its end, position {}", text.trim_end().len())
    })
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_field_are_one() {
        for text in [
            "aGVsbG8=",
            "aGVsbG8",
            "aGVs\nbG8=\n",
            "  aGVs\r\nbG8 ",
            "data:text/yaml;base64,aGVsbG8=",
            "data:,aGVsbG8",
        ] {
            assert_eq!(decode(text).as_deref(), Ok(b"hello".as_slice()), "{text}");
        }
        assert_eq!(decode("").as_deref(), Ok(b"".as_slice()));
    }

    #[test]
    fn what_is_wrong_is_placed() {
        assert_eq!(decode("aGV%bG8="), Err("character '%' at position 4".into()));
        assert_eq!(decode("aGV\nb-8="), Err("character '-' at position 6".into()));
        assert_eq!(decode("data:;base64,aGVü"), Err("character '\\u{fc}' at position 17".into()));
        for cut_off in ["aGVsb", "a", "aGVsbG8==", "=", "aG=VsbG8"] {
            assert!(decode(cut_off).is_err(), "{cut_off}");
        }
    }
}
