//! Hosts of a network of their own: network namespaces on one switch, apart from the machine's.
//!
//! The switch is a bridge in a namespace of its own, so nothing here touches, or is seen by, the
//! interfaces of the machine. A host is a namespace with one cable to the switch, or to a router
//! with a NAT, which is a namespace, too. Cables can be pulled, made slow, or made to lose packets.
//! Everything is taken away again when the lab is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::node::HostedNode;
use crate::client::NodeApi;
use crate::process::{API_LINE, port_in};

/// Longest that a node may take to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Lines of a node's journal that wait to be looked at.
const LINES_MAX: usize = 10_000;

/// From which port a NAT lets its hosts send.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ports {
    /// From their own, as long as it is free. Linux does so, and so do most routers in homes.
    Kept,
    /// From another one for each destination, so that what one peer saw is of no use to the next.
    Random,
}

/// What makes a namespace a router with a NAT, in the words of `nft`.
const NAT: &str = r#"
    table ip odb {
        chain leaving {
            type nat hook postrouting priority srcnat;
            oifname "outer" masquerade
        }
        chain coming {
            type filter hook input priority filter; policy drop;
            iifname "inner" accept
            ct state established,related accept
        }
        chain passing {
            type filter hook forward priority filter; policy drop;
            iifname "inner" accept
            ct state established,related accept
        }
    }
"#;

/// The namespaces and the switch.
pub(super) struct Lab {
    prefix: String,
    hosts: Vec<String>,
    routers: Vec<String>,
}

impl Lab {
    /// Makes the switch. Needs the rights of root and the program `ip`.
    ///
    /// # Errors
    /// When a namespace cannot be made.
    pub(super) fn new() -> Result<Lab> {
        let lab =
            Lab { prefix: format!("odb{}", std::process::id()), hosts: vec![], routers: vec![] };
        ip(&["netns", "add", &lab.switch()])?;
        ip(&["-n", &lab.switch(), "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        ip(&["-n", &lab.switch(), "link", "set", "br0", "up"])?;
        Ok(lab)
    }

    /// Adds a host and plugs it in. Its address is `10.99.0.N`, N counting from 1.
    ///
    /// # Errors
    /// When `ip` refuses a step.
    pub(super) fn add_host(&mut self) -> Result<usize> {
        let number = self.hosts.len() + 1;
        let (host, switch) = (format!("{}h{number}", self.prefix), self.switch());
        let (cable, port) = (format!("c{number}"), format!("p{number}"));
        ip(&["netns", "add", &host])?;
        self.hosts.push(host.clone());
        ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", &cable])?;
        ip(&["-n", &switch, "link", "set", &cable, "netns", &host])?;
        ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"])?;
        ip(&["-n", &host, "addr", "add", &format!("10.99.0.{number}/24"), "dev", &cable])?;
        ip(&["-n", &host, "link", "set", "lo", "up"])?;
        ip(&["-n", &host, "link", "set", &cable, "up"])?;
        // Multicast needs a route.
        ip(&["-n", &host, "route", "add", "default", "dev", &cable])?;
        Ok(number - 1)
    }

    /// Adds a router and plugs it in. Its address is `10.99.0.(100 + N)`, and what it has behind it
    /// is `10.(200 + N).0.0/24`, N counting from 1. It gives its address to whatever leaves, and,
    /// like those in homes, lets in only what answers.
    ///
    /// # Errors
    /// When `ip` or `nft` refuses a step.
    pub(super) fn add_router(&mut self, ports: Ports) -> Result<usize> {
        let number = self.routers.len() + 1;
        let (router, switch) = (format!("{}r{number}", self.prefix), self.switch());
        let port = format!("q{number}");
        ip(&["netns", "add", &router])?;
        self.routers.push(router.clone());
        ip(&["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "outer"])?;
        ip(&["-n", &switch, "link", "set", "outer", "netns", &router])?;
        ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"])?;
        let address = format!("10.99.0.{}/24", 100 + number);
        ip(&["-n", &router, "addr", "add", &address, "dev", "outer"])?;
        ip(&["-n", &router, "link", "set", "outer", "up"])?;
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        ip(&["netns", "exec", &router, "sh", "-c", forward])?;
        let how = match ports {
            Ports::Kept => "masquerade",
            Ports::Random => "masquerade fully-random",
        };
        ip(&["netns", "exec", &router, "nft", &NAT.replace("masquerade", how)])?;
        Ok(number - 1)
    }

    /// Adds a host behind a router, which takes one.
    ///
    /// # Errors
    /// When `ip` refuses a step.
    pub(super) fn add_host_behind(&mut self, router: usize) -> Result<usize> {
        let number = self.hosts.len() + 1;
        let (host, router, net) =
            (format!("{}h{number}", self.prefix), self.routers[router].clone(), 201 + router);
        let cable = format!("c{number}");
        ip(&["netns", "add", &host])?;
        self.hosts.push(host.clone());
        ip(&["-n", &router, "link", "add", "inner", "type", "veth", "peer", "name", &cable])?;
        ip(&["-n", &router, "link", "set", &cable, "netns", &host])?;
        ip(&["-n", &router, "addr", "add", &format!("10.{net}.0.1/24"), "dev", "inner"])?;
        ip(&["-n", &router, "link", "set", "inner", "up"])?;
        ip(&["-n", &host, "addr", "add", &format!("10.{net}.0.2/24"), "dev", &cable])?;
        ip(&["-n", &host, "link", "set", "lo", "up"])?;
        ip(&["-n", &host, "link", "set", &cable, "up"])?;
        ip(&["-n", &host, "route", "add", "default", "via", &format!("10.{net}.0.1")])?;
        Ok(number - 1)
    }

    /// Takes IPv6 from a host, as most containers are without it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn switch_off_ipv6(&self, host: usize) -> Result<()> {
        let off = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
        ip(&["netns", "exec", &self.hosts[host], "sh", "-c", off])
    }

    /// Pulls the cable of a host, or plugs it in again.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub(super) fn plug(&self, host: usize, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        ip(&["-n", &self.switch(), "link", "set", &format!("p{}", host + 1), state])
    }

    /// Drops whatever a host sends and is sent, which none of its ends is told: the links stay up.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub(super) fn silence(&self, host: usize, silent: bool) -> Result<()> {
        let port = format!("p{}", host + 1);
        let how: &[&str] = if silent { &["nomaster"] } else { &["master", "br0"] };
        ip(&[&["-n", &self.switch(), "link", "set", &port], how].concat())
    }

    /// Takes a host's address from it.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub(super) fn take_address(&self, host: usize) -> Result<()> {
        let (name, cable) = (&self.hosts[host], format!("c{}", host + 1));
        ip(&["-n", name, "addr", "flush", "dev", &cable, "scope", "global"])
    }

