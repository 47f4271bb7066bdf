//! A Kubo daemon as a child process, with a repo of its own: it finds nobody by itself.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Longest that a daemon may take to be up.
const UP_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Longest that one command may take, in the words of `ipfs --timeout`.
const COMMAND_TIMEOUT: &str = "240s";
/// What keeps a daemon to this machine.
const ALONE: &[(&str, &str)] = &[
    ("Bootstrap", "[]"),
    ("Routing.Type", "\"none\""),
    ("Addresses.Swarm", "[\"/ip4/127.0.0.1/tcp/0\"]"),
    ("Addresses.API", "\"/ip4/127.0.0.1/tcp/0\""),
    ("Addresses.Gateway", "\"/ip4/127.0.0.1/tcp/0\""),
    ("Discovery.MDNS.Enabled", "false"),
    ("AutoConf.Enabled", "false"),
    ("AutoTLS.Enabled", "false"),
    ("DNS.Resolvers", "{}"),
    ("Routing.DelegatedRouters", "[]"),
    ("Ipns.DelegatedPublishers", "[]"),
    ("Swarm.DisableNatPortMap", "true"),
    ("Swarm.RelayClient.Enabled", "false"),
    ("Swarm.Transports.Network.Relay", "false"),
];

/// The binary of Kubo, where `KUBO_BIN` names one.
pub(crate) fn kubo_binary() -> Option<PathBuf> {
    env::var_os("KUBO_BIN").map(PathBuf::from)
}

/// A Kubo daemon. Killed when dropped.
pub(crate) struct Kubo {
    binary: PathBuf,
    repo: PathBuf,
    private: bool,
    child: Child,
}

impl Kubo {
    /// Starts a daemon on a new repo, in the private network of a swarm key if there is one.
    pub(crate) fn start(binary: &Path, repo: PathBuf, swarm_key: Option<&Path>) -> Result<Kubo> {
        fs::create_dir_all(&repo)?;
        let said = File::create(repo.join("daemon.log"))?;
        let private = swarm_key.is_some();
        ipfs(binary, &repo, private, &["init", "--empty-repo", "--profile=test"])?;
        for (key, value) in ALONE {
            ipfs(binary, &repo, private, &["config", "--json", key, value])?;
        }
        if let Some(key) = swarm_key {
            fs::copy(key, repo.join("swarm.key"))?;
        }
        let child = command(binary, &repo, private)
            .arg("daemon")
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut kubo = Kubo { binary: binary.to_owned(), repo, private, child };
        let began = Instant::now();
        while !kubo.repo.join("api").exists() || kubo.ipfs(&["swarm", "addrs", "local"]).is_err() {
            if let Some(status) = kubo.child.try_wait()? {
                let said = fs::read_to_string(kubo.repo.join("daemon.log"))?;
                bail!("Kubo ended with {status}: {said}");
            }
            ensure!(began.elapsed() < UP_TIMEOUT, "Kubo does not come up");
            thread::sleep(POLL_INTERVAL);
        }
        Ok(kubo)
    }

    /// Runs `ipfs` against the daemon and returns what it prints.
    pub(super) fn ipfs(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        ipfs(&self.binary, &self.repo, self.private, arguments)
    }

    /// Begins a read, whose bytes go to a file.
    pub(super) fn begin_cat(&self, cid: &str, to: &Path) -> Result<Child> {
        let mut command = command(&self.binary, &self.repo, self.private);
        command.args(["cat", cid]).stdin(Stdio::null()).stdout(File::create(to)?);
        command.stderr(Stdio::null()).spawn().context("cannot start ipfs cat")
    }

    /// Adds a file or directory and returns its address.
    pub(crate) fn add(&self, path: &Path, flags: &[&str]) -> Result<String> {
        let path = path.to_str().context("a path that is no text")?;
        let said = self.ipfs(&[&["add", "-Q"], flags, &["--", path]].concat())?;
        Ok(String::from_utf8(said)?.trim().to_owned())
    }

    pub(super) fn cat(&self, path: &str) -> Result<Vec<u8>> {
        self.ipfs(&["cat", path])
    }

    pub(crate) fn dial(&self, address: &str) -> Result<()> {
        self.ipfs(&["swarm", "connect", address]).map(drop)
    }

    /// Where it is dialled: a multiaddress with its peer id.
    pub(crate) fn address(&self) -> Result<String> {
        let id: Value = serde_json::from_slice(&self.ipfs(&["id"])?)?;
        let addresses = id["Addresses"].as_array().context("Kubo names no addresses")?;
        let near = addresses.iter().filter_map(Value::as_str).find(|it| it.contains("127.0.0.1"));
        Ok(near.context("Kubo names no address on loopback")?.to_owned())
    }

    /// The port of its gateway.
    pub(crate) fn gateway_port(&self) -> Result<u16> {
        let said = fs::read_to_string(self.repo.join("gateway"))?;
        let port = said.trim().trim_end_matches('/').rsplit(':').next().unwrap_or_default();
        port.parse().with_context(|| format!("no port in {said:?}"))
    }

    /// Sends a signal to the daemon.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        super::signal(self.child.id(), name)
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(binary: &Path, repo: &Path, private: bool) -> Command {
    let mut command = Command::new(binary);
    command.env("IPFS_PATH", repo).env("IPFS_TELEMETRY", "off");
    if private {
        command.env("LIBP2P_FORCE_PNET", "1");
    }
    command
}

fn ipfs(binary: &Path, repo: &Path, private: bool, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = command(binary, repo, private)
        .arg(format!("--timeout={COMMAND_TIMEOUT}"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "ipfs {}: {}", arguments.join(" "), said());
    Ok(output.stdout)
}
