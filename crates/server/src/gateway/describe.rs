//! What is said of content in the head of its answer.

use std::borrow::Cow;
use std::fmt::Write;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::files::IMMUTABLE;

/// For how long a page that the gateway made is kept: it may look otherwise some day.
pub(super) const MADE_HERE: &str = "public, max-age=604800, stale-while-revalidate=2678400";

/// Whether a browser shows content or saves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    Inline,
    Attachment,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Description {
    /// The quoted tag, with `W/` in front where it is a weak one.
    pub(super) tag: String,
    pub(super) content_type: Cow<'static, str>,
    /// Shown or saved, and under which name.
    pub(super) disposition: Option<(Disposition, String)>,
    /// Whether browsers may look for another type in the bytes.
    pub(super) sniffed: bool,
    /// For how long it is kept.
    pub(super) cache: &'static str,
}

impl Description {
    /// The head of content that never changes, of this tag and type.
    pub(super) fn new(tag: String, content_type: impl Into<Cow<'static, str>>) -> Description {
        let content_type = content_type.into();
        Description { tag, content_type, disposition: None, sniffed: false, cache: IMMUTABLE }
    }

    /// Writes it.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        put(headers, header::ETAG, &self.tag);
        put(headers, header::CONTENT_TYPE, &self.content_type);
        put(headers, header::CACHE_CONTROL, self.cache);
        if !self.sniffed {
            put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        }
        if let Some((disposition, name)) = &self.disposition {
            put(headers, header::CONTENT_DISPOSITION, &disposition_of(*disposition, name));
        }
    }
}

/// Puts a header that can be written; what cannot is left out.
pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// RFC 6266, with the name twice where not every client can read it in its own letters.
fn disposition_of(disposition: Disposition, name: &str) -> String {
    /// What RFC 8187 lets stand as it is.
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    let plain = |letter: char| letter == ' ' || letter.is_ascii_graphic();
    let written = |letter: char| match letter {
        '"' | '\\' => '_',
        letter if plain(letter) => letter,
        _ => '_',
    };
    let word = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let mut text =
        format!("{word}; filename=\"{}\"", name.chars().map(written).collect::<String>());
    if !name.chars().all(plain) {
        let _ = write!(text, "; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_for_every_client() {
        for (name, expected) in [
            ("a b.txt", "inline; filename=\"a b.txt\""),
            ("a\"b\\.txt", "inline; filename=\"a_b_.txt\""),
            (
                "testтест.tar",
                "inline; filename=\"test____.tar\"; filename*=UTF-8''test%D1%82%D0%B5%D1%81%D1%82.tar",
            ),
            ("a\r\nB: c", "inline; filename=\"a__B: c\"; filename*=UTF-8''a%0D%0AB%3A%20c"),
        ] {
            assert_eq!(disposition_of(Disposition::Inline, name), expected);
        }
    }
}
