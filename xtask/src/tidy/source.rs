//! Rules about the shape of the sources: length, module docs, white space, names, to-do marks.

use super::Finding;
use super::code::{code_only, without_tests};
use super::tree::{File, Tree};

/// A file longer than this, its tests aside, is more than one thing.
const FILE_LINES_MAX: usize = 400;

/// A name made of these says that nobody decided what belongs inside. Matched against each
/// `_`-separated part of a name.
const DRAWER_PARTS: &[&str] =
    &["manager", "managers", "helper", "helpers", "util", "utils", "misc"];

/// Drawers only when they are the whole name: `data` says nothing, `data_dir` does.
const DRAWER_NAMES: &[&str] = &["common", "types", "service", "services", "data"];

/// Fewest words that explain a to-do mark.
const MARK_WORDS_MIN: usize = 4;

/// No source file passes the limit of length.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let too_long = |file: &File| {
        let lines = without_tests(&file.text).lines().count();
        (lines > FILE_LINES_MAX).then(|| {
            let message = format!("{lines} lines without its tests; the limit is {FILE_LINES_MAX}");
            Finding::new(&file.path, 1, message)
        })
    };
    tree.rust().filter(|file| !file.is_test()).filter_map(too_long).collect()
}

/// Every source file begins with what it is.
pub(super) fn module_doc(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| Finding::new(&file.path, 1, "the first line is not a module doc (`//!`)"))
        .collect()
}

/// Rust is indented with spaces.
pub(super) fn tabs(tree: &Tree) -> Vec<Finding> {
    on_lines(tree.rust(), |line| line.contains('\t').then(|| "a tab".to_owned()))
}

/// Nothing that is written by hand has white space at the end of a line, or lacks the last line
/// break.
pub(super) fn trailing_whitespace(tree: &Tree) -> Vec<Finding> {
    let mut findings = on_lines(written(tree), |line| {
        line.ends_with(char::is_whitespace).then(|| "white space at the end of the line".to_owned())
    });
    findings.extend(
        written(tree)
            .filter(|file| !file.text.is_empty())
            .filter(|file| !file.text.ends_with('\n') || file.text.ends_with("\n\n"))
            .map(|file| {
                let last = file.text.lines().count();
                Finding::new(&file.path, last, "the file does not end with one line break")
            }),
    );
    findings
}

/// No file, directory or module is named as a drawer.
pub(super) fn drawer_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let message = |name: &str| format!("`{name}` names a drawer; name what is inside");
        // The parts below a `src`, `tests` or `examples`: what this project named itself.
        let named = file.path.strip_suffix(".rs").unwrap_or(&file.path).split('/');
        if let Some(name) = named.clone().find(|name| is_drawer(name)) {
            findings.push(Finding::new(&file.path, 1, message(name)));
        }
        for (number, line) in code_only(&file.text).lines().enumerate() {
            if let Some(name) = declared_module(line).filter(|name| is_drawer(name)) {
                findings.push(Finding::new(&file.path, number + 1, message(name)));
            }
        }
    }
    findings
}

/// A to-do mark says what is missing and why.
pub(super) fn unexplained_todo(tree: &Tree) -> Vec<Finding> {
    const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
    on_lines(written(tree), |line| {
        let mark = MARKS.into_iter().find(|mark| line.contains(mark))?;
        let (_, after) = line.split_once(mark)?;
        let is_word = |word: &&str| word.chars().any(char::is_alphanumeric);
        let words = after.split_whitespace().filter(is_word).count();
        (words < MARK_WORDS_MIN).then(|| format!("a {mark} without an explanation on its line"))
    })
}

/// The texts that people of the project write, as opposed to recorded test data.
fn written(tree: &Tree) -> impl Iterator<Item = &File> {
    const EXTENSIONS: &[&str] = &["rs", "toml", "md", "sh", "sql", "mjs"];
    tree.files.iter().filter(|file| {
        file.path.starts_with(".ci/")
            || EXTENSIONS.iter().any(|extension| file.has_extension(extension))
    })
}

fn on_lines<'a>(
    files: impl Iterator<Item = &'a File>,
    mut check: impl FnMut(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            if let Some(message) = check(line) {
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

fn is_drawer(name: &str) -> bool {
    DRAWER_NAMES.contains(&name) || name.split('_').any(|part| DRAWER_PARTS.contains(&part))
}

/// The name in `mod name;` or `pub(crate) mod name {`.
fn declared_module(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("mod ")?;
    let before = before.trim();
    (before.is_empty() || before.starts_with("pub")).then_some(())?;
    after.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(findings: &[Finding]) -> Vec<usize> {
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn length_counts_the_code_and_not_the_tests() {
        let long = "x\n".repeat(FILE_LINES_MAX + 1);
        let tests = format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let tree = Tree::of(&[
            ("crates/a/src/long.rs", &long),
            ("crates/a/src/short.rs", &tests),
            ("crates/a/tests/long.rs", &long),
        ]);
        let findings = length(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "crates/a/src/long.rs");
    }

    #[test]
    fn a_missing_module_doc_is_found() {
        let tree =
            Tree::of(&[("a.rs", "//! What it is.\n"), ("b.rs", "use std::fmt;\n//! Late.\n")]);
        let findings = module_doc(&tree);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "b.rs");
    }

    #[test]
    fn white_space_is_found_with_its_line() {
        let tree =
            Tree::of(&[("a.rs", "one\n\ttwo\nthree \n"), ("b.md", "four"), ("c.bin", "five ")]);
        assert_eq!(lines_of(&tabs(&tree)), [2]);
        assert_eq!(lines_of(&trailing_whitespace(&tree)), [3, 1]);
    }

    #[test]
    fn drawers_are_found_as_files_directories_and_modules() {
        let tree = Tree::of(&[
            ("crates/a/src/utils/mod.rs", ""),
            ("crates/a/src/store_manager.rs", ""),
            ("crates/a/src/data.rs", ""),
            ("crates/a/src/data_dir.rs", "pub(crate) mod types {\n// mod helpers;\n"),
        ]);
        let findings = drawer_names(&tree);
        assert_eq!(findings.len(), 4, "{findings:?}");
        assert!(findings[3].message.contains("`types`"));
    }

    #[test]
    fn a_todo_needs_words() {
        let (todo, fixme) = (concat!("TO", "DO"), concat!("FIX", "ME"));
        let text =
            format!("// {todo}\n// {fixme}: later\n// {todo}: drop once the index covers arrays\n");
        let tree = Tree::of(&[("a.rs", &text)]);
        assert_eq!(lines_of(&unexplained_todo(&tree)), [1, 2]);
    }
}
