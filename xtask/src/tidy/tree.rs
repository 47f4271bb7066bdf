//! The repository as the checks see it: paths and texts, read once.
//!
//! What git tracks, and what it would track next, is the tree; ignored files are not. Without git
//! (an unpacked archive) the directory is walked instead. Files that are not UTF-8 keep their path,
//! so that links to them resolve, and have no text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// One text file of the repository.
pub(crate) struct File {
    /// Relative to the root of the workspace, with `/` between its parts.
    pub(crate) path: String,
    /// The whole content.
    pub(crate) text: String,
}

impl File {
    /// The lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether the path ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        self.path.strip_suffix(extension).is_some_and(|stem| stem.ends_with('.'))
    }

    /// Whether the file holds tests only.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests") || self.path.ends_with("tests.rs")
    }
}

/// Every file of the repository.
pub(crate) struct Tree {
    /// The text files, in the order of their paths.
    pub(crate) files: Vec<File>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Reads the tree below `root`.
    ///
    /// # Errors
    /// When a directory or a file cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Tree> {
        let paths = match tracked(root) {
            Some(paths) => paths,
            None => walk(root)?,
        };
        let mut tree = Tree { files: Vec::new(), paths: BTreeSet::new() };
        for path in paths {
            let full = root.join(&path);
            // Deleted, and the deletion is not committed yet; or a submodule.
            if !full.is_file() {
                continue;
            }
            let bytes = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                tree.files.push(File { path: path.clone(), text });
            }
            tree.paths.insert(path);
        }
        Ok(tree)
    }

    /// The Rust sources.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.has_extension("rs"))
    }

    /// The Markdown texts.
    pub(crate) fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.has_extension("md"))
    }

    /// The text file at `path`.
    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether `path` is a file of the tree or a directory that holds one.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        path.is_empty()
            || self.paths.contains(path)
            || self
                .paths
                .range(directory.clone()..)
                .next()
                .is_some_and(|next| next.starts_with(&directory))
    }

    /// A tree made up for a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        Tree {
            paths: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
            files: files
                .iter()
                .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect(),
        }
    }
}

/// The paths that git knows or would add, or `None` where git or its directory is missing, or where
/// the directory that it found ignores all of this one.
fn tracked(root: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let paths: BTreeSet<String> =
        listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (!paths.is_empty()).then_some(paths)
}

/// The paths below `root`, without build products and without git's own directory.
fn walk(root: &Path) -> Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(root.join(&directory))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            if entry.file_type()?.is_dir() {
                let foreign = path.rsplit('/').next() == Some("node_modules");
                if !foreign && !matches!(path.as_str(), "target" | ".git") {
                    pending.push(path);
                }
            } else {
                paths.insert(path);
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_finds_this_file_and_no_build_products() {
        let paths = walk(crate::workspace_root()).unwrap();
        assert!(paths.contains("xtask/src/tidy/tree.rs"));
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }

    #[test]
    fn directories_exist_when_a_file_is_in_them() {
        let tree = Tree::of(&[("docs/guide/one.md", "")]);
        for path in ["", "docs", "docs/guide", "docs/guide/one.md"] {
            assert!(tree.exists(path), "{path}");
        }
        for path in ["doc", "docs/gui", "docs/guide/one"] {
            assert!(!tree.exists(path), "{path}");
        }
    }
}
