//! What a flag is: its names, what values it takes, and where its default comes from.
//!
//! No IO and no environment here; the table itself is in `table.rs`.

/// One setting of the node: a flag, a variable and a key of the configuration file.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Name on the command line (after `-`) and in the configuration file.
    pub name: &'static str,
    /// False for settings that have a variable and a key, and no flag.
    pub on_command_line: bool,
    /// False for `-config`, which cannot stand in the file that it names.
    pub in_file: bool,
    /// Environment variable; empty counts as unset.
    pub variable: &'static str,
    /// Which values it takes.
    pub kind: ValueKind,
    /// What holds when nobody sets it.
    pub default: Fallback,
    /// What it does, for `-help`.
    pub doc: &'static str,
    /// The capability that will bring it, while this version only accepts it.
    pub later: Option<&'static str>,
}

/// Which values a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Go's booleans: 1, t, T, TRUE, true, True and their opposites. `-name` alone means true.
    Switch,
    /// A whole number in decimal, between the two bounds, both included.
    Number {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A number of bytes, with a unit: `20GiB`, `500MB`.
    Size,
    /// Any text.
    Text,
    /// A path; a leading `~/` means the home directory.
    Path,
    /// Texts with commas between them; an array in the configuration file.
    List,
}

/// A port number, 0 meaning any free one.
pub(crate) const PORT: ValueKind = ValueKind::Number { min: 0, max: 65_535 };

/// What holds when nobody sets a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// This value, written as on the command line.
    Is(&'static str),
    /// Found at start; the text says what, for `-help`.
    Found(&'static str),
    /// Nothing.
    Nothing,
}

/// A value that passed its flag's [`ValueKind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of a [`ValueKind::Switch`].
    Switch(bool),
    /// Of a [`ValueKind::Number`] or a [`ValueKind::Size`].
    Number(u64),
    /// Of a [`ValueKind::Text`], [`ValueKind::Path`] or [`ValueKind::List`].
    Text(String),
}

impl ValueKind {
    /// Reads a value as it is written on the command line and in a variable.
    ///
    /// # Errors
    ///
    /// What the flag wants instead, to be put after `wants` in a sentence.
    pub(crate) fn read(self, text: &str) -> Result<Value, String> {
        match self {
            ValueKind::Switch => {
                switch(text).map(Value::Switch).ok_or_else(|| "true or false".to_owned())
            }
            ValueKind::Number { min, max } => text
                .parse::<u64>()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .map(Value::Number)
                .ok_or_else(|| {
                    format!("a whole number from {min} to {max}{}", service_link_hint(text))
                }),
            ValueKind::Size => size(text)
                .map(Value::Number)
                .ok_or_else(|| "a size such as 500MB, 20GiB or 1073741824".to_owned()),
            ValueKind::Text | ValueKind::Path | ValueKind::List => Ok(Value::Text(text.to_owned())),
        }
    }

    /// Stands for the value in `-help`; empty for a switch.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            ValueKind::Switch => "",
            ValueKind::Number { .. } => "NUMBER",
            ValueKind::Size => "SIZE",
            ValueKind::Text => "TEXT",
            ValueKind::Path => "PATH",
            ValueKind::List => "LIST",
        }
    }
}

/// Go's `strconv.ParseBool`.
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Bytes of a size: a whole number of one of these units, or of bytes. Some people write a space between.
fn size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let unit = UNITS.iter().find_map(|(name, bytes)| Some((text.strip_suffix(name)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number = number.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(bytes).filter(|bytes| *bytes > 0)
}

/// Kubernetes writes `tcp://…` into `OPTIMUSDB_API_PORT` when a service is called `optimusdb-api`.
fn service_link_hint(text: &str) -> &'static str {
    let linked = text.starts_with("tcp://") || text.starts_with("udp://");
    if linked {
        " (it looks like a Kubernetes service link: set enableServiceLinks: false)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let read = |text| ValueKind::Size.read(text).ok();
        for (text, bytes) in [
            ("1", 1),
            ("20GiB", 20 << 30),
            ("500MB", 500_000_000),
            ("1 KiB", 1_024),
            ("7kB", 7_000),
            ("9B", 9),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(read(text), Some(Value::Number(bytes)), "{text}");
        }
        for text in ["", "GiB", "0", "-1", "+1", "1.5GiB", "1GIB", "1G", "16777216TiB", "x"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
