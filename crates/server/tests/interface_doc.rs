//! Every example of the documentation, run as a reader would run it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a test"
)]

#[path = "support/console.rs"]
mod console;
mod support;

use std::path::Path;

use support::Server;

fn run(document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let Ok(markdown) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: there is no {document}");
        return;
    };
    if document == "README.md" {
        // Readers copy its blocks whole into a shell.
        let dialogue = markdown.lines().find(|line| line.starts_with("$ "));
        assert_eq!(dialogue, None, "README.md keeps commands apart from what they print");
    }
    // The README shows three nodes; the others find the first.
    let first = Server::start();
    let id = first.get("/id").json();
    let bootstrap = format!("-bootstrap={}", id["data"]["addrs"][0].as_str().unwrap());
    let mut nodes = vec![("localhost:8089", first)];
    for shown in ["localhost:8090", "localhost:8091"] {
        if markdown.contains(shown) {
            nodes.push((shown, Server::start_with(&[&bootstrap])));
        }
    }
    let mut addresses: Vec<(&str, &str)> =
        nodes.iter().map(|(shown, server)| (*shown, server.address.as_str())).collect();
    addresses.push(("localhost:5001", &nodes[0].1.gateway));
    let count = console::run(document, &markdown, &addresses);
    println!("{document}: {count} examples");
}

#[test]
fn the_interface_answers_as_documented() {
    run("docs/INTERFACE.md");
}

#[test]
fn the_readme_answers_as_documented() {
    run("README.md");
}

#[test]
fn the_page_for_those_who_come_from_elsewhere_answers_as_documented() {
    run("docs/coming-from-mongodb-and-couchdb.md");
}

#[test]
fn the_page_about_sql_answers_as_documented() {
    run("docs/sql.md");
}

#[test]
fn the_page_of_tosca_answers_as_documented() {
    run("docs/tosca.md");
}

#[test]
fn the_page_for_operators_answers_as_documented() {
    run("docs/OPERATIONS.md");
}
