//! Nothing that only tests use, and no limit that nothing enforces.
//!
//! The compiler finds what nobody names inside a crate. What is `pub` it takes for used, though only
//! tests may name it. This looks for the name in the code of all rooms, and for that of a method only
//! where it is called: behind a dot or `::`. A name that is also said of something else passes, so
//! what is found is right, and not all there is.

use std::collections::BTreeSet;

use super::Finding;
use super::paths::{Token, code_of, tokens};
use super::tree::{File, Tree};

/// What declares a name that others may use.
const DECLARES: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];

/// Every public item is named by code that is no test.
pub(super) fn only_tests_use(tree: &Tree) -> Vec<Finding> {
    let sources: Vec<(&File, String)> = tree
        .rust()
        .filter(|file| !file.is_test() && file.path.contains('/'))
        .filter(|file| file.path.contains("/src/") || file.path.starts_with("fuzz/"))
        .map(|file| (file, code_of(&file.text)))
        .collect();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    let mut called: BTreeSet<&str> = BTreeSet::new();
    let mut declared: Vec<(&File, Token<'_>, bool)> = Vec::new();
    for (file, code) in &sources {
        let tokens = tokens(code);
        let mut in_use = false;
        for (at, token) in tokens.iter().enumerate() {
            let before = |n: usize| at.checked_sub(n).map(|at| tokens[at].text);
            match token.text {
                "use" => in_use = true,
                ";" => in_use = false,
                _ => {}
            }
            if in_use {
                continue;
            }
            if before(1).is_some_and(|text| DECLARES.contains(&text)) {
                if is_public(&tokens[..at - 1]) && file.path.starts_with("crates/") {
                    let method = before(1) == Some("fn") && is_method(&tokens[at..]);
                    declared.push((file, *token, method));
                }
            } else {
                named.insert(token.text);
                if before(1).is_some_and(|text| [".", "::"].contains(&text)) {
                    called.insert(token.text);
                }
            }
        }
    }
    let found = declared.into_iter().filter(|(_, token, method)| {
        let uses = if *method { &called } else { &named };
        !uses.contains(token.text) && token.text != "main"
    });
    found
        .map(|(file, token, _)| {
            let message = format!("`{}` is used by tests alone, if at all", token.text);
            Finding::new(&file.path, token.line, message)
        })
        .collect()
}

/// Whether the function whose name `tokens` begin with has a `self`, which comes before all else.
fn is_method(tokens: &[Token<'_>]) -> bool {
    let parameters = tokens.iter().skip_while(|token| token.text != "(").skip(1);
    let mut first = parameters.take_while(|token| ![",", ":", ")"].contains(&token.text));
    first.any(|token| token.text == "self")
}

/// Whether a declaration that follows `before` is visible outside of its file.
fn is_public(before: &[Token<'_>]) -> bool {
    let mut rest = before;
    while let [head @ .., last] = rest {
        match last.text {
            "async" | "const" | "unsafe" => rest = head,
            "pub" => return true,
            ")" => {
                let open = head.iter().rposition(|token| token.text == "(");
                return open.is_some_and(|at| at > 0 && head[at - 1].text == "pub");
            }
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_name_is_found() {
        let tree = Tree::of(&[
            (
                "crates/x/src/lib.rs",
                "pub use a::unused;\npub fn used() {}\npub(crate) const fn unused() {}\n\
                 pub const LIMIT_MAX: u32 = 1;\nfn private() {}\n\
                 impl A { pub fn cells<'a>(&'a mut self) { self.rows() }\npub fn rows(self) {} }\n\
                 fn other(cells: u32) { cells }\npub struct Row<T>(T);\n\
                 type Rows = Row<u32>; impl B { fn f(self) {} }\n\
                 #[cfg(test)]\nmod tests { fn f() { unused(LIMIT_MAX) } }\n",
            ),
            ("crates/x/tests/a.rs", "fn f() { unused() }\n"),
            ("crates/y/src/main.rs", "pub fn main() { used() }\n"),
        ]);
        let found: Vec<(String, usize)> =
            only_tests_use(&tree).into_iter().map(|f| (f.message, f.line)).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].0.starts_with("`unused`") && found[0].1 == 3, "{found:?}");
        assert!(found[1].0.starts_with("`LIMIT_MAX`"), "{found:?}");
        assert!(found[2].0.starts_with("`cells`") && found[2].1 == 6, "{found:?}");
    }
}
