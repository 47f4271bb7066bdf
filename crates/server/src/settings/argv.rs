//! Reads a command line the way Go's `flag` package does.
//!
//! `-name=value`, `-name value`, the same with two hyphens; for switches `-name` and `-name=false`.
//! The last of several wins. Flags end at the first argument that is none, and since a node takes no
//! such arguments, that is an error; a command takes them, also between flags. No environment and
//! no IO here.

use std::collections::BTreeMap;

use super::definition::{Flag, Value, ValueKind};
use super::{UsageError, table};
use crate::suggest;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommandLine {
    /// `-h`, `-help`.
    Help,
    /// `-version`.
    Version,
    /// Run a node with these values, by name of flag.
    Run(BTreeMap<&'static str, Value>),
}

/// Reads the arguments after the program's name.
///
/// # Errors
///
/// Unknown flag, missing or bad value, an argument that is no flag.
pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<CommandLine, UsageError> {
    read_with(arguments, &mut |stray, last_switch| Err(stray_argument(&stray, last_switch)))
}

/// The same behind the name of a command, with the arguments that are no flags.
///
/// # Errors
///
/// Those of [`read`], but for such arguments.
pub(crate) fn read_command(
    arguments: impl IntoIterator<Item = String>,
) -> Result<(CommandLine, Vec<String>), UsageError> {
    let mut others = Vec::new();
    let line = read_with(arguments, &mut |other, _| {
        others.push(other);
        Ok(())
    })?;
    Ok((line, others))
}

fn read_with(
    arguments: impl IntoIterator<Item = String>,
    other: &mut dyn FnMut(String, Option<&'static str>) -> Result<(), UsageError>,
) -> Result<CommandLine, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut values = BTreeMap::new();
    let mut last_switch = None;
    while let Some(argument) = arguments.next() {
        let Some((name, attached)) = split(&argument)? else {
            if argument != "--" {
                other(argument, last_switch)?;
                continue;
            }
            for argument in arguments.by_ref() {
                other(argument, last_switch)?;
            }
            break;
        };
        if let Some(asked) = question(name) {
            return match attached {
                None => Ok(asked),
                Some(_) => Err(UsageError::new(format!("-{name} takes no value"))),
            };
        }
        let flag = find(name)?;
        let text = match (attached, flag.kind) {
            (Some(text), _) => text.to_owned(),
            (None, ValueKind::Switch) => "true".to_owned(),
            (None, _) => arguments.next().ok_or_else(|| {
                UsageError::new(format!(
                    "-{name} needs a value: -{name}={}",
                    flag.kind.placeholder()
                ))
            })?,
        };
        let value = flag
            .kind
            .read(&text)
            .map_err(|wanted| UsageError::bad_value(&format!("-{name}"), &wanted, &text))?;
        values.insert(flag.name, value);
        last_switch = (attached.is_none() && flag.kind == ValueKind::Switch).then_some(flag.name);
    }
    Ok(CommandLine::Run(values))
}

/// The name and the attached value of a flag; `None` for what is no flag, and for `--`.
fn split(argument: &str) -> Result<Option<(&str, Option<&str>)>, UsageError> {
    let Some(rest) = argument.strip_prefix('-') else { return Ok(None) };
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    if rest.is_empty() {
        return Ok(None);
    }
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    if name.is_empty() || name.starts_with('-') {
        return Err(UsageError::new(format!("{argument:?} is not a flag")));
    }
    Ok(Some((name, value)))
}

fn question(name: &str) -> Option<CommandLine> {
    match name {
        "h" | "help" => Some(CommandLine::Help),
        "version" => Some(CommandLine::Version),
        _ => None,
    }
}

fn find(name: &str) -> Result<&'static Flag, UsageError> {
    let known = || table::ALL.iter().copied().filter(|flag| flag.on_command_line);
    if let Some(flag) = known().find(|flag| flag.name == name) {
        return Ok(flag);
    }
    if let Some(flag) = table::ALL.iter().find(|flag| flag.name == name) {
        let variable = flag.variable;
        return Err(UsageError::new(format!("-{name} is no flag: set the variable {variable}")));
    }
    let names = known().map(|flag| flag.name).chain(["help", "version"]);
    let hint = suggest::nearest(name, names)
        .map(|near| format!(", did you mean -{near}?"))
        .unwrap_or_default();
    Err(UsageError::new(format!("unknown flag {:?}{hint}", format!("-{name}"))))
}

