//! The rooms and the one direction between them: who may depend on whom, and what a room never
//! names.
//!
//! The table is the one of ARCHITECTURE.md. Manifests are checked because an edge that exists will
//! be used; sources because `std` needs no edge. Tests are free: they may read files and clocks.
//! cargo-deny guards the same walls for dependencies that come in through others.

use toml::{Table, Value};

use super::Finding;
use super::code::{code_only, names, without_tests};
use super::tree::{File, Tree};

struct Room {
    /// The directory below the root, and the end of the package's name.
    directory: &'static str,
    /// Packages of this workspace that it may depend on.
    may_use: &'static [&'static str],
    /// Outside packages that it may never depend on; also every package that begins with one of
    /// these and a dash.
    never_depends_on: &'static [&'static str],
    /// Paths that its code never names.
    never_names: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        directory: "crates/dag",
        may_use: &[],
        never_depends_on: &[
            "tokio",
            "futures",
            "async-std",
            "rusqlite",
            "libp2p",
            "axum",
            "hyper",
            "rand",
            "getrandom",
            "tracing",
            "chrono",
            "time",
        ],
        never_names: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant",
            "thread_rng",
            "OsRng",
            "getrandom",
            "rand",
        ],
    },
    Room {
        directory: "crates/storage",
        may_use: &["optimusdb-dag"],
        never_depends_on: &["tokio", "futures", "async-std", "libp2p", "axum", "hyper"],
        never_names: &["tokio", "libp2p", "axum", "hyper", "std::net"],
    },
    Room {
        directory: "crates/swarm",
        may_use: &["optimusdb-dag"],
        never_depends_on: &["rusqlite", "libsqlite3-sys", "axum", "hyper"],
        never_names: &["rusqlite", "axum", "hyper", "optimusdb_storage"],
    },
    Room {
        directory: "crates/db",
        may_use: &["optimusdb-dag", "optimusdb-storage", "optimusdb-swarm"],
        never_depends_on: &["axum", "hyper", "tower", "rusqlite", "libsqlite3-sys", "libp2p"],
        never_names: &["axum", "hyper", "rusqlite", "libp2p"],
    },
    Room {
        directory: "crates/server",
        may_use: &["optimusdb-db"],
        never_depends_on: &["rusqlite", "libsqlite3-sys", "libp2p"],
        never_names: &[
            "rusqlite",
            "libp2p",
            "optimusdb_dag",
            "optimusdb_storage",
            "optimusdb_swarm",
        ],
    },
    Room {
        directory: "crates/sim",
        may_use: &["optimusdb-dag"],
        never_depends_on: &["tokio", "rusqlite", "libp2p", "axum", "hyper", "rand", "getrandom"],
        never_names: &[
            "tokio",
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant",
            "getrandom",
            "rand",
        ],
    },
    Room {
        directory: "xtask",
        may_use: &["optimusdb-sim"],
        never_depends_on: &["tokio", "rusqlite", "libp2p", "axum", "hyper"],
        never_names: &[],
    },
    // It sees a node as its users do.
    Room {
        directory: "lab",
        may_use: &[],
        never_depends_on: &["tokio", "rusqlite", "libp2p", "axum", "hyper"],
        never_names: &[],
    },
];

/// The manifests hold no edge that the table does not allow.
pub(super) fn manifest_edges(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in ROOMS {
        let Some(manifest) = tree.get(&format!("{}/Cargo.toml", room.directory)) else {
            continue;
        };
        match manifest.text.parse::<Table>() {
            Ok(table) => check_manifest(room, manifest, &table, &mut findings),
            Err(error) => findings.push(Finding::new(&manifest.path, 1, error.message())),
        }
    }
    findings
}

/// The sources of a room name nothing that the table forbids it.
pub(super) fn forbidden_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in ROOMS {
        let sources = format!("{}/src/", room.directory);
        let own = |file: &&File| file.path.starts_with(&sources) && !file.is_test();
        for file in tree.rust().filter(own) {
            let code = code_only(without_tests(&file.text));
            for name in room.never_names.iter().filter(|name| names(&code, name)) {
                let message = format!("{} never names `{name}`", room.directory);
                findings.push(Finding::new(&file.path, line_of(&code, name), message));
            }
        }
    }
    findings
}

fn check_manifest(room: &Room, manifest: &File, table: &Table, findings: &mut Vec<Finding>) {
    for (kind, name) in dependencies(table) {
        let outside = !name.starts_with("optimusdb-");
        // An outside crate in the tests stays in the tests; an arrow that points up does not.
        let forbidden = match (outside, kind) {
            (true, "dev-dependencies") => false,
            (true, _) => room.never_depends_on.iter().any(|never| is_or_extends(&name, never)),
            (false, _) => !room.may_use.contains(&name.as_str()),
        };
        if forbidden {
            let message = format!("{} may not depend on `{name}`", room.directory);
            let line = manifest.lines().find(|(_, line)| line.starts_with(&name));
            findings.push(Finding::new(
                &manifest.path,
                line.map_or(1, |(number, _)| number),
                message,
            ));
        }
    }
}

/// Every dependency of a manifest, those of single targets too, with the kind of its table. A
/// renamed one counts under its real name.
fn dependencies(manifest: &Table) -> Vec<(&'static str, String)> {
    const KINDS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table);
    let per_target = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(per_target) {
        for kind in KINDS {
            let members = table.get(kind).and_then(Value::as_table);
            for (name, value) in members.into_iter().flatten() {
                let real = value.get("package").and_then(Value::as_str).unwrap_or(name);
                found.push((kind, real.to_owned()));
            }
        }
    }
    found
}

fn is_or_extends(name: &str, base: &str) -> bool {
    name.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The line where `name`, or its last part, is first named.
fn line_of(code: &str, name: &str) -> usize {
    let last = name.rsplit("::").next().unwrap_or(name);
    let on = |word: &str| code.lines().position(|line| names(line, word));
    on(name).or_else(|| on(last)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_up_or_out_is_found() {
        let tree = Tree::of(&[(
            "crates/storage/Cargo.toml",
            "[dependencies]\n\
             optimusdb-dag.workspace = true\n\
             optimusdb-db.workspace = true\n\
             sql = { package = \"libp2p-core\", version = \"1\" }\n\
             [dev-dependencies]\n\
             tokio = \"1\"\n\
             optimusdb-swarm.workspace = true\n\
             [target.'cfg(unix)'.dependencies]\n\
             axum = \"1\"\n",
        )]);
        let messages: Vec<String> =
            manifest_edges(&tree).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages.len(), 4, "{messages:?}");
        for name in ["optimusdb-db", "libp2p-core", "optimusdb-swarm", "axum"] {
            let quoted = format!("`{name}`");
            assert!(messages.iter().any(|message| message.ends_with(&quoted)), "{name}");
        }
    }

    #[test]
    fn a_forbidden_name_is_found_in_code_and_not_in_comments_or_tests() {
        let tree = Tree::of(&[
            ("crates/dag/src/a.rs", "//! No tokio.\nuse std::{\n    fmt,\n    fs,\n};\n"),
            ("crates/dag/src/b.rs", "//! Fine.\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n"),
            ("crates/dag/tests/c.rs", "use std::fs;\n"),
            ("crates/server/src/d.rs", "fn f() { rusqlite::open() }\n"),
        ]);
        let found: Vec<(String, usize)> =
            forbidden_names(&tree).into_iter().map(|f| (f.path, f.line)).collect();
        let expected =
            [("crates/dag/src/a.rs".to_owned(), 4), ("crates/server/src/d.rs".to_owned(), 1)];
        assert_eq!(found, expected);
    }
}
