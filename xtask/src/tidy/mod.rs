//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Each rule is one small function from the tree to its findings, and has a test that shows it can
//! fail. What rustc, rustfmt, clippy and cargo-deny check already is left to them.

mod circles;
mod code;
mod limit_names;
mod paths;
mod prose;
mod rooms;
mod source;
mod tree;
mod unused;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use tree::Tree;

/// Where a rule is broken, and how.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    source::length,
    source::module_doc,
    source::tabs,
    source::trailing_whitespace,
    source::drawer_names,
    source::unexplained_todo,
    rooms::manifest_edges,
    rooms::forbidden_names,
    limit_names::documented_and_with_units,
    circles::no_circles,
    unused::only_tests_use,
    words::one_meaning,
    prose::absolute_paths,
    prose::conversation,
    prose::relative_links,
    prose::changelog,
];

/// Runs every check over the tree at `root` and prints what it finds.
///
/// # Errors
/// When the tree cannot be read, or when a rule is broken.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = findings(root)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} checks, nothing found", CHECKS.len());
            Ok(())
        }
        count => bail!("tidy: {count} findings"),
    }
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.sort();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let findings = findings(crate::workspace_root()).unwrap();
        let report: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(report.is_empty(), "\n{}", report.join("\n"));
    }
}
