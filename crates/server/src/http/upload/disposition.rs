//! The file's name in a part's `Content-Disposition` (RFC 7578, 6266 and 8187).
//!
//! Programs write names in three ways: in quotes as they are, in UTF-8; in quotes with `"` as `%22`,
//! as browsers do; or as `filename*=utf-8''…` with all that is not plain ASCII percent-encoded. The
//! last one wins where there are several. Nothing here judges what is a good name.

use axum::http::{HeaderMap, header};

/// The name that the part's file has at its sender, if it has one; else why it cannot be told.
pub(in crate::http) fn filename(headers: &HeaderMap) -> Result<Option<String>, String> {
    let Some(value) = headers.get(header::CONTENT_DISPOSITION) else { return Ok(None) };
    let value = std::str::from_utf8(value.as_bytes())
        .map_err(|_| "the name of a file is not UTF-8".to_owned())?;
    let (mut plain, mut extended) = (None, None);
    for (name, text) in parameters(value) {
        match name.to_ascii_lowercase().as_str() {
            "filename" => plain = Some(text.replace("%22", "\"")),
            "filename*" => extended = Some(decode(&text)?),
            part if part.starts_with("filename*") => {
                return Err(format!(
                    "the name of a file comes in pieces ({part}): send it whole, as filename*"
                ));
            }
            _ => {}
        }
    }
    Ok(extended.or(plain).filter(|name| !name.is_empty()))
}

/// The parameters behind the first `;`: their names as sent, and their texts without quotes.
fn parameters(value: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let (text, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (text, left) = after.split_once(';').unwrap_or((after, ""));
                (text.trim().to_owned(), left)
            }
        };
        found.push((name.trim_matches([' ', '\t', ';']), text));
        rest = left;
    }
    found
}

/// A text up to the quote that ends it, and what comes behind. A backslash escapes a quote and itself;
/// before anything else it is part of the name, as in the paths that some programs send.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => match letters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            _ => text.push(letter),
        }
    }
    (text, "")
}

/// `charset'language'percent-encoded`, RFC 8187.
fn decode(text: &str) -> Result<String, String> {
    let wrong = || "filename* must be such as utf-8''na%C3%AFve.yaml".to_owned();
    let mut parts = text.splitn(3, '\'');
    let (Some(charset), Some(_language), Some(encoded)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2).ok_or_else(wrong)?;
        bytes.push(byte_of(digits).ok_or_else(wrong)?);
        rest = after;
    }
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => String::from_utf8(bytes).map_err(|_| wrong()),
        "iso-8859-1" => Ok(bytes.into_iter().map(char::from).collect()),
        _ => Err(format!("filename* is in the charset {charset:.20}: send utf-8")),
    }
}

fn byte_of(digits: &[u8]) -> Option<u8> {
    let value = digits
        .iter()
        .try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn name(disposition: &str) -> Result<Option<String>, String> {
        let value = HeaderValue::from_bytes(disposition.as_bytes()).unwrap();
        filename(&HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]))
    }

    #[test]
    fn names_are_found_in_every_form() {
        for (disposition, expected) in [
            (r#"form-data; name="file"; filename="a.yaml""#, Some("a.yaml")),
            (r#"form-data; name="file"; FileName=a.yaml; x=y"#, Some("a.yaml")),
            (
                r#"form-data; name=file; filename="a;b \"c\" \\ é.yaml""#,
                Some(r#"a;b "c" \ é.yaml"#),
            ),
            (r#"form-data; filename="C:\dir\a.yaml""#, Some(r"C:\dir\a.yaml")),
            (r#"form-data; filename="a%22b%20c.yaml""#, Some(r#"a"b%20c.yaml"#)),
            ("form-data; filename*=utf-8''na%C3%AFve%20%22.yaml", Some("naïve \".yaml")),
            ("form-data; filename*=UTF-8'en'a.yaml; filename=b.yaml", Some("a.yaml")),
            (r#"form-data; filename="b.yaml"; filename*="utf-8''a.yaml""#, Some("a.yaml")),
            ("form-data; filename*=iso-8859-1''%e9.yaml", Some("é.yaml")),
            (r#"form-data; name="filename=x""#, None),
            (r#"form-data; filename="""#, None),
            (r#"form-data; filename="cut off"#, Some("cut off")),
            ("form-data", None),
        ] {
            assert_eq!(name(disposition).unwrap().as_deref(), expected, "{disposition}");
        }
        assert_eq!(filename(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (disposition, expected) in [
            ("form-data; filename*=a.yaml", "must be such as"),
            ("form-data; filename*=utf-8''%ff", "must be such as"),
            ("form-data; filename*=utf-8''%4", "must be such as"),
            ("form-data; filename*=utf-8''%+4", "must be such as"),
            ("form-data; filename*=koi8-r''a", "charset koi8-r"),
            ("form-data; filename*0=a; filename*1=b", "in pieces (filename*0)"),
        ] {
            let why = name(disposition).unwrap_err();
            assert!(why.contains(expected), "{disposition}: {why}");
        }
    }
}
