//! Rust text reduced to its code: what a rule about names may look at.
//!
//! Comments and literals are blanked, line by line, so that a comment may say "no tokio here"
//! without breaking the rule it states. This is a scanner, not a parser: it knows where comments,
//! strings and characters begin and end, and nothing else.

/// `text` with the inside of comments, strings and character literals turned into spaces.
///
/// Line breaks stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let skipped = skipped_bytes(rest, previous);
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            let (literal, after) = rest.split_at(skipped);
            code.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
        previous = next;
    }
    code
}

/// `text` up to its unit tests, which stand last in a file by the project's custom. Tests in a file
/// of their own are named anywhere and cut nothing off.
pub(crate) fn without_tests(text: &str) -> &str {
    const START: &str = "#[cfg(test)]\nmod ";
    let has_body = |at: usize| {
        let declared = text[at + START.len()..].lines().next();
        declared.is_some_and(|line| line.contains('{'))
    };
    let end = text
        .match_indices(START)
        .map(|(at, _)| at)
        .find(|at| (*at == 0 || text.as_bytes()[at - 1] == b'\n') && has_body(*at));
    &text[..end.unwrap_or(text.len())]
}

/// Whether `code` names `path`: the whole word, written out or inside a braced `use`.
///
/// `std::fs` is found in `std::fs::read`, in `use std::fs;` and in `use std::{fs, io}`.
pub(crate) fn names(code: &str, path: &str) -> bool {
    if word_positions(code, path).next().is_some() {
        return true;
    }
    let Some((parent, name)) = path.rsplit_once("::") else {
        return false;
    };
    word_positions(code, parent).any(|at| {
        let after = code[at + parent.len()..].trim_start();
        after
            .strip_prefix("::")
            .map(str::trim_start)
            .and_then(|group| group.strip_prefix('{'))
            .is_some_and(|group| group_names(group).any(|word| word == name))
    })
}

/// Where `word` stands in `code` as a whole word.
fn word_positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The first words of the members of a braced `use`; `group` begins after its opening brace.
fn group_names(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let mut closed = false;
    group
        .split(move |c| {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => closed = true,
                '}' => depth -= 1,
                _ => {}
            }
            closed || (c == ',' && depth == 0)
        })
        .take_while(|member| !member.contains(';'))
        .map(|member| member.trim().split("::").next().unwrap_or("").trim())
}

/// The length in bytes of the comment or literal at the start of `rest`; 0 where there is none.
fn skipped_bytes(rest: &str, previous: char) -> usize {
    let bytes = rest.as_bytes();
    let inside_word = previous.is_alphanumeric() || previous == '_';
    match bytes[0] {
        b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => block_comment(rest),
        b'"' => string(rest),
        b'r' if !inside_word => raw_string(rest, 1),
        b'b' if !inside_word && rest.starts_with("br") => raw_string(rest, 2),
        b'\'' => character(rest),
        _ => 0,
    }
}

/// Block comments nest in Rust.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (2, 1_u32);
    while at < bytes.len() && depth > 0 {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

fn string(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &str, prefix_bytes: usize) -> usize {
    let hashes = rest[prefix_bytes..].bytes().take_while(|byte| *byte == b'#').count();
    let open = prefix_bytes + hashes;
    if rest.as_bytes().get(open) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open + 1..].find(&close).map_or(rest.len(), |at| open + 1 + at + close.len())
}

/// A character literal, not a lifetime: `'x'` or an escape.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3.min(rest.len())..].find('\'').map_or(0, |at| at + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let text = "a // tokio\nb /* tokio /* tokio */ */ c \"tokio \\\" tokio\" d r#\"tokio\"# 'x' '\\'' <'a> e";
        let code = code_only(text);
        assert!(!code.contains("tokio"), "{code}");
        assert_eq!(code.lines().count(), 2);
        for word in ["a ", "b ", " c ", " d ", "<'a>", " e"] {
            assert!(code.contains(word), "{word:?} in {code}");
        }
    }

    #[test]
    fn text_with_characters_of_several_bytes_is_cut_between_them() {
        assert_eq!(code_only("x = '…'; \"é\" y"), "x =    ;     y");
    }

    #[test]
    fn names_are_whole_words_or_members_of_a_use() {
        for code in [
            "use std::fs;",
            "std::fs::read()",
            "use std::{fs, io};",
            "use std::{io::{self, Read}, fs};",
        ] {
            assert!(names(code, "std::fs"), "{code}");
        }
        for code in [
            "use std::fsx;",
            "mystd::fs",
            "use std::{io::{fs}, fmt};",
            "use std::{io}; let fs = 1;",
        ] {
            assert!(!names(code, "std::fs"), "{code}");
        }
        assert!(names("use tokio::sync;", "tokio"));
        assert!(!names("use not_tokio::sync;", "tokio"));
    }

    #[test]
    fn the_unit_tests_are_cut_off() {
        assert_eq!(without_tests("code\n#[cfg(test)]\nmod tests {}\n"), "code\n");
        assert_eq!(
            without_tests("#[cfg(test)]\nfn only_in_tests() {}\n"),
            "#[cfg(test)]\nfn only_in_tests() {}\n"
        );
        let elsewhere = "#[cfg(test)]\nmod tests;\ncode\n";
        assert_eq!(without_tests(&format!("{elsewhere}#[cfg(test)]\nmod more {{}}\n")), elsewhere);
    }
}
