//! Rules about what the project says of itself: no path of somebody's machine, no conversation, no
//! dead link, a changelog with a place for the next change.

use std::collections::BTreeSet;

use super::Finding;
use super::code::without_tests;
use super::tree::{File, Tree};

/// Directories that exist on one machine and not on the reader's.
const MACHINE: &[&str] = &[concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Homes: made up in a test, somebody's everywhere else.
const HOMES: &[&str] = &[concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Scratch space: fine as the data of a test, wrong in a text that somebody follows.
const SCRATCH: &str = concat!("/t", "mp/");

/// Phrases that answer somebody instead of telling the reader about the project.
const CONVERSATION: &[&str] = &[
    concat!("as req", "uested"),
    concat!("as disc", "ussed"),
    concat!("you as", "ked"),
    concat!("per y", "our"),
    concat!("let me k", "now"),
    concat!("this sess", "ion"),
    concat!("as an ", "ai"),
    concat!("language mo", "del"),
];

/// No text names a directory of one machine.
pub(super) fn absolute_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let followed = file.has_extension("md") || file.path.starts_with(".ci/");
        let code_lines = match file.is_test() {
            true => 0,
            false => without_tests(&file.text).lines().count(),
        };
        for (number, line) in file.lines() {
            let homes = if number <= code_lines { HOMES } else { &[] };
            let scratch = followed.then_some(&SCRATCH);
            let mut forbidden = MACHINE.iter().chain(homes).chain(scratch);
            findings.extend(forbidden.find(|path| begins_path(line, path)).map(|path| {
                Finding::new(&file.path, number, format!("`{path}` is a path of one machine"))
            }));
        }
    }
    findings
}

/// No text answers a conversation.
pub(super) fn conversation(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        for (number, line) in file.lines() {
            let lower = line.to_lowercase();
            let phrase = CONVERSATION.iter().find(|phrase| is_phrase_in(&lower, phrase));
            findings.extend(phrase.map(|phrase| {
                let message = format!("`{phrase}` answers somebody; tell the reader instead");
                Finding::new(&file.path, number, message)
            }));
        }
    }
    findings
}

/// Every relative link of a Markdown text leads to a file, and its fragment to a heading.
pub(super) fn relative_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.markdown() {
        for (number, link) in links(file) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
            let path = match target {
                "" => Some(file.path.clone()),
                _ => resolve(&file.path, target),
            };
            let Some(path) = path.filter(|path| tree.exists(path)) else {
                findings.push(Finding::new(&file.path, number, format!("dead link `{link}`")));
                continue;
            };
            let text = tree.get(&path).filter(|file| file.has_extension("md"));
            if !fragment.is_empty() && text.is_some_and(|text| !anchors(text).contains(fragment)) {
                let message = format!("no heading for `#{fragment}` in {path}");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// The changelog has a section for what is not released yet.
pub(super) fn changelog(tree: &Tree) -> Vec<Finding> {
    const PATH: &str = "CHANGELOG.md";
    const HEADING: &str = "## [Unreleased]";
    match tree.get(PATH) {
        Some(file) if file.text.lines().any(|line| line == HEADING) => Vec::new(),
        _ => vec![Finding::new(PATH, 1, format!("no `{HEADING}` section"))],
    }
}

/// Whether `path` begins a path in `line`, as opposed to standing inside an address.
fn begins_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "/._-}>…~*".contains(c))
    })
}

fn is_phrase_in(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// The lines of a Markdown text outside its fenced blocks.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of the inline links, with their lines.
fn links(file: &File) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(file) {
        for (at, mark) in line.match_indices("](") {
            // An even count of backticks before it: not inside code.
            if line[..at].matches('`').count() % 2 == 0 {
                let after = &line[at + mark.len()..];
                links.extend(after.split([')', ' ']).next().map(|link| (number, link)));
            }
        }
    }
    links
}

/// `target`, seen from the file `from`, as a path from the root; `None` when it leaves the root.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The fragments that the headings of a text answer to, formed as code hosts do: lower case, words
/// joined by dashes, other punctuation dropped.
fn anchors(file: &File) -> BTreeSet<String> {
    prose(file)
        .filter_map(|(_, line)| line.strip_prefix('#'))
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            heading.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_machine_are_found_and_addresses_are_not() {
        let text = format!(
            "see `{}me/x`\nat https://host{}x\nin {SCRATCH}x\n#[cfg(test)]\nmod tests {{\n{}u\n{}x\n}}",
            HOMES[0], MACHINE[1], HOMES[1], MACHINE[0],
        );
        let found = |path: &str| -> Vec<usize> {
            absolute_paths(&Tree::of(&[(path, &text)])).iter().map(|f| f.line).collect()
        };
        assert_eq!(found("docs/a.md"), [1, 3, 7]);
        assert_eq!(found("src/a.rs"), [1, 7]);
        assert_eq!(found("tests/a.rs"), [7]);
    }

    #[test]
    fn a_conversation_is_found_as_whole_words() {
        let text = format!("It is done {}.\nIt was {}ed.\n", CONVERSATION[0], CONVERSATION[3]);
        let findings = conversation(&Tree::of(&[("a.md", &text)]));
        assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn dead_links_and_fragments_are_found() {
        let guide = "# The guide\n[up](../README.md) [self](#the-guide) [out](https://host/x)\n\
                     [gone](gone.md) `[code](gone.md)`\n[part](../README.md#nowhere)\n\
                     ```\n[fenced](gone.md)\n```\n[above](../../x.md)\n";
        let tree = Tree::of(&[("docs/guide.md", guide), ("README.md", "# Start\n[d](docs/)\n")]);
        let lines: Vec<usize> = relative_links(&tree).iter().map(|f| f.line).collect();
        assert_eq!(lines, [3, 4, 8]);
    }

    #[test]
    fn headings_become_anchors() {
        let tree = Tree::of(&[("a.md", "## `-http`: the port, *again*\n")]);
        let anchors = anchors(&tree.files[0]);
        assert!(anchors.contains("-http-the-port-again"), "{anchors:?}");
    }

    #[test]
    fn a_changelog_without_its_next_section_is_found() {
        assert_eq!(changelog(&Tree::of(&[])).len(), 1);
        assert_eq!(changelog(&Tree::of(&[("CHANGELOG.md", "# Changelog\n## [0.1.0]\n")])).len(), 1);
        assert!(changelog(&Tree::of(&[("CHANGELOG.md", "## [Unreleased]\n")])).is_empty());
    }
}
