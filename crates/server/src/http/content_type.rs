//! What a file is: told from its name, or from its first bytes.

use std::borrow::Cow;

/// First bytes that tell a type, and the type.
const SIGNATURES: [(&[u8], &str); 14] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x00asm", "application/wasm"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"wOF2", "font/woff2"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
];

/// The same for what has something else in front: where it begins, too.
const SIGNATURES_WITHIN: [(usize, &[u8], &str); 3] =
    [(4, b"ftyp", "video/mp4"), (8, b"WEBP", "image/webp"), (8, b"WAVE", "audio/wav")];

/// What a page begins with.
const MARKUP: [(&str, &str); 4] = [
    ("<!doctype html", "text/html; charset=utf-8"),
    ("<html", "text/html; charset=utf-8"),
    ("<svg", "image/svg+xml"),
    ("<?xml", "text/xml; charset=utf-8"),
];

/// What is said of a file of which nothing is known.
pub(crate) const OCTETS: &str = "application/octet-stream";

/// The type of a file by the name at the end of its path, where that tells one.
pub(crate) fn by_name(path: &str) -> Option<Cow<'static, str>> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let guess = mime_guess::from_path(name).first_raw()?;
    Some(match guess.strip_prefix("text/") {
        // Text of today is UTF-8; what is none shows its bytes.
        Some(_) => Cow::Owned(format!("{guess}; charset=utf-8")),
        None => Cow::Borrowed(guess),
    })
}

/// The type of a file by its first bytes.
pub(crate) fn by_first_bytes(bytes: &[u8]) -> &'static str {
    for (signature, name) in SIGNATURES {
        if bytes.starts_with(signature) {
            return name;
        }
    }
    for (at, signature, name) in SIGNATURES_WITHIN {
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(signature)) {
            return name;
        }
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A letter may be cut in two at the end.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return OCTETS,
    };
    if text.contains('\0') {
        return OCTETS;
    }
    let begins = text.trim_start().get(..16).unwrap_or(text.trim_start()).to_ascii_lowercase();
    for (signature, name) in MARKUP {
        if begins.starts_with(signature) {
            return name;
        }
    }
    if is_json(text) { "application/json" } else { "text/plain; charset=utf-8" }
}

/// Whether a text is a JSON object or array, or the beginning of one.
fn is_json(text: &str) -> bool {
    if !text.trim_start().starts_with(['{', '[']) {
        return false;
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => error.is_eof(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_names() {
        for (path, expected) in [
            ("a/b.PNG", Some("image/png")),
            ("a.html", Some("text/html; charset=utf-8")),
            ("a.json", Some("application/json")),
            ("a.png/b", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(by_name(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn types_follow_from_first_bytes() {
        for (bytes, expected) in [
            (b"\x89PNG\r\n\x1a\n...".as_slice(), "image/png"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"RIFF1234WEBPVP8 ", "image/webp"),
            (b"hello\n", "text/plain; charset=utf-8"),
            ("gr\u{fc}n".as_bytes(), "text/plain; charset=utf-8"),
            // The last letter cut in two, and one that is none.
            (b"gr\xc3", "text/plain; charset=utf-8"),
            (b"gr\xc3\x28", OCTETS),
            (b"a\0b", OCTETS),
            (b"", "text/plain; charset=utf-8"),
            (b"  <!DOCTYPE HTML><p>", "text/html; charset=utf-8"),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "image/svg+xml"),
            (b"{\"a\": [1, 2", "application/json"),
            (b" [1]\n", "application/json"),
            (b"[1] and more", "text/plain; charset=utf-8"),
            (b"12", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(by_first_bytes(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