/// `-http false` is the usual slip: a switch does not take the next argument.
fn stray_argument(argument: &str, last_switch: Option<&str>) -> UsageError {
    match last_switch.filter(|_| ValueKind::Switch.read(argument).is_ok()) {
        Some(name) => {
            UsageError::new(format!("unexpected argument {argument:?}: write -{name}={argument}"))
        }
        None => UsageError::new(format!(
            "unexpected argument {argument:?}: everything is set with flags"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<CommandLine, String> {
        read(arguments.iter().map(|&argument| argument.to_owned()))
            .map_err(|error| error.to_string())
    }

    fn values(arguments: &[&str]) -> BTreeMap<&'static str, Value> {
        match run(arguments) {
            Ok(CommandLine::Run(values)) => values,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    fn refusal(arguments: &[&str]) -> String {
        run(arguments).expect_err("refused")
    }

    #[test]
    fn every_form_of_a_value() {
        for form in [
            &["-repo=a"][..],
            &["--repo=a"],
            &["-repo", "a"],
            &["--repo", "a"],
            &["-repo", "b", "-repo=a"],
        ] {
            assert_eq!(values(form)["repo"], Value::Text("a".into()), "{form:?}");
        }
        assert_eq!(values(&["-bootstrap=a=b"])["bootstrap"], Value::Text("a=b".into()));
        assert_eq!(values(&["-region="])["region"], Value::Text(String::new()));
        // As in Go, a flag that wants a value takes whatever follows.
        assert_eq!(values(&["-repo", "-http"])["repo"], Value::Text("-http".into()));
    }

    #[test]
    fn every_form_of_a_switch() {
        for form in [
            "-mdns",
            "--mdns",
            "-mdns=1",
            "-mdns=t",
            "-mdns=T",
            "-mdns=TRUE",
            "-mdns=true",
            "--mdns=True",
        ] {
            assert_eq!(values(&[form])["mdns"], Value::Switch(true), "{form}");
        }
        for form in ["-mdns=0", "-mdns=f", "-mdns=F", "-mdns=FALSE", "-mdns=false", "--mdns=False"]
        {
            assert_eq!(values(&[form])["mdns"], Value::Switch(false), "{form}");
        }
        for form in ["-mdns=yes", "-mdns=", "-mdns=tRUE", "-mdns=2"] {
            assert!(refusal(&[form]).contains("-mdns wants true or false"), "{form}");
        }
    }

    #[test]
    fn the_last_of_several_wins() {
        assert_eq!(values(&["-http=false", "-http"])["http"], Value::Switch(true));
        assert_eq!(values(&["-http-port=1", "-http-port", "2"])["http-port"], Value::Number(2));
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(values(&["-http-port=65535"])["http-port"], Value::Number(65_535));
        for text in ["65536", "-1", "", "80 ", "0x50", "eighty", "99999999999999999999999"] {
            let message = refusal(&["-http-port", text]);
            assert!(
                message.contains("-http-port wants a whole number from 0 to 65535"),
                "{message}"
            );
        }
    }

    #[test]
    fn questions_stop_the_reading() {
        for form in ["-h", "--h", "-help", "--help"] {
            assert_eq!(run(&[form]), Ok(CommandLine::Help));
        }
        assert_eq!(run(&["-http", "-version", "-bogus"]), Ok(CommandLine::Version));
        assert!(refusal(&["-help=x"]).contains("takes no value"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (arguments, expected) in [
            (&["-prot"][..], "unknown flag \"-prot\""),
            (&["-http-prot=1"], "did you mean -http-port?"),
            (&["-repo"], "-repo needs a value: -repo=PATH"),
            (&["-http", "false"], "write -http=false"),
            (&["serve"], "unexpected argument \"serve\""),
            (&["--", "x"], "unexpected argument \"x\""),
            (&["-"], "unexpected argument \"-\""),
            (&["---http"], "\"---http\" is not a flag"),
            (&["-=x"], "\"-=x\" is not a flag"),
            (&["-agent-name=x"], "set the variable AGENT_NAME"),
            (&["-HTTP"], "unknown flag \"-HTTP\", did you mean -http?"),
        ] {
            let message = refusal(arguments);
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }

    #[test]
    fn commands_take_arguments_between_flags() {
        let line = ["a", "-http-port=1", "b", "--", "-c", "--"].map(str::to_owned);
        let (line, others) = read_command(line).unwrap();
        let CommandLine::Run(values) = line else { panic!("{line:?}") };
        assert_eq!(values["http-port"], Value::Number(1));
        assert_eq!(others, ["a", "b", "-c", "--"]);
        assert!(read_command(["-prot".to_owned()]).is_err());
    }

    #[test]
    fn an_end_of_flags_alone_is_fine() {
        assert_eq!(values(&["-http=false", "--"])["http"], Value::Switch(false));
    }
}
