//! One word, one thing: no two types of one name in a crate, and none that crates show each other.
//!
//! Names that every crate has, such as `Error`, are said of several things because the crate before
//! them says of which; they are listed.

use std::collections::BTreeMap;

use super::Finding;
use super::paths::{Token, code_of, tokens};
use super::tree::Tree;

/// Names of which every crate may have its own.
const IN_EVERY_CRATE: &[&str] = &["Error", "Kind"];

/// Where a type is declared.
struct Place<'a> {
    path: &'a str,
    line: usize,
    krate: &'a str,
    public: bool,
}

/// Every type has a name of its own.
pub(super) fn one_meaning(tree: &Tree) -> Vec<Finding> {
    let mut places: BTreeMap<String, Vec<Place<'_>>> = BTreeMap::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some((krate, _)) = file.path.split_once("/src/") else { continue };
        let code = code_of(&file.text);
        for (name, line, public) in declared(&tokens(&code)) {
            let place = Place { path: &file.path, line, krate, public };
            places.entry(name).or_default().push(place);
        }
    }
    let mut findings = Vec::new();
    for (name, places) in &places {
        for place in places {
            let another = places.iter().find(|other| {
                let shown = place.public && other.public && !IN_EVERY_CRATE.contains(&&**name);
                (place.path, place.line) != (other.path, other.line)
                    && (place.krate == other.krate || shown)
            });
            if let Some(Place { path, line, .. }) = another {
                let message = format!("`{name}` is the name of another type too: {path}:{line}");
                findings.push(Finding::new(place.path, place.line, message));
            }
        }
    }
    findings
}

/// The types that stand in a module itself, with whether they are `pub`. Those in an `impl` are not
/// among them.
fn declared(tokens: &[Token<'_>]) -> Vec<(String, usize, bool)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "type" if depth == 0 => {
                let public = at > 0 && tokens[at - 1].text == "pub";
                found.extend(tokens.get(at + 1).map(|t| (t.text.to_owned(), t.line, public)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_types_of_one_name_are_found() {
        let inside = "impl I for X { type Item = u8; }\n";
        let tree = Tree::of(&[
            ("crates/x/src/a.rs", &format!("struct Line; pub enum Error {{}}\n{inside}")),
            ("crates/x/src/b.rs", "pub trait Line {}\npub struct Shown;\n"),
            ("crates/y/src/c.rs", &format!("pub enum Error {{}}\npub struct Shown;\n{inside}")),
            ("crates/y/src/d.rs", "trait Line {}\nenum Error {}\n"),
        ]);
        let found: Vec<(String, usize)> =
            one_meaning(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let expected = [
            ("crates/y/src/c.rs".to_owned(), 1),
            ("crates/y/src/d.rs".to_owned(), 2),
            ("crates/x/src/a.rs".to_owned(), 1),
            ("crates/x/src/b.rs".to_owned(), 1),
            ("crates/x/src/b.rs".to_owned(), 2),
            ("crates/y/src/c.rs".to_owned(), 2),
        ];
        assert_eq!(found, expected);
    }
}
