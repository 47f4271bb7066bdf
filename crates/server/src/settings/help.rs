//! The text of `-help`, made from the table.

use std::fmt::Write;

use super::definition::{Fallback, Flag, ValueKind};
use super::table;

const HEAD: &str = "\
OptimusDB, a decentralised document database. Without a command it runs a node.

usage: optimusdb [flags]
       optimusdb COMMAND [arguments] [flags]

A flag is written -name=value, -name value or --name=value; a switch also -name or
-name=false. Flags win over variables, variables over the configuration file (see
-config), and the file over the defaults. An empty variable counts as unset.

";

const COLUMNS_MAX: usize = 84;
const INDENT: &str = "        ";

/// A command as the help shows it: how it is written, and what it does.
pub(crate) type CommandHelp = (String, &'static str);

/// The commands, and every flag with its default and its variable.
pub(crate) fn help(commands: impl Iterator<Item = CommandHelp>) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("Commands ask the node that runs with the same flags for its API:\n\n");
    for (written, doc) in commands {
        text.push_str(&format!("  {written}\n"));
        paragraph(&mut text, doc);
    }
    text.push_str("\nFlags:\n\n");
    for flag in table::ALL.iter().filter(|flag| flag.on_command_line) {
        entry(&mut text, &title(flag), flag);
    }
    text.push_str(
        "  -h, -help\n        print this\n  -version\n        print version and commit\n",
    );
    text.push_str("\nSettings without a flag (variable, and key in the configuration file):\n\n");
    for flag in table::ALL.iter().filter(|flag| !flag.on_command_line) {
        entry(&mut text, &format!("{}, {}", flag.variable, flag.name), flag);
    }
    text
}

fn title(flag: &Flag) -> String {
    format!("-{} {}", flag.name, flag.kind.placeholder()).trim_end().to_owned()
}

fn entry(text: &mut String, title: &str, flag: &Flag) {
    writeln!(text, "  {title}").expect("invariant: a String takes all");
    paragraph(text, flag.doc);
    if let Some(capability) = flag.later {
        paragraph(text, &format!("no effect yet: {capability} comes with a later version"));
    }
    let default = match flag.default {
        Fallback::Is(value) => format!("default {value}"),
        Fallback::Found(description) => format!("default {description}"),
        Fallback::Nothing => "no default".to_owned(),
    };
    let form = if flag.kind == ValueKind::Switch { "switch, " } else { "" };
    let variable =
        if flag.on_command_line { format!("; variable {}", flag.variable) } else { String::new() };
    paragraph(text, &format!("({form}{default}{variable})"));
}

/// Indented and broken at spaces.
fn paragraph(text: &mut String, words: &str) {
    let mut column = 0;
    for word in words.split(' ') {
        let width = word.chars().count();
        if column == 0 {
            text.push_str(INDENT);
            column = INDENT.len();
        } else if column + 1 + width > COLUMNS_MAX {
            text.push('\n');
            text.push_str(INDENT);
            column = INDENT.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_with_default_and_variable() {
        let help = help(std::iter::empty());
        for flag in table::ALL {
            let title = if flag.on_command_line {
                format!("  {}\n", title(flag))
            } else {
                format!("  {}, ", flag.variable)
            };
            let (_, rest) =
                help.split_once(&title).unwrap_or_else(|| panic!("{title:?} is missing"));
            let entry = rest
                .split("\n  -")
                .next()
                .unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            if let Fallback::Is(value) = flag.default {
                assert!(entry.contains(&format!("default {value}")), "{entry}");
            }
            assert!(entry.contains(flag.variable) || !flag.on_command_line, "{entry}");
        }
    }

    #[test]
    fn it_fits_a_terminal() {
        let command = ("access STORE".to_owned(), "shows who may write");
        for line in help([command].into_iter()).lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line:?}");
        }
    }
}
