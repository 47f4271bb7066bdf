//! Machines that lack something: a node starts on what there is, and says what there is not.

use std::path::Path;

use anyhow::{Result, ensure};

use super::lab::Lab;
use super::{DISCOVERY_TIMEOUT, eventually};
use crate::process::Scratch;

/// A host whose IPv6 is switched off, as in most containers, and an ordinary one.
pub(super) fn without_ipv6(binary: &Path, scratch: &Scratch) -> Result<()> {
    let mut lab = Lab::new()?;
    let (lacking, ordinary) = (lab.add_host()?, lab.add_host()?);
    lab.switch_off_ipv6(lacking)?;
    let lacking =
        lab.start(lacking, binary, scratch.path("lacking"), &["-http-port=0", "-gateway-port=0"])?;
    let addresses = lacking.addresses()?;
    for wanted in ["/ip4/10.99.0.1/tcp/4001/", "/ip4/10.99.0.1/udp/4001/quic-v1/"] {
        ensure!(addresses.iter().any(|it| it.starts_with(wanted)), "no {wanted}: {addresses:?}");
    }
    ensure!(!addresses.iter().any(|it| it.starts_with("/ip6/")), "IPv6 is on: {addresses:?}");
    let ordinary = lab.start(
        ordinary,
        binary,
        scratch.path("ordinary"),
        &["-http-port=0", "-gateway-port=0"],
    )?;
    lacking.put("written", "without IPv6")?;
    eventually(DISCOVERY_TIMEOUT, "the document on the other host", || {
        Ok(ordinary.get("written")?.as_deref() == Some("without IPv6"))
    })
}
