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
    let server = Server::start();
    let count = console::run(document, &markdown, &server.address);
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
