//! Merges the sources of settings: flag, then environment, then configuration file, then default.
//!
//! Pure but for the configuration file; the environment is an argument.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::definition::{Fallback, Flag, Value};
use super::{UsageError, file, table};

/// Looks up an environment variable.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Who set a value, the stronger the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ValueSource {
    /// Nobody.
    Default,
    /// The configuration file.
    File,
    /// The environment.
    Variable,
    /// The command line.
    Flag,
}

/// The value of every flag that has one, with its source.
#[derive(Debug)]
pub(crate) struct SettingValues(BTreeMap<&'static str, (Value, ValueSource)>);

impl SettingValues {
    /// Merges the sources, reading the configuration file when one is named.
    ///
    /// # Errors
    ///
    /// Those of the file, and a bad value in a variable that is not overridden by a flag.
    pub(crate) fn merge(
        given: BTreeMap<&'static str, Value>,
        environment: Environment<'_>,
    ) -> Result<SettingValues, UsageError> {
        let config = given.get(table::CONFIG.name).cloned();
        let config = match config {
            Some(value) => Some(value),
            None => variable(&table::CONFIG, environment)?,
        };
        let from_file = match config {
            Some(Value::Text(path)) => file::read(&expand_home(&path, environment)?)?,
            _ => BTreeMap::new(),
        };
        let mut merged = BTreeMap::new();
        for &flag in table::ALL {
            if let Some(found) = pick(flag, &given, environment, &from_file)? {
                merged.insert(flag.name, found);
            }
        }
        Ok(SettingValues(merged))
    }

    /// Who set the flag.
    pub(crate) fn source(&self, flag: &Flag) -> ValueSource {
        self.0.get(flag.name).map_or(ValueSource::Default, |(_, source)| *source)
    }

    /// The value of a switch.
    pub(crate) fn switch(&self, flag: &Flag) -> bool {
        match self.0.get(flag.name) {
            Some((Value::Switch(switch), _)) => *switch,
            other => {
                unreachable!("invariant: a switch has a default, -{} has {other:?}", flag.name)
            }
        }
    }

    /// The value of a number.
    pub(crate) fn number(&self, flag: &Flag) -> u64 {
        match self.0.get(flag.name) {
            Some((Value::Number(number), _)) => *number,
            other => {
                unreachable!("invariant: a number has a default, -{} has {other:?}", flag.name)
            }
        }
    }

    /// The value of a size; none when nobody set it.
    pub(crate) fn size(&self, flag: &Flag) -> Option<u64> {
        match self.0.get(flag.name) {
            None => None,
            Some((Value::Number(bytes), _)) => Some(*bytes),
            other => unreachable!("invariant: a size stays one, -{} has {other:?}", flag.name),
        }
    }

    /// The value of a text, path or list; none when nobody set it and it has no default.
    pub(crate) fn text(&self, flag: &Flag) -> Option<&str> {
        match self.0.get(flag.name) {
            None => None,
            Some((Value::Text(text), _)) => Some(text),
            other => unreachable!("invariant: a text stays one, -{} has {other:?}", flag.name),
        }
    }
}

fn pick(
    flag: &'static Flag,
    given: &BTreeMap<&'static str, Value>,
    environment: Environment<'_>,
    from_file: &BTreeMap<&'static str, Value>,
) -> Result<Option<(Value, ValueSource)>, UsageError> {
    if let Some(value) = given.get(flag.name) {
        return Ok(Some((value.clone(), ValueSource::Flag)));
    }
    if let Some(value) = variable(flag, environment)? {
        return Ok(Some((value, ValueSource::Variable)));
    }
    if let Some(value) = from_file.get(flag.name) {
        return Ok(Some((value.clone(), ValueSource::File)));
    }
    match flag.default {
        Fallback::Is(text) => {
            let value = flag.kind.read(text).expect("invariant: a default passes its own kind");
            Ok(Some((value, ValueSource::Default)))
        }
        Fallback::Found(_) | Fallback::Nothing => Ok(None),
    }
}

/// What the environment says of a flag; an empty variable says nothing.
fn variable(flag: &Flag, environment: Environment<'_>) -> Result<Option<Value>, UsageError> {
    let Some(text) = lookup(flag.variable, environment)? else { return Ok(None) };
    let read = flag.kind.read(&text);
    read.map(Some).map_err(|wanted| UsageError::bad_value(flag.variable, &wanted, &text))
}

/// A variable as text; `None` when unset or empty.
///
/// # Errors
///
/// The variable is not UTF-8.
pub(crate) fn lookup(
    name: &str,
    environment: Environment<'_>,
) -> Result<Option<String>, UsageError> {
    match environment(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match text.into_string() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(UsageError::new(format!("the variable {name} is not UTF-8"))),
        },
    }
}

