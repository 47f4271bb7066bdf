//! What a YAML scalar is, by the core schema of YAML 1.2, section 10.3.
//!
//! Where JSON has no number for it, or where YAML 1.1 and 1.2 disagree on which, the scalar stays
//! text: infinities and not-a-number, integers beyond 64 bits, decimals that start with a zero (a
//! file mode, a telephone number). `yes` and `no`, dates and times are text in 1.2 anyway. So does
//! what TOSCA calls a version, for there 1.10 comes after 1.9.

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::{ScalarStyle, Tag};

/// The value of a scalar; an error says why it is not what its tag claims.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let claim = |value: Option<Value>, name: &str| {
        value.ok_or_else(|| format!("{:?} is not a !!{name}", shortened(text)))
    };
    match tag.and_then(Tag::core_suffix) {
        Some("null") => claim(null(text), "null"),
        Some("bool") => claim(boolean(text), "bool"),
        Some("int") => claim(integer(text), "int"),
        Some("float") => {
            claim(float(text).or_else(|| integer(text)).or_else(|| unbounded(text)), "float")
        }
        Some(_) => Ok(text.into()),
        None if style != ScalarStyle::Plain || tag.is_some_and(is_text) => Ok(text.into()),
        None => Ok(null(text)
            .or_else(|| boolean(text))
            .or_else(|| integer(text))
            .or_else(|| float(text))
            .unwrap_or_else(|| text.into())),
    }
}

/// Whether a plain scalar that YAML takes for a number may be a version in TOSCA's sense (TOSCA 1.3,
/// section 3.3.2; 2.0, section 9.1.3.1): 1.10, which is not 1.1.
pub(super) fn looks_like_version(text: &str) -> bool {
    text.split_once('.').is_some_and(|(major, minor)| is_digits(major) && is_digits(minor))
}

/// `!` alone, and the types of YAML 1.1 that JSON writes as text.
fn is_text(tag: &Tag) -> bool {
    tag.handle().len() + tag.suffix().len() <= 1
        || tag
            .suffix_in_namespace("tag:yaml.org,2002:")
            .is_some_and(|name| name == "binary" || name == "timestamp")
}

fn null(text: &str) -> Option<Value> {
    matches!(text, "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "true" | "True" | "TRUE" => Some(true.into()),
        "false" | "False" | "FALSE" => Some(false.into()),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Value> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
            return if all {
                u64::from_str_radix(digits, radix).ok().map(Value::from)
            } else {
                None
            };
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !is_digits(digits) || starts_with_zero(digits) {
        return None;
    }
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let fine = match (whole, fraction) {
        ("", Some(fraction)) => is_digits(fraction),
        (whole, None) => is_digits(whole) && exponent.is_some(),
        (whole, Some(fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    let exponent = exponent.map(|e| e.strip_prefix(['-', '+']).unwrap_or(e));
    if !fine || starts_with_zero(whole) || !exponent.is_none_or(is_digits) {
        return None;
    }
    text.parse().ok().and_then(Number::from_f64).map(Value::Number)
}

/// What `!!float` also covers and JSON cannot say.
fn unbounded(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    matches!(unsigned.as_str(), ".inf" | ".nan").then(|| text.into())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn starts_with_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