    /// Gives a host without address the address `10.99.0.(50 + N)`, N being that of [`Lab::add_host`].
    ///
    /// # Errors
    /// When `ip` refuses.
    pub(super) fn give_other_address(&self, host: usize) -> Result<()> {
        let (name, cable) = (&self.hosts[host], format!("c{}", host + 1));
        let address = format!("10.99.0.{}/24", 51 + host);
        ip(&["-n", name, "addr", "add", &address, "dev", &cable])?;
        ip(&["-n", name, "route", "replace", "default", "dev", &cable])
    }

    /// Makes the cable of a host a bad one, in the words of `tc qdisc`; no words make it good again.
    ///
    /// # Errors
    /// When `tc` refuses.
    pub(super) fn trouble(&self, host: usize, how: &[&str]) -> Result<()> {
        let (name, cable) = (&self.hosts[host], format!("c{}", host + 1));
        let mut arguments = vec!["netns", "exec", name, "tc", "qdisc"];
        if how.is_empty() {
            arguments.extend(["del", "dev", &cable, "root"]);
        } else {
            arguments.extend(["replace", "dev", &cable, "root"]);
            arguments.extend(how);
        }
        ip(&arguments)
    }

    /// Starts a node on a host, with ports of its own and no other flag than `flags`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) fn start(
        &self,
        host: usize,
        binary: &Path,
        repo: PathBuf,
        flags: &[&str],
    ) -> Result<HostedNode> {
        let namespace = self.hosts[host].clone();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &namespace])
            .arg(binary)
            .arg(format!("-repo={}", repo.display()))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a node")?;
        let stderr = child.stderr.take().expect("invariant: stderr is piped");
        let (sender, lines) = sync_channel(LINES_MAX);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Lines that nobody looks at are let go.
                drop(sender.try_send(line));
            }
        });
        let mut node = HostedNode { child, lines, api: NodeApi::on_host(namespace.clone(), 0) };
        let ready = node.line_with(API_LINE, START_TIMEOUT)?;
        node.api = NodeApi::on_host(namespace, port_in(&ready).context("no port")?);
        Ok(node)
    }

    fn switch(&self) -> String {
        format!("{}s", self.prefix)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in self.hosts.iter().chain(&self.routers).cloned().chain([self.switch()]) {
            if let Err(error) = ip(&["netns", "del", &namespace]) {
                eprintln!("{error:#}");
            }
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot start ip")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), said.trim());
    Ok(())
}
