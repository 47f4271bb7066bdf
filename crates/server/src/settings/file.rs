//! Reads the configuration file: TOML, one flat table whose keys are the names of the flags.
//!
//! A key that is no flag, a value of the wrong type and a broken file are errors that name the file
//! and the place. It does not merge: see `values.rs`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::{Table, Value as Toml};

use super::definition::{Flag, Value, ValueKind};
use super::{UsageError, table};
use crate::limits::CONFIG_BYTES_MAX;
use crate::suggest;

/// Reads the file at `path`.
///
/// # Errors
///
/// The file cannot be read, is larger than [`CONFIG_BYTES_MAX`], is no TOML, or holds an unknown key
/// or a bad value.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<&'static str, Value>, UsageError> {
    let name = path.display();
    let text = read_text(path, CONFIG_BYTES_MAX).map_err(|error| {
        UsageError::new(format!("cannot read the configuration file {name}: {error}"))
    })?;
    parse(&text).map_err(|error| UsageError::new(format!("configuration file {name}: {error}")))
}

/// The text of a file of at most `bytes_max` bytes.
///
/// # Errors
///
/// Those of the file system; too large; not UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    let bytes = read_bytes(path, bytes_max)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
}

/// A file of at most `bytes_max` bytes.
///
/// # Errors
///
/// Those of the file system; too large.
pub(crate) fn read_bytes(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(std::io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// The values of a configuration, by name of flag.
fn parse(text: &str) -> Result<BTreeMap<&'static str, Value>, String> {
    let table: Table = toml::from_str(text).map_err(|error| describe(text, &error))?;
    table
        .iter()
        .map(|(key, toml)| {
            let flag = find(key)?;
            let value =
                convert(flag.kind, toml).map_err(|wanted| format!("key {key:?} wants {wanted}"))?;
            Ok((flag.name, value))
        })
        .collect()
}

/// One line of what the parser says, with the line of the file in front.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    match error.span() {
        Some(span) => {
            let before = text.as_bytes().get(..span.start).unwrap_or_default();
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            format!("line {line}: {message}")
        }
        None => message,
    }
}

fn find(key: &str) -> Result<&'static Flag, String> {
    let known = || table::ALL.iter().copied().filter(|flag| flag.in_file);
    known().find(|flag| flag.name == key).ok_or_else(|| {
        let near = suggest::nearest(key, known().map(|flag| flag.name));
        let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
        format!("unknown key {key:?}{hint}")
    })
}

/// TOML has types, so a value of another type is a mistake and not something to convert.
fn convert(kind: ValueKind, toml: &Toml) -> Result<Value, String> {
    match (kind, toml) {
        (ValueKind::Switch, Toml::Boolean(switch)) => Ok(Value::Switch(*switch)),
        (ValueKind::Switch, _) => Err("true or false, without quotes".to_owned()),
        (ValueKind::Number { .. }, Toml::Integer(number)) => kind.read(&number.to_string()),
        (ValueKind::Number { min, max }, _) => {
            Err(format!("a whole number from {min} to {max}, without quotes"))
        }
        (ValueKind::Size, Toml::Integer(number)) => kind.read(&number.to_string()),
        (_, Toml::String(text)) => kind.read(text),
        (ValueKind::List, Toml::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Toml::as_str).collect();
            texts
                .map(|texts| Value::Text(texts.join(",")))
                .ok_or_else(|| "an array of texts".to_owned())
        }
        (ValueKind::List, _) => Err("a text in quotes or an array of texts".to_owned()),
        (ValueKind::Text | ValueKind::Path, _) => Err("a text in quotes".to_owned()),
        (ValueKind::Size, _) => Err("a size in quotes, such as \"20GiB\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_names_of_flags() {
        let values = parse(
            "http = false\nhttp-port = 9000\nrepo = \"a\" # comment\nagent-name = \"n\"\nseed-peers = [\"a:1\", \"b:2\"]\nbootstrap = \"c,d\"",
        )
        .unwrap();
        assert_eq!(values["http"], Value::Switch(false));
        assert_eq!(values["http-port"], Value::Number(9000));
        assert_eq!(values["repo"], Value::Text("a".into()));
        assert_eq!(values["agent-name"], Value::Text("n".into()));
        assert_eq!(values["seed-peers"], Value::Text("a:1,b:2".into()));
        assert_eq!(values["bootstrap"], Value::Text("c,d".into()));
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("prot = 1", "unknown key \"prot\""),
            ("http-prot = 1", "did you mean \"http-port\"?"),
            ("config = \"x\"", "unknown key \"config\""),
            ("[http]\nport = 1", "key \"http\" wants true or false"),
            ("http = \"true\"", "key \"http\" wants true or false, without quotes"),
            ("http-port = \"80\"", "key \"http-port\" wants a whole number"),
            ("http-port = 70000", "from 0 to 65535"),
            ("http-port = -1", "from 0 to 65535"),
            ("repo = 5", "key \"repo\" wants a text in quotes"),
            ("bootstrap = [1]", "an array of texts"),
            ("\n\nhttp = ", "line 3"),
            ("http = true\nhttp = false", "line 2"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(expected), "{text:?}: {message}");
            assert!(!message.contains('\n'), "{message:?}");
        }
    }

    #[test]
    fn a_missing_and_a_huge_file_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.toml");
        assert!(read(&missing).unwrap_err().to_string().contains("missing.toml"));
        let huge = folder.path().join("huge.toml");
        std::fs::write(&huge, vec![b'#'; CONFIG_BYTES_MAX as usize + 1]).unwrap();
        assert!(read(&huge).unwrap_err().to_string().contains("larger than"));
    }
}
