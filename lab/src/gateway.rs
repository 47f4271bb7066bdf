//! `cargo xtask gateway`: the gateway against the conformance suite of IPFS.
//!
//! The suite is a program of its own, which `GWC_BIN` names (`docs/gateway.md` says how it is built); it
//! runs its tests with Go. It brings blocks, which the node is given as CARs, and asks for them at the
//! gateway. Every case of the groups that the gateway serves has to pass.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::client::HttpClient;
use crate::process::{NodeProcess, Scratch, build_debug, build_release};

/// The variable that names the suite's program.
const SUITE: &str = "GWC_BIN";
/// The groups of cases that the gateway serves.
const GROUPS: [&str; 8] = [
    "trustless-block-gateway",
    "trustless-car-gateway",
    "trustless-car-gateway-optional",
    "path-unixfs-gateway",
    "path-tar-gateway",
    "path-dag-gateway",
    "path-raw-gateway",
    "path-range-gateway",
];

/// Runs the suite.
///
/// # Errors
/// When the arguments are wrong, when something cannot be started, or when a case fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some(suite) = env::var_os(SUITE).map(PathBuf::from) else {
        println!(
            "gateway: NOT TRIED, as {SUITE} names no gateway-conformance; docs/gateway.md says how it is built"
        );
        return Ok(());
    };
    let binary = binary(arguments)?;
    let scratch = Scratch::new("gateway")?;
    let fixtures = scratch.path("fixtures");
    fs::create_dir(&fixtures)?;
    let extracted = Command::new(&suite)
        .args(["extract-fixtures", "--directory"])
        .arg(&fixtures)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", suite.display()))?;
    ensure!(extracted.success(), "the suite hands over no blocks");
    let node = NodeProcess::start(&binary, &scratch.path("node"))?;
    let cars = hand_over(&fixtures, node.port())?;
    let report = scratch.path("report.json");
    let url = format!("http://127.0.0.1:{}", node.gateway_port()?);
    // Its own verdict follows from the report, and so does ours.
    Command::new(&suite)
        .args(["test", "--gateway-url", &url, "--specs", &GROUPS.join(","), "--json"])
        .arg(&report)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let report = fs::read_to_string(&report).context("the suite wrote no report")?;
    let (passed, failed) = outcomes(&report);
    node.stop()?;
    for case in &failed {
        println!("FAILED  {case}");
    }
    ensure!(failed.is_empty(), "gateway: {} cases failed, {passed} passed", failed.len());
    ensure!(passed > 0, "gateway: the suite ran no case; does it find Go?");
    println!("gateway: {passed} cases passed in {} groups, on {cars} CARs", GROUPS.len());
    Ok(())
}

fn binary(arguments: &[String]) -> Result<PathBuf> {
    match arguments {
        [] => build_debug(),
        [flag] if flag == "--release" => build_release(),
        [flag, path] if flag == "--bin" => Ok(PathBuf::from(path)),
        _ => bail!("gateway takes --release, or --bin PATH"),
    }
}

/// Gives the node every CAR in a directory, and answers how many there are.
fn hand_over(directory: &Path, port: u16) -> Result<usize> {
    let mut cars = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "car") {
            continue;
        }
        let car = fs::read(&path)?;
        let head = format!(
            "PUT /swarmkb/car HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            car.len()
        );
        let request = [head.as_bytes(), &car].concat();
        let mut client = HttpClient::connect(port)?;
        client.send_ok(&request).with_context(|| path.display().to_string())?;
        cars += 1;
    }
    Ok(cars)
}

/// How many cases passed, and which failed: those that stand directly below a test of Go. What is below
/// them are their steps.
fn outcomes(report: &str) -> (usize, Vec<String>) {
    let (mut passed, mut failed) = (0, Vec::new());
    for event in report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(test) = event["Test"].as_str() else { continue };
        match (event["Action"].as_str(), test.matches('/').count()) {
            (Some("pass"), 1) => passed += 1,
            (Some("fail"), 0 | 1) => failed.push(test.to_owned()),
            _ => {}
        }
    }
    (passed, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_and_their_steps_are_not() {
        let report = r#"
            {"Action":"run","Test":"TestTar"}
            {"Action":"pass","Test":"TestTar/GET_TAR/Status"}
            {"Action":"pass","Test":"TestTar/GET_TAR"}
            {"Action":"fail","Test":"TestTar/HEAD_TAR"}
            {"Action":"skip","Test":"TestIPNS"}
            {"Action":"output","Output":"x"}
            nonsense"#;
        assert_eq!(outcomes(report), (1, vec!["TestTar/HEAD_TAR".to_owned()]));
    }
}
