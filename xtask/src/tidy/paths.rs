//! What a source file names of its own crate: modules, what it imports, and what it refers to.
//!
//! A scanner over words and signs, like [`super::code`]: enough to follow `crate::`, `super::`,
//! `self::` and `use`, in code and in macros. It knows nothing of scopes, so a path counts for the
//! whole file.

use super::code::{code_only, without_tests};

/// A path of a crate, from its root: `["writer", "Batch"]` for `crate::writer::Batch`.
pub(super) type Path = Vec<String>;

/// What one file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Paths of the own crate, with the line in which each begins.
    pub(super) refers: Vec<(Path, usize)>,
    /// What `use` brings in: the name, and what it stands for.
    pub(super) imports: Vec<(String, Path)>,
}

/// One word or sign of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

/// The words, and the signs one by one but for `::`; comments, literals and unit tests left out.
/// `code` is what [`code_of`] made.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, after) = rest.split_at(length);
            if !first.is_whitespace() {
                found.push(Token { text, line: index + 1 });
            }
            rest = after;
        }
    }
    found
}

/// The code of a source file: no comments, no literals, no unit tests.
pub(super) fn code_of(text: &str) -> String {
    code_only(without_tests(text))
}

/// What `tokens`, those of the module at `here`, say.
pub(super) fn said(tokens: &[Token<'_>], here: &[String]) -> Said {
    let mut said = Said::default();
    let mut at = 0;
    while at < tokens.len() {
        let Token { text, line } = tokens[at];
        let follows = |n: usize| tokens.get(at + n).map(|token| token.text);
        if text == "use" {
            let mut leaves = Vec::new();
            at = tree(tokens, at + 1, &[], &mut leaves);
            for (path, name) in leaves {
                let Some(path) = from_root(&path, here) else { continue };
                said.refers.push((path.clone(), line));
                said.imports.push((name, path));
            }
        } else if matches!(text, "crate" | "super" | "self")
            && follows(1) == Some("::")
            && (at == 0 || tokens[at - 1].text != "::")
            && !is_visibility(tokens, at)
        {
            let mut path = vec![text.to_owned()];
            while tokens.get(at + 1).is_some_and(|token| token.text == "::")
                && tokens.get(at + 2).is_some_and(|token| starts_name(token.text))
            {
                path.push(tokens[at + 2].text.to_owned());
                at += 2;
            }
            said.refers.extend(from_root(&path, here).map(|path| (path, line)));
            at += 1;
        } else {
            at += 1;
        }
    }
    said
}

/// Reads a tree of `use` from `at`; answers where it ends. A leaf is its path and its name here.
fn tree(
    tokens: &[Token<'_>],
    mut at: usize,
    before: &[String],
    leaves: &mut Vec<(Path, String)>,
) -> usize {
    let mut path = before.to_vec();
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !matches!(token.text, "}" | ";")) {
                    at = tree(tokens, at, &path, leaves);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            "as" => {
                name = tokens.get(at + 1).map(|token| token.text.to_owned());
                at += 2;
            }
            text if starts_name(text) || text == "*" => {
                // `self` in braces is the path before them.
                if text != "self" || path.is_empty() {
                    path.push(text.to_owned());
                }
                at += 1;
            }
            _ => break,
        }
    }
    if let Some(last) = path.last() {
        let name = name.unwrap_or_else(|| last.clone());
        leaves.push((path, name));
    }
    at
}

/// `path` from the root of the crate. `None` for other crates; a path that begins with a name is
/// taken for one of a module below, as in `use batch::Batch`.
fn from_root(path: &[String], here: &[String]) -> Option<Path> {
    let mut base = here.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        _ => {}
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// `pub(super)`, `pub(in super::…)`: who may see something, and no reference to anything.
fn is_visibility(tokens: &[Token<'_>], at: usize) -> bool {
    at >= 1 && matches!(tokens[at - 1].text, "in") && at >= 2 && tokens[at - 2].text == "("
}

fn starts_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_in(here: &[&str], text: &str) -> (Vec<String>, Vec<String>) {
        let here: Path = here.iter().map(|part| (*part).to_owned()).collect();
        let code = code_of(text);
        let said = said(&tokens(&code), &here);
        let refers = said.refers.iter().map(|(path, line)| format!("{line} {}", path.join("::")));
        let imports = said.imports.iter().map(|(name, path)| format!("{name}={}", path.join("::")));
        (refers.collect(), imports.collect())
    }

    #[test]
    fn uses_and_paths_are_followed() {
        let (refers, imports) = said_in(
            &["a", "b"],
            "use crate::{x::{self, Y as Z}, w};\nuse super::c::D;\n\
             fn f(v: &crate::m::T) { super::super::q(); self::k!(); log!(crate::n::V) }\n",
        );
        let expected =
            ["1 x", "1 x::Y", "1 w", "2 a::c::D", "3 m::T", "3 q", "3 a::b::k", "3 n::V"];
        assert_eq!(refers, expected);
        assert_eq!(imports, ["x=x", "Z=x::Y", "w=w", "D=a::c::D"]);
    }

    #[test]
    fn comments_tests_and_visibilities_are_none() {
        let (refers, _) = said_in(
            &["a"],
            "// crate::x\npub(crate) fn f() {}\npub(in super::y) fn g() {}\n\
             #[cfg(test)]\nmod tests { use crate::z::Z; }\n",
        );
        assert_eq!(refers, Vec::<String>::new());
    }
}
