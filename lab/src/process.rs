//! A node as a child process: built, started, watched, stopped or killed.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::client::{HttpClient, get_request};

/// Longest that a node may take to name its port and to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest that a node may take to end after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at a node that is starting or ending.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// What the line that names the address of the API says before it.
pub(crate) const API_LINE: &str = "API on http://";
/// The same of the gateway.
const GATEWAY_LINE: &str = "gateway on http://";
/// A node that finds nobody by itself, on ports that nobody has.
const ALONE: &[&str] =
    &["-ipfs-port=0", "-ipfs-host=127.0.0.1", "-gateway-port=0", "-mdns=false", "-dht=false"];
/// Lines of what a process says that are kept.
const TAIL_LINES_MAX: usize = 200;

/// Builds the node as it is released and returns the path of the binary.
///
/// # Errors
/// When the build fails.
pub(crate) fn build_release() -> Result<PathBuf> {
    build(&["--release"])?;
    Ok(crate::target_directory().join("release/optimusdb"))
}

/// Builds the node as it is developed and returns the path of the binary.
///
/// # Errors
/// When the build fails.
pub(crate) fn build_debug() -> Result<PathBuf> {
    build(&[])?;
    Ok(crate::target_directory().join("debug/optimusdb"))
}

fn build(profile: &[&str]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--package", "optimusdb-server", "--bin", "optimusdb"])
        .args(profile)
        .current_dir(crate::workspace_root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the build failed");
    Ok(())
}

/// An empty directory below the build directory, so that figures are those of a disk and not of a
/// file system in memory. Deleted when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory; `name` tells chores apart that run at the same time.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(name: &str) -> Result<Scratch> {
        let path = crate::target_directory().join(format!("lab/{name}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// A path in it that no one has used yet, if `name` is new.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// The last lines that a process said, for the report when something goes wrong. Clones are the same
/// tail.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    /// Adds a line, and drops the oldest one where there are too many.
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last `count` lines.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }
}

/// A running node. Killed when dropped.
pub(crate) struct NodeProcess {
    child: Child,
    port: u16,
    ready_after: Duration,
    tail: Tail,
}

impl NodeProcess {
    /// Starts `binary` on `repo` and a free port, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before it is ready, or is not ready in time.
    pub(crate) fn start(binary: &Path, repo: &Path) -> Result<NodeProcess> {
        NodeProcess::start_with(binary, repo, &[])
    }

    /// As [`NodeProcess::start`], with further `flags`. A node finds nobody by itself unless they say so.
    ///
    /// # Errors
    /// As [`NodeProcess::start`].
    pub(crate) fn start_with(binary: &Path, repo: &Path, flags: &[&str]) -> Result<NodeProcess> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .arg(format!("-repo={}", repo.display()))
            .arg("-http-port=0")
            .args(ALONE.iter().chain(flags))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let stderr = child.stderr.take().expect("invariant: stderr is piped");
        let tail = Tail::default();
        let mut node =
            NodeProcess { child, port: 0, ready_after: Duration::ZERO, tail: tail.clone() };
        node.port = port_from(stderr, tail)?;
        node.wait_until_ready(started)?;
        node.ready_after = started.elapsed();
        Ok(node)
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The port of the API.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port of the gateway.
    ///
    /// # Errors
    /// When the node did not name it.
    pub(crate) fn gateway_port(&self) -> Result<u16> {
        let said = self.tail.last(TAIL_LINES_MAX);
        let port = said.iter().find_map(|line| port_after(line, GATEWAY_LINE));
        port.context("the node did not name the port of its gateway")
    }

    /// From the start of the process to the first 200 of `/readyz`.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The time that cores have worked for the process so far.
    ///
    /// # Errors
    /// Where `/proc` does not tell.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        /// What the kernel counts in, on every machine that Rust supports.
        const TICKS_PER_SECOND: f64 = 100.0;
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The second field is a name in parentheses and may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let mut times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let (user, system) = times.next().zip(times.next()).context("no times in stat")?;
        Ok(Duration::from_secs_f64((user? + system?) as f64 / TICKS_PER_SECOND))
    }

    /// What the node said last.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The memory that the process holds now, in bytes.
    ///
    /// # Errors
    /// Where `/proc` does not tell.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().strip_suffix(" kB"))
            .context("no VmRSS")?;
        Ok(kib.trim().parse::<u64>()? * 1024)
    }

    /// Asks the node to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// When it does not end in time, or ends with a code other than 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "cannot signal the node");
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the node ended with {status}");
                return Ok(());
            }
            ensure!(asked.elapsed() < STOP_TIMEOUT, "the node does not end");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Ends the node where it stands (SIGKILL).
    ///
    /// # Errors
    /// When it had ended by itself before.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.ended()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn wait_until_ready(&mut self, started: Instant) -> Result<()> {
        let request = get_request("/readyz");
        let mut client = HttpClient::connect(self.port)?;
        loop {
            if client.send(&request)?.status == 200 {
                return Ok(());
            }
            self.ended()?;
            ensure!(started.elapsed() < START_TIMEOUT, "the node does not become ready");
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn ended(&mut self) -> Result<()> {
        let status: Option<ExitStatus> = self.child.try_wait()?;
        status.map_or(Ok(()), |status| bail!("the node ended by itself with {status}"))
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // Both fail when the node has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that were sent over the loopback interface so far, by all processes of the machine.
///
/// # Errors
/// Where `/proc` does not tell.
pub(crate) fn loopback_bytes() -> Result<u64> {
    const PATH: &str = "/proc/net/dev";
    let table = fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
    let sent = line.context("no loopback")?.split_whitespace().nth(8).context("no bytes sent")?;
    Ok(sent.parse()?)
}

/// Reads the port of the API from what the node says, and keeps reading so that it never waits for
/// a full pipe.
fn port_from(stderr: ChildStderr, tail: Tail) -> Result<u16> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                // Nobody waits any more after the first.
                drop(sender.try_send(Ok(port)));
            }
            tail.push(line);
        }
        let _ = sender.try_send(Err(tail.last(20).join("\n")));
    });
    wait_for_port(&receiver)
}

fn wait_for_port(receiver: &Receiver<Result<u16, String>>) -> Result<u16> {
    match receiver.recv_timeout(START_TIMEOUT) {
        Ok(Ok(port)) => Ok(port),
        Ok(Err(said)) => bail!("the node ended before it named its port:\n{said}"),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            bail!("the node did not name its port")
        }
    }
}

/// The port in a line such as `API on http://127.0.0.1:8089/swarmkb`.
pub(crate) fn port_in(line: &str) -> Option<u16> {
    port_after(line, API_LINE)
}

fn port_after(line: &str, text: &str) -> Option<u16> {
    let (_, address) = line.split_once(text)?;
    let authority = address.split('/').next()?;
    let (_, port) = authority.rsplit_once(':')?;
    let digits = port.find(|c: char| !c.is_ascii_digit()).map_or(port, |end| &port[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_line_that_names_them() {
        let ready = "API on http://127.0.0.1:8089/swarmkb, gateway on http://127.0.0.1:5001/ipfs/";
        assert_eq!((port_in(ready), port_after(ready, GATEWAY_LINE)), (Some(8089), Some(5001)));
        assert_eq!(port_in("INFO API on http://127.0.0.1:8089/swarmkb"), Some(8089));
        assert_eq!(port_in("{\"message\":\"API on http://[::1]:40001/kb\"}"), Some(40001));
        assert_eq!(port_in("API on http://localhost:80"), Some(80));
        assert_eq!(port_in("gateway on http://127.0.0.1:5001"), None);
    }
}
