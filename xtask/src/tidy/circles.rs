//! No circles: the modules of a folder, each with everything below it, refer to each other in one
//! direction.
//!
//! A module may use what its ancestors' own files hold, and an ancestor what is below it: they are
//! one thing, told in several files. What is looked at are siblings. A name that a module only
//! passes on (`pub use`) counts as one of where it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::paths::{Path, Said, code_of, said, tokens};
use super::tree::Tree;

/// How often a name may be passed on before it is given up.
const HOPS_MAX: usize = 16;

/// The modules of one crate by their paths.
struct Modules<'a>(BTreeMap<Path, (&'a str, Said)>);

/// The references of one folder's modules to each other, each with a place where it is made.
type Edges = BTreeMap<(String, String), (String, usize)>;

/// No sub-modules of any module refer to each other in a circle.
pub(super) fn no_circles(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (_, modules) in crates(tree) {
        for (folder, edges) in modules.edges() {
            for ((from, to), (file, line)) in &edges {
                if reaches(&edges, to, from) {
                    let place = if folder.is_empty() { "the crate" } else { &folder.join("::") };
                    let message = format!("a circle in {place}: {from} → {to} → … → {from}");
                    findings.push(Finding::new(file, *line, message));
                }
            }
        }
    }
    findings
}

/// The modules of each crate of the tree, tests left out.
fn crates(tree: &Tree) -> BTreeMap<&str, Modules<'_>> {
    let mut crates: BTreeMap<&str, Modules<'_>> = BTreeMap::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some((name, inside)) = file.path.split_once("/src/") else { continue };
        let path = module_path(inside);
        let code = code_of(&file.text);
        let said = said(&tokens(&code), &path);
        let modules = crates.entry(name).or_insert_with(|| Modules(BTreeMap::new()));
        modules.0.insert(path, (&file.path, said));
    }
    crates
}

/// `["a", "b"]` for `a/b.rs` and `a/b/mod.rs`, nothing for the root.
fn module_path(inside: &str) -> Path {
    let stem = inside.trim_end_matches(".rs");
    let mut parts: Path = stem.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

impl Modules<'_> {
    /// The edges between the sub-modules of each folder.
    fn edges(&self) -> BTreeMap<Path, Edges> {
        let mut folders: BTreeMap<Path, Edges> = BTreeMap::new();
        for (from, (file, said)) in &self.0 {
            for (path, line) in &said.refers {
                let to = self.resolve(path);
                let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                    let edges = folders.entry(from[..shared].to_vec()).or_default();
                    edges
                        .entry((a.clone(), b.clone()))
                        .or_insert_with(|| ((*file).to_owned(), *line));
                }
            }
        }
        folders
    }

    /// The module in which what `path` names is written.
    fn resolve(&self, path: &[String]) -> Path {
        let mut path = path.to_vec();
        for _ in 0..HOPS_MAX {
            let module = (0..=path.len())
                .rev()
                .map(|end| &path[..end])
                .find(|prefix| self.0.contains_key(*prefix))
                .unwrap_or(&[]);
            let Some((_, said)) = self.0.get(module) else { return Vec::new() };
            let name = path.get(module.len());
            let import = said.imports.iter().find(|(import, _)| Some(import) == name);
            let Some((_, target)) = import.filter(|(_, target)| *target != path) else {
                return module.to_vec();
            };
            let rest = path[module.len() + 1..].to_vec();
            path = target.iter().cloned().chain(rest).collect();
        }
        Vec::new()
    }
}

/// Whether one comes from `from` to `to` along the edges.
fn reaches(edges: &Edges, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(edges.keys().filter(|(a, _)| a == at).map(|(_, b)| b.as_str()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        no_circles(&Tree::of(files)).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_circle_is_found_across_folders_and_through_names_that_are_passed_on() {
        let messages = found(&[
            ("crates/x/src/lib.rs", "mod a; mod b; mod c;\npub use c::deep::Thing;\n"),
            ("crates/x/src/a.rs", "use crate::b::B;\n"),
            ("crates/x/src/b/mod.rs", "mod inner; pub struct B;\n"),
            ("crates/x/src/b/inner.rs", "fn f() -> crate::Thing { crate::Thing }\n"),
            ("crates/x/src/c/mod.rs", "pub mod deep;\n"),
            ("crates/x/src/c/deep.rs", "pub struct Thing; use crate::a::A;\n"),
        ]);
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[0].starts_with("a circle in the crate: a → b"), "{messages:?}");
    }

    #[test]
    fn parents_and_children_may_use_each_other() {
        let messages = found(&[
            ("crates/x/src/lib.rs", "mod a;\npub struct Root;\n"),
            ("crates/x/src/a/mod.rs", "mod b; mod c; use b::B; pub struct A;\n"),
            ("crates/x/src/a/b.rs", "use super::A; use crate::Root; use super::c::C;\n"),
            ("crates/x/src/a/c.rs", "pub struct C(super::A);\n"),
        ]);
        assert_eq!(messages, Vec::<String>::new());
    }
}
