//! Machines that lack something: a node starts on what there is, and says what there is not.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::lab::Lab;
use super::{DISCOVERY_TIMEOUT, eventually};
use crate::process::Scratch;

/// Longest that a node may wait for what a machine does not have.
const START_TIMEOUT: Duration = Duration::from_secs(3);

/// A host whose IPv6 is switched off, as in most containers, and an ordinary one.
pub(super) fn without_ipv6(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let (lacking, ordinary) = (lab.add_host()?, lab.add_host()?);
    lab.switch_off_ipv6(lacking)?;
    let started = std::time::Instant::now();
    let lacking = lab.start(lacking, binary, scratch.path("lacking"), &["-http-port=0"])?;
    ensure!(started.elapsed() < START_TIMEOUT, "it waited for IPv6: {:?}", started.elapsed());
    let addresses = lacking.addresses()?;
    for wanted in ["/ip4/10.99.0.1/tcp/4001/", "/ip4/10.99.0.1/udp/4001/quic-v1/"] {
        ensure!(addresses.iter().any(|it| it.starts_with(wanted)), "no {wanted}: {addresses:?}");
    }
    ensure!(!addresses.iter().any(|it| it.starts_with("/ip6/")), "IPv6 is on: {addresses:?}");
    let ordinary = lab.start(ordinary, binary, scratch.path("ordinary"), &["-http-port=0"])?;
    lacking.put("written", "without IPv6")?;
    eventually(DISCOVERY_TIMEOUT, "the document on the other host", || {
        Ok(ordinary.get("written")?.as_deref() == Some("without IPv6"))
    })
}