/// A path with a leading `~/` replaced: no shell does so behind `-name=` or in a file.
///
/// # Errors
///
/// The path is empty, or starts with `~/` where `HOME` is unset.
pub(crate) fn expand_home(path: &str, environment: Environment<'_>) -> Result<PathBuf, UsageError> {
    if path.is_empty() {
        return Err(UsageError::new("a path is empty"));
    }
    let Some(rest) = path.strip_prefix("~/") else { return Ok(PathBuf::from(path)) };
    match lookup("HOME", environment)? {
        Some(home) => Ok(PathBuf::from(home).join(rest)),
        None => Err(UsageError::new(format!("{path:?} needs the variable HOME, which is unset"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::definition::ValueKind;

    fn merge(
        flags: &[(&'static str, &str)],
        variables: &[(&str, &str)],
    ) -> Result<SettingValues, String> {
        let given = flags.iter().map(|&(name, text)| {
            let flag = table::ALL.iter().find(|flag| flag.name == name).unwrap();
            (name, flag.kind.read(text).unwrap())
        });
        let variables: BTreeMap<String, OsString> =
            variables.iter().map(|&(name, text)| (name.to_owned(), text.into())).collect();
        SettingValues::merge(given.collect(), &|name| variables.get(name).cloned())
            .map_err(|error| error.to_string())
    }

    /// Every flag, from every source, over every source below it.
    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        for &flag in table::ALL.iter().filter(|flag| flag.in_file) {
            let (texts, toml) = match flag.kind {
                ValueKind::Switch => (["true", "false"], "false".to_owned()),
                ValueKind::Number { .. } => (["11", "12"], "13".to_owned()),
                ValueKind::Size => (["11MB", "12GiB"], "\"13KiB\"".to_owned()),
                ValueKind::Text | ValueKind::Path | ValueKind::List => {
                    (["from-flag", "from-variable"], "\"from-file\"".to_owned())
                }
            };
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("optimusdb.toml");
            std::fs::write(&path, format!("{} = {toml}\n", flag.name)).unwrap();
            let config = ("config", path.to_str().unwrap());
            let variable = (flag.variable, texts[1]);
            let seen = |values: &SettingValues| values.0.get(flag.name).cloned();
            let expected = |text: &str, source| Some((flag.kind.read(text).unwrap(), source));

            let all = merge(&[config, (flag.name, texts[0])], &[variable]).unwrap();
            assert_eq!(seen(&all), expected(texts[0], ValueSource::Flag), "{}", flag.name);
            let without_flag = merge(&[config], &[variable]).unwrap();
            assert_eq!(
                seen(&without_flag),
                expected(texts[1], ValueSource::Variable),
                "{}",
                flag.name
            );
            for unset in [&[][..], &[(flag.variable, "")]] {
                let without_variable = merge(&[config], unset).unwrap();
                assert_eq!(
                    seen(&without_variable),
                    expected(toml.trim_matches('"'), ValueSource::File),
                    "{}",
                    flag.name
                );
            }
            let nobody = merge(&[], &[]).unwrap();
            match flag.default {
                Fallback::Is(text) => {
                    assert_eq!(seen(&nobody), expected(text, ValueSource::Default), "{}", flag.name)
                }
                Fallback::Found(_) | Fallback::Nothing => {
                    assert_eq!(seen(&nobody), None, "{}", flag.name)
                }
            }
            assert_eq!(nobody.source(flag), ValueSource::Default);
        }
    }

    #[test]
    fn the_file_is_found_by_flag_or_variable_and_the_flag_wins() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, port: u16| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("http-port = {port}")).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (one, two) = (write("one.toml", 1), write("two.toml", 2));
        let number = |values: SettingValues| values.number(&table::HTTP_PORT);
        assert_eq!(number(merge(&[], &[("OPTIMUSDB_CONFIG", &one)]).unwrap()), 1);
        assert_eq!(number(merge(&[("config", &two)], &[("OPTIMUSDB_CONFIG", &one)]).unwrap()), 2);
        let home = folder.path().to_str().unwrap();
        assert_eq!(number(merge(&[("config", "~/two.toml")], &[("HOME", home)]).unwrap()), 2);
        assert!(merge(&[("config", "~/two.toml")], &[]).unwrap_err().contains("HOME"));
    }

    #[test]
    fn a_bad_variable_is_named_unless_a_flag_overrides_it() {
        let linked = ("OPTIMUSDB_API_PORT", "tcp://10.0.0.1:8089");
        let message = merge(&[], &[linked]).unwrap_err();
        assert!(message.contains("OPTIMUSDB_API_PORT wants a whole number"), "{message}");
        assert!(message.contains("enableServiceLinks"), "{message}");
        assert!(merge(&[("http-port", "1")], &[linked]).is_ok());
        assert!(merge(&[], &[("OPTIMUSDB_HTTP", "no")]).unwrap_err().contains("true or false"));
    }
}
