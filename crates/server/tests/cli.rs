//! The program as a user meets it: the real binary, its output, its exit codes.

#![allow(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Time for what should happen at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the contract gives a node to stop.
const STOP: Duration = Duration::from_secs(8);

/// The binary with nothing of this process's environment but an empty home.
fn optimusdb(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optimusdb"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    // Nothing of this test meets what else runs on the machine.
    command.envs([
        ("OPTIMUSDB_P2P_PORT", "0"),
        ("OPTIMUSDB_P2P_HOST", "127.0.0.1"),
        ("OPTIMUSDB_GATEWAY_PORT", "0"),
        ("OPTIMUSDB_MDNS", "false"),
    ]);
    command
}

fn run(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    optimusdb(home).args(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asserts a refusal: this code, one line on standard error, nothing on standard output.
fn assert_refused(output: &Output, code: i32, expected: &[&str]) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(output.stdout.is_empty());
    assert!(message.starts_with("optimusdb: ") && message.lines().count() == 1, "{message:?}");
    for part in expected {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
}

/// A running node; it is killed when the test lets go of it.
struct Node {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    fn start(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Node {
        let mut command = optimusdb(home);
        command
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let reader = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Node { child, lines, seen: Vec::new() }
    }

    /// On a free port, with a repo of its own in `home`.
    fn start_ready(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Node {
        let mut node = Node::start(home, &[&["-http-port=0"], arguments].concat(), variables);
        node.line_with("ready in ");
        node
    }

    /// Waits for a line of the log.
    fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {text:?} ({error}) after {:#?}", self.seen),
            }
        }
    }

    /// `127.0.0.1:PORT` out of the line that says the node is ready.
    fn address(&self) -> String {
        let ready = self.seen.iter().find(|line| line.contains("ready in ")).unwrap();
        let (_, rest) = ready.split_once("API on http://").unwrap();
        rest.split_once('/').unwrap().0.to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The exit status, and how long it took from now.
    fn wait(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.seen.extend(self.lines.iter());
                return (status, start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("still running after {PATIENCE:?}: {:#?}", self.seen)
    }

    fn stop(mut self) -> Vec<String> {
        self.signal(Signal::TERM);
        let (status, took) = self.wait();
        assert_eq!(status.code(), Some(0), "{:#?}", self.seen);
        assert!(took < STOP, "{took:?}");
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn config(home: &Path, text: &str) -> PathBuf {
    let path = home.join("optimusdb.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Flag, variable, default: the contract, written down a second time.
const FLAGS: &[(&str, &str, &str)] = &[
    ("config", "OPTIMUSDB_CONFIG", "no default"),
    ("http", "OPTIMUSDB_HTTP", "default true"),
    ("http-port", "OPTIMUSDB_API_PORT", "default 8089"),
    ("http-host", "OPTIMUSDB_API_HOST", "default 127.0.0.1"),
    ("http-hosts", "OPTIMUSDB_API_HOSTS", "default localhost"),
    ("cors-origins", "OPTIMUSDB_CORS_ORIGINS", "default pages of this machine"),
    ("ipfs-port", "OPTIMUSDB_P2P_PORT", "default 4001"),
    ("ipfs-host", "OPTIMUSDB_P2P_HOST", "default"),
    ("gateway-port", "OPTIMUSDB_GATEWAY_PORT", "default 5001"),
    ("swarmkb", "OPTIMUSDB_CONTEXT", "default swarmkb"),
    ("repo", "OPTIMUSDB_REPO", "default swarmkb"),
    ("data-root", "OPTIMUSDB_DATA_DIR", "$XDG_DATA_HOME/optimusdb"),
    ("bootstrap", "OPTIMUSDB_BOOTSTRAP", "no default"),
    ("swarm", "OPTIMUSDB_SWARM", "default swarmkb"),
    ("swarm-key", "OPTIMUSDB_SWARM_KEY", "no default"),
    ("coordinator", "OPTIMUSDB_COORDINATOR", "default true"),
    ("full-replica", "OPTIMUSDB_FULL_REPLICA", "default true"),
    ("file-peers", "OPTIMUSDB_FILE_PEERS", "default all"),
    ("download-dir", "OPTIMUSDB_DOWNLOAD_DIR", "default ~/Downloads, else the repo"),
    ("benchmark", "OPTIMUSDB_BENCHMARK", "default false"),
    ("region", "OPTIMUSDB_REGION", "no default"),
    ("shell", "OPTIMUSDB_SHELL", "default false"),
    ("experimental", "OPTIMUSDB_EXPERIMENTAL", "default false"),
    ("devlogs", "OPTIMUSDB_DEVLOGS", "default false"),
    ("mdns", "OPTIMUSDB_MDNS", "default true"),
    ("dht", "OPTIMUSDB_DHT", "default true"),
    ("api-token", "OPTIMUSDB_API_TOKEN", "no default"),
    ("durable", "OPTIMUSDB_DURABLE", "default true"),
    ("reindex", "OPTIMUSDB_REINDEX", "default false"),
    ("log-retention-days", "OPTIMUSDB_LOG_RETENTION_DAYS", "default 7"),
    ("version", "", ""),
];

const VARIABLES_ONLY: [(&str, &str); 4] = [
    ("OPTIMUSDB_SEED_PEERS", "no default"),
    ("OPTIMUSDB_LOG_LEVEL", "default info"),
    ("OPTIMUSDB_API_TOKEN_FILE", "no default"),
    ("AGENT_NAME", "default the host name"),
];

#[test]
fn help_lists_every_flag_with_default_and_variable() {
    let home = home();
    for form in ["-h", "-help", "--help"] {
        let output = run(home.path(), &[form], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty());
        let help = String::from_utf8(output.stdout).unwrap();
        // An entry is its title and the indented lines below.
        let entry = |title: &str| {
            let start =
                help.find(title).unwrap_or_else(|| panic!("{title:?} is missing in {help}"));
            let body: Vec<&str> =
                help[start..].lines().skip(1).take_while(|line| line.starts_with("    ")).collect();
            body.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
        };
        for (name, variable, default) in FLAGS {
            let title = [format!("\n  -{name}\n"), format!("\n  -{name} ")];
            let title = title.iter().find(|title| help.contains(title.as_str()));
            let title = title.unwrap_or_else(|| panic!("-{name} is missing in {help}"));
            let text = entry(&title[1..]);
            assert!(text.contains(variable) && text.contains(default), "-{name}: {text}");
        }
        for (variable, default) in VARIABLES_ONLY {
            assert!(entry(&format!("  {variable},")).contains(default), "{variable}");
        }
    }
}

#[test]
fn version_has_number_and_commit() {
    let home = home();
    for form in ["-version", "--version"] {
        let output = run(home.path(), &[form], &[]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = format!("optimusdb {} (commit ", env!("CARGO_PKG_VERSION"));
        assert!(text.starts_with(&expected) && text.ends_with(")\n"), "{text:?}");
    }
}

#[test]
fn wrong_usage_is_one_line_and_2_and_leaves_nothing_behind() {
    let home = home();
    let unknown_key = config(home.path(), "http-prot = 1\n");
    let unknown_key = unknown_key.to_str().unwrap();
    for (arguments, variables, expected) in [
        (&["-bogus"][..], &[][..], &["unknown flag \"-bogus\"", "-help"][..]),
        (&["-http-prot=1"], &[], &["did you mean -http-port?"]),
        (&["-http-port=eighty"], &[], &["-http-port", "0 to 65535", "eighty"]),
        (&["-http-port", "70000"], &[], &["70000"]),
        (&["-ipfs-port=x"], &[], &["-ipfs-port"]),
        (&["-http=maybe"], &[], &["-http wants true or false"]),
        (&["-repo"], &[], &["-repo needs a value"]),
        (&["serve"], &[], &["unexpected argument \"serve\""]),
        (&["-http", "false"], &[], &["write -http=false"]),
        (&["-two\nlines"], &[], &["two\\nlines"]),
        (&["-swarmkb=a/b"], &[], &["-swarmkb", "one path segment"]),
        (&["-api-token="], &[], &["-api-token is empty"]),
        (&["-config=nowhere.toml"], &[], &["nowhere.toml"]),
        (&["-config", unknown_key], &[], &["optimusdb.toml", "\"http-prot\"", "\"http-port\""]),
        (&[], &[("OPTIMUSDB_CONFIG", unknown_key)], &["\"http-prot\""]),
        (&[], &[("OPTIMUSDB_API_PORT", "x")], &["OPTIMUSDB_API_PORT"]),
        (&[], &[("OPTIMUSDB_COORDINATOR", "yes")], &["OPTIMUSDB_COORDINATOR wants true or false"]),
        (&[], &[("OPTIMUSDB_LOG_LEVEL", "loud")], &["OPTIMUSDB_LOG_LEVEL"]),
        (&[], &[("HOME", "")], &["-data-root", "OPTIMUSDB_DATA_DIR"]),
    ] {
        assert_refused(&run(home.path(), arguments, variables), 2, expected);
    }
    assert!(!home.path().join(".local").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let home = home();
    let output =
        optimusdb(home.path()).arg(std::ffi::OsStr::from_bytes(b"-repo=\xff")).output().unwrap();
    assert_refused(&output, 2, &["not UTF-8"]);
}

#[test]
fn a_port_in_use_is_named_with_its_flag_and_leaves_no_repo() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(home.path(), &["-http-port", &port, "-repo=./r"], &[]);
    assert_refused(&output, 1, &[&port, "in use", "-http-port"]);
    assert!(!home.path().join("r").exists());
}

#[test]
fn a_port_for_peers_in_use_is_named_with_its_flag() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let flag = format!("-ipfs-port={port}");
    let output = run(home.path(), &["-http-port=0", "-repo=./r", &flag], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let last = said.lines().last().unwrap();
    let expected =
        format!("port {port} of 127.0.0.1 (TCP) is in use: choose another with -ipfs-port");
    assert!(last.starts_with("optimusdb: ") && last.contains(&expected), "{said}");
    let flags = ["-http-port=0", "-repo=./r", "-ipfs-host=192.0.2.1"];
    let said = stderr(&run(home.path(), &flags, &[]));
    let last = said.lines().last().unwrap();
    assert!(last.contains("192.0.2.1") && last.contains("(os error"), "{said}");
    assert!(last.contains("-ipfs-host"), "{said}");
}

#[test]
fn a_swarm_key_is_taken_in_every_form_of_ipfs() {
    let home = home();
    let path = home.path().join("swarm.key");
    let flags = ["-http-port=0", "-repo=./r", "-swarm-key=./swarm.key"];
    let key: [u8; 32] = std::array::from_fn(|n| 0xe0 ^ n as u8);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=";
    let mut fingerprints = Vec::new();
    for (encoding, key) in
        [("base16", hex.as_bytes()), ("base64", base64.as_bytes()), ("bin", &key[..])]
    {
        let header = format!("/key/swarm/psk/1.0.0/\n/{encoding}/\n");
        std::fs::write(&path, [header.as_bytes(), key, b"\n"].concat()).unwrap();
        let seen = Node::start_ready(home.path(), &flags[1..], &[]).stop();
        let line = seen.iter().find(|line| line.contains("a private swarm")).unwrap();
        fingerprints.push(line.split("key=").nth(1).unwrap().to_owned());
    }
    assert!(fingerprints.iter().all(|one| *one == fingerprints[0]), "{fingerprints:?}");
    std::fs::write(&path, "/key/swarm/psk/1.0.0/\n/base32/\nx").unwrap();
    let said = stderr(&run(home.path(), &flags, &[]));
    assert!(said.lines().last().unwrap().contains("-swarm-key"), "{said}");
}

#[test]
fn an_unknown_variable_is_told_once_and_hinders_nothing() {
    let home = home();
    let variables = [
        ("OPTIMUSDB_HTTP_PORT", "1"),
        ("OPTIMUSDB_PORT", "tcp://10.0.0.1:8089"),
        ("OPTIMUSDB_SERVICE_HOST", "10.0.0.1"),
    ];
    let seen = Node::start_ready(home.path(), &[], &variables).stop();
    let told: Vec<_> = seen.iter().filter(|line| line.contains("are no settings")).collect();
    assert_eq!(told.len(), 1, "{seen:#?}");
    assert!(told[0].contains("OPTIMUSDB_HTTP_PORT (did you mean OPTIMUSDB_API_PORT?)"), "{told:?}");
    assert!(
        told[0].contains("OPTIMUSDB_SERVICE_HOST") && told[0].contains("Kubernetes"),
        "{told:?}"
    );
    let quiet = Node::start_ready(home.path(), &[], &[("OPTIMUSDB_REGION", "north")]).stop();
    assert!(!quiet.iter().any(|line| line.contains("no settings")), "{quiet:#?}");
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let home = home();
    let output = run(home.path(), &["-http-port=0", "-http-host=192.0.2.1"], &[]);
    assert_refused(&output, 1, &["192.0.2.1", "-http-host"]);
}

#[test]
fn a_repo_that_cannot_be_written_is_named() {
    let home = home();
    std::fs::write(home.path().join("file"), "").unwrap();
    // Below a file nobody can write, root neither.
    let output = run(home.path(), &["-http-port=0", "-repo=./file/repo"], &[]);
    assert_refused(&output, 1, &["file/repo", "-repo"]);
}

#[test]
fn a_repo_of_a_newer_format_is_refused_and_left_alone() {
    let home = home();
    Node::start_ready(home.path(), &["-repo=./repo"], &[]).stop();
    let format = home.path().join("repo/format");
    std::fs::write(&format, "99\n").unwrap();
    let database = std::fs::read(home.path().join("repo/optimusdb.sqlite")).unwrap();
    let output = run(home.path(), &["-http-port=0", "-repo=./repo"], &[]);
    assert_refused(&output, 1, &["repo", "format 99", "newer optimusdb"]);
    assert_eq!(std::fs::read_to_string(&format).unwrap(), "99\n");
    assert_eq!(std::fs::read(home.path().join("repo/optimusdb.sqlite")).unwrap(), database);
}

#[test]
fn a_second_node_on_a_repo_is_refused_and_the_first_stays_well() {
    let home = home();
    let first = Node::start_ready(home.path(), &["-repo=shared"], &[]);
    let output = run(home.path(), &["-http-port=0", "-repo=shared"], &[]);
    assert_refused(&output, 1, &["shared", "another node", "-repo"]);
    first.stop();
    // And the lock went with the process.
    Node::start_ready(home.path(), &["-repo=shared"], &[]).stop();
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let home = home();
    let path = config(home.path(), "swarmkb = \"from-file\"\nhttp-port = 0\n");
    let path = ("OPTIMUSDB_CONFIG", path.to_str().unwrap());
    let variable = ("OPTIMUSDB_CONTEXT", "from-variable");
    for (arguments, variables, context) in [
        (&["-swarmkb=from-flag"][..], &[variable, path][..], "from-flag"),
        (&[], &[variable, path], "from-variable"),
        (&[], &[("OPTIMUSDB_CONTEXT", ""), path], "from-file"),
        (&["-http-port=0"], &[], "swarmkb"),
    ] {
        let mut node = Node::start(home.path(), arguments, variables);
        let ready = node.line_with("ready in ");
        let address = node.address();
        assert!(ready.contains(&format!("API on http://{address}/{context},")), "{ready}");
        assert!(
            address.starts_with("127.0.0.1:")
                && !address.ends_with(":0")
                && !address.ends_with(":8089")
        );
        node.stop();
    }
}

#[test]
fn the_repo_is_made_where_the_flags_say() {
    let home = home();
    for (arguments, variables, expected) in [
        (&[][..], &[][..], ".local/share/optimusdb/swarmkb"),
        (&["-repo=a", "-data-root=root"], &[], "root/a"),
        (&["-repo=./b"], &[], "b"),
        (&[], &[("OPTIMUSDB_REPO", "~/c/d")], "c/d"),
    ] {
        let node = Node::start_ready(home.path(), arguments, variables);
        assert!(home.path().join(expected).is_dir(), "{expected}");
        let seen = node.stop();
        let ready = seen.iter().find(|line| line.contains("ready in ")).unwrap();
        assert!(ready.contains(&format!("{expected},")), "{ready}");
    }
}

#[test]
fn sigterm_and_sigint_stop_the_node_in_time() {
    let home = home();
    for signal in [Signal::TERM, Signal::INT] {
        let mut node = Node::start_ready(home.path(), &[], &[]);
        node.signal(signal);
        let (status, took) = node.wait();
        assert_eq!(status.code(), Some(0), "{:#?}", node.seen);
        assert!(took < STOP, "{took:?}");
        assert!(node.seen.iter().any(|line| line.contains("stopped in ")), "{:#?}", node.seen);
    }
}

#[test]
fn sighup_does_not_end_the_node() {
    let home = home();
    let mut node = Node::start_ready(home.path(), &[], &[]);
    for _ in 0..2 {
        node.signal(Signal::HUP);
        node.line_with("SIGHUP: the node goes on");
    }
    node.stop();
}

/// A request that never ends, as seen by the node.
fn endless_request(node: &Node) -> TcpStream {
    let mut connection = TcpStream::connect(node.address()).unwrap();
    let head = "POST /swarmkb/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    connection.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    connection
}

#[test]
fn a_slow_client_does_not_hold_the_node() {
    let home = home();
    let node = Node::start_ready(home.path(), &[], &[]);
    let _idle = TcpStream::connect(node.address()).unwrap();
    let mut request = endless_request(&node);
    node.stop();
    let _cut_off = request.read_to_end(&mut Vec::new());
}

#[test]
fn a_second_signal_ends_the_wait() {
    let home = home();
    let mut node = Node::start_ready(home.path(), &[], &[]);
    let _request = endless_request(&node);
    node.signal(Signal::TERM);
    node.line_with("SIGTERM: stopping");
    node.signal(Signal::TERM);
    let (_, took) = node.wait();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn without_http_no_port_is_taken() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let flags = ["-http=false", "-http-port", &port, "-gateway-port", &port];
    let mut node = Node::start(home.path(), &flags, &[]);
    assert!(node.line_with("ready in ").contains("no API and no gateway (-http=false)"));
    node.stop();
}

#[test]
fn what_has_no_effect_yet_is_said_once_and_only_when_set() {
    let home = home();
    let notices =
        |seen: &[String]| seen.iter().filter(|line| line.contains("has no effect yet")).count();
    let quiet = Node::start_ready(home.path(), &["-full-replica=false"], &[]).stop();
    assert_eq!(notices(&quiet), 0, "{quiet:#?}");
    let variables = [("AGENT_NAME", "a"), ("OPTIMUSDB_BENCHMARK", "true")];
    let seen = Node::start_ready(home.path(), &["-shell"], &variables).stop();
    assert_eq!(notices(&seen), 2, "{seen:#?}");
    let sentence = "-shell is accepted and has no effect yet: the shell comes with a later version";
    assert!(seen.iter().any(|line| line.ends_with(sentence)), "{seen:#?}");
}

#[test]
fn an_open_api_without_a_token_is_warned_about() {
    let home = home();
    let warned = |seen: &[String]| {
        seen.iter().any(|line| line.contains("WARN") && line.contains("without a token"))
    };
    let open = Node::start_ready(home.path(), &["-http-host=0.0.0.0"], &[]).stop();
    assert!(warned(&open), "{open:#?}");
    let token = [("OPTIMUSDB_API_TOKEN", "hushhush")];
    let guarded = Node::start_ready(home.path(), &["-http-host=0.0.0.0"], &token).stop();
    assert!(!warned(&guarded), "{guarded:#?}");
    assert!(!guarded.iter().any(|line| line.contains("hushhush")), "{guarded:#?}");
    assert!(!warned(&Node::start_ready(home.path(), &[], &[]).stop()));
}

#[test]
fn log_lines_start_with_utc_and_the_level_is_obeyed() {
    let home = home();
    let seen = Node::start_ready(home.path(), &[], &[]).stop();
    for line in &seen {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
        assert!(
            rest.starts_with(" INFO optimusdb") || rest.starts_with(" WARN optimusdb"),
            "{line}"
        );
    }
    // One warning, so that there is something to wait for.
    let mut quiet = Node::start(
        home.path(),
        &["-http-port=0", "-experimental"],
        &[("OPTIMUSDB_LOG_LEVEL", "warn")],
    );
    quiet.line_with("no effect yet");
    assert_eq!(quiet.stop().len(), 1);
}

/// The answer to a GET, head and body, from a connection of its own.
fn get(address: &str, path: &str, header: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_token_guards_the_api() {
    let home = home();
    std::fs::write(home.path().join("token"), "from-a-file\n").unwrap();
    let variables = [("OPTIMUSDB_API_TOKEN_FILE", "~/token"), ("OPTIMUSDB_CONTEXT", "c")];
    let node = Node::start_ready(home.path(), &[], &variables);
    let address = node.address();
    assert!(get(&address, "/c/stores", "").starts_with("HTTP/1.1 401 "));
    let bearer = "Authorization: Bearer from-a-file\r\n";
    assert!(get(&address, "/c/stores", bearer).starts_with("HTTP/1.1 200 "));
    node.stop();
}

#[test]
fn log_records_are_kept_and_served() {
    let home = home();
    let node = Node::start_ready(home.path(), &[], &[]);
    let ready = node.seen.iter().find(|line| line.contains("ready in ")).unwrap();
    // 2026-11-22T18:35:10.575605Z
    let (date, hour) = (&ready[..10], &ready[11..13]);
    let path = format!("/swarmkb/log?date={date}&hour={hour}");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(&node.address(), &path, "");
        if answer.contains("ready in ") {
            assert!(answer.contains("\"level\":\"INFO\""), "{answer}");
            assert!(answer.contains("\"source\":\"optimusdb::run\""), "{answer}");
            break;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
    node.stop();
}

/// A terminal or a log collector that goes away must not take the node along.
#[test]
fn a_closed_standard_error_does_not_end_the_node() {
    let home = home();
    let mut command = optimusdb(home.path());
    let mut child = command
        .args(["-http-port=0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready in ") {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0);
    }
    drop(reader);
    let (sender, lines) = sync_channel(1);
    drop(sender);
    let mut node = Node { child, lines, seen: Vec::new() };
    node.signal(Signal::TERM);
    assert_eq!(node.wait().0.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn keys_that_are_lost_or_open_are_told() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let keys = || {
        let repo = home.path().join("data/keys");
        (repo.join("signing.key"), repo.join("identity.key"))
    };
    let flags = ["-repo=./data"];
    Node::start_ready(home.path(), &flags, &[]).stop();
    let (signing, identity) = keys();
    std::fs::set_permissions(&signing, std::fs::Permissions::from_mode(0o644)).unwrap();
    let seen = Node::start_ready(home.path(), &flags, &[]).stop().join("\n");
    assert!(seen.contains("signing.key") && seen.contains("0644"), "{seen}");
    assert_eq!(std::fs::metadata(&signing).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::rename(&signing, home.path().join("kept")).unwrap();
    let output = run(home.path(), &[&flags[..], &["-http-port=0"]].concat(), &[]);
    assert_refused(&output, 1, &["signing.key is missing", "backup", "identity.key"]);
    assert!(!signing.exists() && identity.exists());
    std::fs::rename(&identity, home.path().join("other")).unwrap();
    let seen = Node::start_ready(home.path(), &flags, &[]).stop().join("\n");
    assert!(seen.contains("new identity"), "{seen}");
}

#[test]
fn a_node_whose_directory_is_taken_away_ends() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Node::start_ready(home.path(), &["-repo=./data"], &[]);
    std::fs::remove_dir_all(home.path().join("data")).unwrap();
    node.line_with("removed or replaced");
    let status = node.child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
}
