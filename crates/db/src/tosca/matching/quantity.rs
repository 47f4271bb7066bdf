//! Amounts with units, compared exactly: `4 GB` and `2048 MiB`, `2.4 GHz` and `2400 MHz`.
//!
//! An amount is a whole number with a power of ten, in the smallest unit of what it is an amount of, so
//! nothing is rounded. What is too long for that is no amount.

use serde_json::Value;
use std::cmp::Ordering;

/// What an amount is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Number,
    /// In bytes.
    Size,
    /// In nanoseconds.
    Time,
    /// In hertz.
    Frequency,
    /// In bits per second.
    Rate,
}

/// An amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity {
    units: i128,
    /// How many digits of `units` are behind the point.
    decimals: u32,
    dimension: Dimension,
}

const NANOSECOND: i128 = 1;
const SECOND: i128 = 1_000_000_000;

/// Digits of an amount; a power of ten has no more either.
const DIGITS_MAX: usize = 30;

impl Quantity {
    /// The amount that a value is: a number, or text of a number and maybe a unit.
    pub(super) fn of(value: &Value) -> Option<Quantity> {
        match value {
            Value::Number(number) => match number.as_i64() {
                Some(units) => Some(Quantity {
                    units: units.into(),
                    decimals: 0,
                    dimension: Dimension::Number,
                }),
                None => Quantity::parse(&number.to_string()),
            },
            Value::String(text) => Quantity::parse(text),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let mut end = unsigned.find(|c| !is_number(c)).unwrap_or(unsigned.len());
        let (number, mut exponent) = (&unsigned[..end], 0_i32);
        if let Some(power) = unsigned[end..].strip_prefix(['e', 'E']) {
            let digits = power.trim_start_matches(['+', '-']);
            let digits = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let length = power.len() - power.trim_start_matches(['+', '-']).len() + digits;
            if digits > 0 {
                exponent = power[..length].parse().ok()?;
                end += 1 + length;
            }
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.len() + fraction.len();
        if digits == 0 || digits > DIGITS_MAX || fraction.contains('.') {
            return None;
        }
        // At most DIGITS_MAX of them, so this does not overflow.
        let all = whole.bytes().chain(fraction.bytes());
        let units = all.fold(0_i128, |units, digit| units * 10 + i128::from(digit - b'0'));
        let units = if text.starts_with('-') { -units } else { units };
        let (factor, dimension) = match unsigned[end..].trim_start() {
            "" => (1, Dimension::Number),
            unit => unit_of(unit)?,
        };
        let decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if decimals.unsigned_abs() as usize > DIGITS_MAX {
            return None;
        }
        let units = units.checked_mul(factor)?;
        let units = match decimals {
            0.. => units,
            powers => units.checked_mul(10_i128.pow(powers.unsigned_abs()))?,
        };
        Some(Quantity { units, decimals: decimals.max(0).unsigned_abs(), dimension })
    }

    /// The order of two amounts of the same thing; none of different ones.
    pub(super) fn compare(self, other: Quantity) -> Option<Ordering> {
        if self.dimension != other.dimension {
            return None;
        }
        if self.decimals == other.decimals {
            return Some(self.units.cmp(&other.units));
        }
        let decimals = self.decimals.max(other.decimals);
        let units = |it: Quantity| it.units.checked_mul(10_i128.pow(decimals - it.decimals));
        Some(units(self)?.cmp(&units(other)?))
    }

    /// Whether it is a number without a unit.
    pub(super) fn is_number(self) -> bool {
        self.dimension == Dimension::Number
    }
}

/// The units of TOSCA, in any case: what they are of the smallest one. In rates a small b is bits and a
/// large one bytes; they are kept in bits.
fn unit_of(unit: &str) -> Option<(i128, Dimension)> {
    let mut lower = [0; UNIT_BYTES_MAX];
    let lower = lower.get_mut(..unit.len())?;
    lower.copy_from_slice(unit.as_bytes());
    lower.make_ascii_lowercase();
    let bits = if unit.ends_with("Bps") { 8 } else { 1 };
    Some(match std::str::from_utf8(lower).ok()? {
        "b" => (1, Dimension::Size),
        "kb" => (1_000, Dimension::Size),
        "kib" => (1 << 10, Dimension::Size),
        "mb" => (1_000_000, Dimension::Size),
        "mib" => (1 << 20, Dimension::Size),
        "gb" => (1_000_000_000, Dimension::Size),
        "gib" => (1 << 30, Dimension::Size),
        "tb" => (1_000_000_000_000, Dimension::Size),
        "tib" => (1 << 40, Dimension::Size),
        "pb" => (1_000_000_000_000_000, Dimension::Size),
        "pib" => (1 << 50, Dimension::Size),
        "eb" => (1_000_000_000_000_000_000, Dimension::Size),
        "eib" => (1 << 60, Dimension::Size),
        "d" => (86_400 * SECOND, Dimension::Time),
        "h" => (3_600 * SECOND, Dimension::Time),
        "m" => (60 * SECOND, Dimension::Time),
        "s" => (SECOND, Dimension::Time),
        "ms" => (1_000_000 * NANOSECOND, Dimension::Time),
        "us" | "µs" => (1_000 * NANOSECOND, Dimension::Time),
        "ns" => (NANOSECOND, Dimension::Time),
        "hz" => (1, Dimension::Frequency),
        "khz" => (1_000, Dimension::Frequency),
        "mhz" => (1_000_000, Dimension::Frequency),
        "ghz" => (1_000_000_000, Dimension::Frequency),
        "thz" => (1_000_000_000_000, Dimension::Frequency),
        "bps" => (bits, Dimension::Rate),
        "kbps" => (bits * 1_000, Dimension::Rate),
        "kibps" => (bits << 10, Dimension::Rate),
        "mbps" => (bits * 1_000_000, Dimension::Rate),
        "mibps" => (bits << 20, Dimension::Rate),
        "gbps" => (bits * 1_000_000_000, Dimension::Rate),
        "gibps" => (bits << 30, Dimension::Rate),
        "tbps" => (bits * 1_000_000_000_000, Dimension::Rate),
        "tibps" => (bits << 40, Dimension::Rate),
        "pbps" => (bits * 1_000_000_000_000_000, Dimension::Rate),
        "pibps" => (bits << 50, Dimension::Rate),
        "bit/s" => (1, Dimension::Rate),
        _ => return None,
    })
}

/// Bytes of the longest of them.
const UNIT_BYTES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(a: &Value, b: &Value) -> Option<Ordering> {
        Quantity::of(a)?.compare(Quantity::of(b)?)
    }

    #[test]
    fn units_are_compared_as_amounts() {
        for (a, b, expected) in [
            (json!("4 GB"), json!("2048 MiB"), Some(Ordering::Greater)),
            (json!("1 GiB"), json!("1024MiB"), Some(Ordering::Equal)),
            (json!("1 GB"), json!("1 GiB"), Some(Ordering::Less)),
            (json!("2.4 GHz"), json!("2400 MHz"), Some(Ordering::Equal)),
            (json!("0.1 s"), json!("100 ms"), Some(Ordering::Equal)),
            (json!("1 d"), json!("86400 s"), Some(Ordering::Equal)),
            (json!("8 Mbps"), json!("1 MBps"), Some(Ordering::Equal)),
            (json!("1 gib"), json!("1 GiB"), Some(Ordering::Equal)),
            (json!(0.1), json!("0.1"), Some(Ordering::Equal)),
            (json!(0.3), json!("0.30000000000000000001"), Some(Ordering::Less)),
            (json!(1e21), json!("1000000000000000000000"), Some(Ordering::Equal)),
            (json!("-1 B"), json!("1 B"), Some(Ordering::Less)),
            (json!(u64::MAX), json!(u64::MAX - 1), Some(Ordering::Greater)),
            (json!("1e-3 s"), json!("1 ms"), Some(Ordering::Equal)),
            (json!("4 GB"), json!("4 GHz"), None),
            (json!("4 GB"), json!(4), None),
            (json!("9999999999999999999999999999 EiB"), json!("1 B"), None),
        ] {
            assert_eq!(order(&a, &b), expected, "{a} and {b}");
        }
    }

    #[test]
    fn nonsense_is_no_amount() {
        let long = "9".repeat(10_000);
        for text in [
            "",
            "GB",
            "4 parsecs",
            "4 GB GB",
            "1.2.3",
            ".",
            "+-1",
            "1e999999999999",
            "1e31",
            "٤ GB",
            &long,
        ] {
            assert_eq!(Quantity::of(&json!(text)), None, "{text}");
        }
        for value in [json!(null), json!(true), json!([1]), json!({})] {
            assert_eq!(Quantity::of(&value), None);
        }
    }
}
