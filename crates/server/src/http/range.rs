//! What a request says of the bytes that it wants: which part, and whether it has them already.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// Which bytes are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AskedRange {
    /// All of them.
    Whole,
    /// These. Of several parts the first that is there: they are not sent in one answer.
    Part(Range<u64>),
    /// None that are there.
    Nothing,
}

/// Reads `Range`, which counts only for the version that `If-Range` names (RFC 9110, 14).
pub(super) fn asked(headers: &HeaderMap, tag: &str, size: u64) -> AskedRange {
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some(set) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return AskedRange::Whole;
    };
    if headers.get(header::IF_RANGE).is_some_and(|version| version != tag) {
        return AskedRange::Whole;
    }
    let parts = set.split(',').filter_map(|text| part(text, size));
    let mut parts = parts.filter(|range| range.start < range.end);
    parts.next().map_or(AskedRange::Nothing, AskedRange::Part)
}

fn part(set: &str, size: u64) -> Option<Range<u64>> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // What is too great for a number is beyond every end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = set.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1) };
    Some(first..end.min(size))
}

/// Whether `If-None-Match` names this tag.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = named.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"bafy\"";

    fn with(headers: &[(header::HeaderName, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn one_range_is_honoured() {
        for (range, expected) in [
            ("bytes=0-0", AskedRange::Part(0..1)),
            ("bytes=2-", AskedRange::Part(2..10)),
            ("bytes=2-99", AskedRange::Part(2..10)),
            ("bytes=-3", AskedRange::Part(7..10)),
            ("bytes=-30", AskedRange::Part(0..10)),
            ("bytes= 1 - 2 ", AskedRange::Part(1..3)),
            ("bytes=10-", AskedRange::Nothing),
            ("bytes=5-2", AskedRange::Nothing),
            ("bytes=-0", AskedRange::Nothing),
            ("bytes=99999999999999999999-", AskedRange::Nothing),
            ("bytes=a-b", AskedRange::Nothing),
            ("bytes=-", AskedRange::Nothing),
            ("bytes=1", AskedRange::Nothing),
            ("bytes=6-8,3-4", AskedRange::Part(6..9)),
            ("bytes=5-2, 20-30, 3-4", AskedRange::Part(3..5)),
            ("bytes=,", AskedRange::Nothing),
            ("lines=0-1", AskedRange::Whole),
        ] {
            assert_eq!(asked(&with(&[(header::RANGE, range)]), TAG, 10), expected, "{range}");
        }
        assert_eq!(asked(&with(&[]), TAG, 10), AskedRange::Whole);
        assert_eq!(asked(&with(&[(header::RANGE, "bytes=0-")]), TAG, 0), AskedRange::Nothing);
        let of = |version| with(&[(header::RANGE, "bytes=0-0"), (header::IF_RANGE, version)]);
        assert_eq!(asked(&of(TAG), TAG, 10), AskedRange::Part(0..1));
        assert_eq!(asked(&of("\"other\""), TAG, 10), AskedRange::Whole);
    }

    #[test]
    fn what_is_known_is_known_in_every_form() {
        for (tags, known) in [
            (TAG, true),
            ("W/\"bafy\"", true),
            ("\"a\", \"bafy\"", true),
            ("*", true),
            ("\"a\"", false),
            ("bafy", false),
        ] {
            assert_eq!(is_known(&with(&[(header::IF_NONE_MATCH, tags)]), TAG), known, "{tags}");
        }
        assert!(!is_known(&with(&[]), TAG));
    }
}
