//! `cargo xtask smoke`: the README's examples, run against the node as it is released.
//!
//! Every `sh` block that a `json` or `text` block follows is run by a shell, with the addresses of nodes
//! that were just started in place of those that the README names. What it prints must be what the README
//! shows, white space aside, at once or, where one node has it from another, soon; `…` in the README
//! stands for anything. The nodes must then end cleanly when they are asked to.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::client::NodeApi;
use crate::process::{NodeProcess, Scratch, build_release};

/// The addresses that the README's examples use, in the order in which their nodes are started.
const README_ADDRESSES: [&str; 3] =
    ["http://localhost:8089", "http://localhost:8090", "http://localhost:8091"];
/// Longest that what was put on one node may take to be on another.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Stands for anything in what the README shows.
const WILDCARD: char = '…';

/// One block of commands in the README and the answer that it shows.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    line: usize,
    command: String,
    answer: String,
}

/// Runs the examples in the order of the README.
///
/// # Errors
/// When the node does not build, start or end cleanly, or when an example answers something else.
pub(crate) fn run() -> Result<()> {
    let readme = fs::read_to_string(crate::workspace_root().join("README.md"))
        .context("cannot read README.md")?;
    let examples = examples(&readme);
    ensure!(!examples.is_empty(), "README.md shows no `sh` block with an answer after it");
    let binary = build_release()?;
    let scratch = Scratch::new("smoke")?;
    let nodes = nodes(&binary, &scratch)?;
    for example in &examples {
        let mut command = example.command.clone();
        for (address, node) in README_ADDRESSES.iter().zip(&nodes) {
            command = command.replace(address, &format!("http://127.0.0.1:{}", node.port()));
        }
        let started = Instant::now();
        loop {
            let answer = answer(&command)
                .with_context(|| format!("README.md:{}: {}", example.line, example.command))?;
            if matches(&example.answer, &answer) {
                break;
            }
            // Repeating a command that changes something would hide what is wrong with it.
            let reads = example.command.contains("crudget") || !example.command.contains(" -");
            ensure!(
                reads && started.elapsed() < PATIENCE,
                "README.md:{}: {}\nshown:    {}\nanswered: {}",
                example.line,
                example.command,
                example.answer.trim(),
                answer.trim(),
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }
    for node in nodes {
        node.stop()?;
    }
    println!("smoke: {} examples of README.md answer as shown; clean stop", examples.len());
    Ok(())
}

/// One node for each address of the README, the others told where the first is.
fn nodes(binary: &Path, scratch: &Scratch) -> Result<Vec<NodeProcess>> {
    let first = NodeProcess::start(binary, &scratch.path("first"))?;
    let bootstrap = format!("-bootstrap={}", NodeApi::new(first.port()).names()?.address);
    let mut nodes = vec![first];
    for name in ["second", "third"] {
        nodes.push(NodeProcess::start_with(binary, &scratch.path(name), &[&bootstrap])?);
    }
    Ok(nodes)
}

/// The `sh` blocks that the block of what they print follows at once.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut copied: Option<Example> = None;
    let mut lines = readme.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(kind) = line.trim().strip_prefix("```") else {
            copied = copied.filter(|_| line.trim().is_empty());
            continue;
        };
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect();
        let (block, before) = (block.join("\n"), copied.take());
        match (kind, before) {
            ("sh", _) => {
                copied = Some(Example { line: index + 2, command: block, answer: String::new() });
            }
            ("json" | "text", Some(example)) => {
                examples.push(Example { answer: block, ..example });
            }
            _ => {}
        }
    }
    examples
}

/// What `command` prints, run where the README's reader stands: at the root of the workspace.
fn answer(command: &str) -> Result<String> {
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(crate::workspace_root())
        .output()
        .context("cannot start sh")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, stderr.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether `actual` is what `shown` says, white space aside.
fn matches(shown: &str, actual: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let (shown, actual) = (squeeze(shown), squeeze(actual));
    let mut pieces = shown.split(WILDCARD);
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_read_with_their_answers() {
        let readme = "# R\n```sh\ncargo run\n```\n\n```sh\ncurl -d '{\n \"a\": 1}'\ncurl y\n```\n\n\
                      ```json\n{\"b\":\n 2}\n```\n\n```json\n{}\n```\n```sh\ncurl z\n```\nmore\n```text\nz\n```\n";
        let expected = [Example {
            line: 7,
            command: "curl -d '{\n \"a\": 1}'\ncurl y".to_owned(),
            answer: "{\"b\":\n 2}".to_owned(),
        }];
        assert_eq!(examples(readme), expected);
    }

    #[test]
    fn the_wildcard_stands_for_anything() {
        for (shown, actual) in [
            ("{\"a\": 1}\n", "{\"a\":1}"),
            ("{\"id\":\"…\",\"n\":2}", "{\"id\":\"12D3\",\"n\":2}"),
            ("…", ""),
            ("a…b…c", "a1b2b3c"),
        ] {
            assert!(matches(shown, actual), "{shown} {actual}");
        }
        for (shown, actual) in [("{}", "{}x"), ("a…b", "a1c"), ("a…b…a", "aba1"), ("ab…ba", "aba")]
        {
            assert!(!matches(shown, actual), "{shown} {actual}");
        }
    }
}
