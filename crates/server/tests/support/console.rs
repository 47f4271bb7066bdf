//! Runs the examples of a document, as a reader would who copies them.
//!
//! An `sh` block is copied as it stands; where a `json` or a `text` block comes next, that is what it
//! prints. A `console` block holds both: a command stands after `$ ` and goes on while a single quote is
//! open or a line ends in `\`; what follows up to the next command is its answer. Run are, there, `curl`,
//! and `echo` for making files; what else a reader is asked to type is left alone. Answers that are JSON
//! are compared as JSON, others line by line. `…` stands for what varies: within a text for any
//! characters, as a whole JSON value for any value, as the last element of an array for any further ones,
//! as a key for any others.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Time for what one node has from another, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command and the answer that the document promises.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Example {
    /// The line of the document where it starts, from 1.
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) answer: String,
}

/// The examples of a document in their order.
pub(crate) fn examples(markdown: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    // What could be copied from the block before, if nothing but this block's answer comes next.
    let mut copied: Option<Example> = None;
    let mut lines = markdown.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            copied = copied.filter(|_| line.trim().is_empty());
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| !line.trim_start().starts_with("```"))
            .collect();
        match (kind.trim(), copied.take()) {
            ("sh", _) => {
                copied = Some(Example {
                    line: at + 2,
                    command: block.join("\n"),
                    answer: String::new(),
                });
            }
            ("json" | "text", Some(example)) => {
                examples.push(Example { answer: block.join("\n"), ..example });
            }
            ("console", _) => examples.extend(dialogue(at + 2, &block)),
            _ => {}
        }
    }
    examples
}

/// The examples of a `console` block whose first line is the one of this number.
fn dialogue(first: usize, block: &[&str]) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut open = false;
    for (at, line) in block.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ").filter(|_| !open) {
            open = goes_on(command);
            examples.push(Example {
                line: first + at,
                command: command.to_owned(),
                answer: String::new(),
            });
        } else if let Some(example) = examples.last_mut() {
            let part = if open { &mut example.command } else { &mut example.answer };
            part.push('\n');
            part.push_str(line);
            open = open && goes_on(&example.command);
        }
    }
    examples.retain(|example| ["curl ", "echo "].iter().any(|it| example.command.starts_with(it)));
    examples
}

fn goes_on(command: &str) -> bool {
    command.matches('\'').count() % 2 == 1 || command.ends_with('\\')
}

/// Runs the examples of a document against nodes, each named with the address that the document
/// shows and the one that it has, in a directory that holds nothing but `docs`, and
/// reports every one that answers differently. Answers how many were run; without curl none can be.
pub(crate) fn run(document: &str, markdown: &str, addresses: &[(&str, &str)]) -> usize {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: the examples of {document} need curl, which is not installed");
        return 0;
    }
    let home = tempfile::tempdir().unwrap();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::os::unix::fs::symlink(docs, home.path().join("docs")).unwrap();
    let examples = examples(markdown);
    let mut failures = Vec::new();
    for example in &examples {
        let mut command = example.command.clone();
        for (shown, address) in addresses {
            command = command.replace(shown, address);
        }
        let started = Instant::now();
        let mut answer = sh(&command, home.path());
        // What one node has from another is there soon, not at once.
        while !fits(&example.answer, &answer)
            && !example.command.contains("localhost:8089")
            && started.elapsed() < PATIENCE
        {
            std::thread::sleep(Duration::from_millis(20));
            answer = sh(&command, home.path());
        }
        if !fits(&example.answer, &answer) {
            let Example { line, command, answer: expected } = example;
            failures.push(format!(
                "{document}:{line}: {command}\n  expected: {expected}\n  answered: {answer}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    examples.len()
}

fn sh(command: &str, home: &Path) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-ec", command])
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fits(expected: &str, answer: &str) -> bool {
    match (serde_json::from_str(expected), serde_json::from_str(answer)) {
        (Ok(expected), Ok(answer)) => value_fits(&expected, &answer),
        _ => {
            let lines = |text: &str| {
                text.trim().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
            };
            let (expected, answer) = (lines(expected), lines(answer));
            expected.len() == answer.len()
                && expected.iter().zip(&answer).all(|(a, b)| text_fits(a, b))
        }
    }
}

fn value_fits(expected: &Value, value: &Value) -> bool {
    match (expected, value) {
        (Value::String(any), _) if any == "…" => true,
        (Value::String(expected), Value::String(text)) => text_fits(expected, text),
        (Value::Array(expected), Value::Array(values)) => match expected.split_last() {
            Some((Value::String(rest), expected)) if rest == "…" => {
                expected.len() <= values.len()
                    && expected.iter().zip(values).all(|(a, b)| value_fits(a, b))
            }
            _ => {
                expected.len() == values.len()
                    && expected.iter().zip(values).all(|(a, b)| value_fits(a, b))
            }
        },
        (Value::Object(expected), Value::Object(values)) => {
            let others = expected.contains_key("…");
            let named = expected.iter().filter(|(key, _)| *key != "…");
            (others || expected.len() == values.len())
                && named
                    .into_iter()
                    .all(|(key, a)| values.get(key).is_some_and(|b| value_fits(a, b)))
        }
        _ => expected == value,
    }
}

/// Whether the parts between the `…` are there, in their order, the first and the last at the ends.
fn text_fits(expected: &str, text: &str) -> bool {
    let Some((first, rest)) = expected.split_once('…') else { return expected == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[test]
fn examples_are_taken_from_blocks_with_their_answers() {
    let markdown = "text\n```sh\n$ no\n```\n```console\n$ curl 'a\n  b'\n{\n}\n$ cargo\nx\n$ echo \\\n  more\n```\n\
                    ```sh\none\ntwo\n```\n\n```json\n{\n}\n```\n```json\nno\n```\n```sh\nno\n```\nmore\n```text\nno\n```\n";
    let example = |line, command: &str, answer: &str| Example {
        line,
        command: command.into(),
        answer: answer.into(),
    };
    assert_eq!(
        examples(markdown),
        [
            example(6, "curl 'a\n  b'", "\n{\n}"),
            example(12, "echo \\\n  more", ""),
            example(16, "one\ntwo", "{\n}")
        ]
    );
}

#[test]
fn answers_fit_but_for_what_varies() {
    for (expected, answer) in [
        (r#"{"a":"…","b":[1,"…"]}"#, r#"{"b":[1,2,3],"a":{"c":1}}"#),
        (r#"{"a":"zd…/x…z","…":"…"}"#, r#"{"a":"zd1/xyz","b":1}"#),
        ("up … s\nsame", "up 3 s\nsame\n"),
        ("[]", "[]"),
    ] {
        assert!(fits(expected, answer), "{expected} {answer}");
    }
    for (expected, answer) in [
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":"x…"}"#, r#"{"a":"yx"}"#),
        (r#"[1]"#, r#"[1,2]"#),
        (r#"{"a":"…"}"#, "not json"),
        ("", "x"),
    ] {
        assert!(!fits(expected, answer), "{expected} {answer}");
    }
}
