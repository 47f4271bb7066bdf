//! A node of ours with its files, as the cases see it: the real binary over HTTP.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::{HttpClient, NodeApi, get_request};
use crate::javascript::text;
use crate::process::{NodeProcess, Tail};

/// A node of ours.
pub(crate) struct FileNode {
    node: NodeProcess,
}

impl FileNode {
    /// Starts a node that fetches nothing by itself.
    pub(crate) fn start(binary: &Path, repo: PathBuf, flags: &[&str]) -> Result<FileNode> {
        let flags = [&["-swarm=interop-files", "-full-replica=false"], flags].concat();
        Ok(FileNode { node: NodeProcess::start_with(binary, &repo, &flags)? })
    }

    /// What it said last.
    pub(super) fn tail(&self) -> &Tail {
        self.node.tail()
    }

    fn api(&self) -> NodeApi {
        NodeApi::new(self.node.port())
    }

    /// Where it is dialled: a multiaddress with its peer id.
    pub(crate) fn address(&self) -> Result<String> {
        Ok(self.api().names()?.address)
    }

    pub(crate) fn dial(&self, address: &str) -> Result<()> {
        self.api().connect(address)
    }

    /// How many peers are connected.
    pub(super) fn peers(&self) -> Result<usize> {
        self.api().peers()
    }

    /// Adds a file and returns its address.
    pub(crate) fn add(&self, path: &Path, profile: &str) -> Result<String> {
        let length = fs::metadata(path)?.len();
        let head = format!(
            "PUT /swarmkb/files?profile={profile} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        self.put(head, &fs::read(path)?)
    }

    /// Adds all files of a directory as one and returns its address.
    pub(super) fn add_directory(&self, path: &Path, profile: &str) -> Result<String> {
        const BOUNDARY: &str = "between-two-files";
        let mut body = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().context("a name that is no text")?;
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; \
                 filename=\"d/{name}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&fs::read(entry.path())?);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let head = format!(
            "PUT /swarmkb/files?profile={profile} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let root = self.put(head, &body)?;
        self.entry(&root, "d")
    }

    fn put(&self, head: String, body: &[u8]) -> Result<String> {
        let mut client = HttpClient::connect(self.node.port())?;
        client.begin(head.as_bytes())?;
        client.begin(body)?;
        let answer = client.finish()?;
        let said: Value = serde_json::from_slice(answer.body)?;
        ensure!(answer.status == 200, "PUT files: {said}");
        Ok(text(&said["data"]["cid"])?.to_owned())
    }

    /// Reads a file whole.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut client = HttpClient::connect(self.node.port())?;
        let body = client.send_ok(&get_request(&format!("/swarmkb/files/{path}")))?;
        Ok(body.to_vec())
    }

    /// What a read that fails is answered with.
    pub(super) fn refusal(&self, path: &str) -> Result<u16> {
        let mut client = HttpClient::connect(self.node.port())?;
        Ok(client.send(&get_request(&format!("/swarmkb/files/{path}")))?.status)
    }

    /// Begins a read; [`HttpClient::finish`] waits for all of it.
    pub(crate) fn begin_read(&self, path: &str) -> Result<HttpClient> {
        let mut client = HttpClient::connect(self.node.port())?;
        client.begin(&get_request(&format!("/swarmkb/files/{path}")))?;
        Ok(client)
    }

    /// The address of an entry of a directory.
    pub(super) fn entry(&self, directory: &str, name: &str) -> Result<String> {
        let entries = self.entries(directory)?;
        let entry = entries.iter().find(|entry| entry["name"] == name).context("no such entry")?;
        Ok(text(&entry["cid"])?.to_owned())
    }

    /// What is in a directory.
    pub(super) fn entries(&self, directory: &str) -> Result<Vec<Value>> {
        let mut found: Value = serde_json::from_slice(&self.read(directory)?)?;
        Ok(serde_json::from_value(found["data"]["entries"].take())?)
    }

    /// A counter of `/metrics`.
    pub(super) fn counter(&self, name: &str) -> Result<u64> {
        let mut client = HttpClient::connect(self.node.port())?;
        let page = String::from_utf8(client.send_ok(&get_request("/swarmkb/metrics"))?.to_vec())?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no figure {name}"))?.trim().parse()?)
    }

    /// Sends a signal to the process.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        super::signal(self.node.id(), name)
    }
}
