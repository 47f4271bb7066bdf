//! A node's HTTP API, as the chores use it beside the load: requests and answers as JSON values.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::connection::{HttpClient, get_request, json_request};

/// The API of one node. Every request has a connection of its own, since nodes close idle ones.
#[derive(Debug, Clone)]
pub(crate) struct NodeApi {
    port: u16,
    /// The network namespace of its host, unless that is this machine.
    namespace: Option<String>,
}

impl NodeApi {
    /// The API on `port` of this machine.
    pub(crate) fn new(port: u16) -> NodeApi {
        NodeApi { port, namespace: None }
    }

    /// The API on `port` of the host that has this network namespace.
    pub(crate) fn on_host(namespace: String, port: u16) -> NodeApi {
        NodeApi { port, namespace: Some(namespace) }
    }

    /// Sends a request, with a body unless it is a GET, and returns the code and the body of the
    /// answer.
    ///
    /// # Errors
    /// When the node does not answer, or not with JSON.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let full_path = format!("/swarmkb/{path}");
        let request = match method {
            "GET" => get_request(&full_path),
            _ => json_request(method, &full_path, &body.to_string()),
        };
        let mut client = match &self.namespace {
            Some(namespace) => HttpClient::connect_on_host(namespace, self.port)?,
            None => HttpClient::connect(self.port)?,
        };
        let response = client.send(&request)?;
        let body = serde_json::from_slice(response.body)
            .with_context(|| format!("{method} {path} answered no JSON"))?;
        Ok((response.status, body))
    }

    /// As [`NodeApi::ask`], for what must succeed; returns the `data` of the answer.
    ///
    /// # Errors
    /// As [`NodeApi::ask`], and with the node's message when it refuses.
    pub(crate) fn demand(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, mut answer) = self.ask(method, path, body)?;
        ensure!(status == 200, "{method} {path}: {status} {}", answer["message"]);
        Ok(answer["data"].take())
    }

    /// Sends the command `cmd` with `arguments` beside it, and returns its `data`.
    ///
    /// # Errors
    /// As [`NodeApi::demand`].
    pub(crate) fn command(&self, cmd: &str, mut arguments: Value) -> Result<Value> {
        arguments["method"] = json!({ "cmd": cmd });
        self.demand("POST", "command", &arguments).with_context(|| cmd.to_owned())
    }

    /// Makes the node dial another one.
    ///
    /// # Errors
    /// As [`NodeApi::demand`].
    pub(crate) fn connect(&self, address: &str) -> Result<()> {
        self.command("connect", json!({ "args": [address] }))?;
        Ok(())
    }

    /// How many peers are connected.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(crate) fn peers(&self) -> Result<usize> {
        let (status, peers) = self.ask("GET", "peers", &Value::Null)?;
        ensure!(status == 200, "GET peers: {status}");
        Ok(peers.as_array().context("no array of peers")?.len())
    }

    /// Who the node is: the address on loopback at which peers reach it, and its identity.
    ///
    /// # Errors
    /// When it names none.
    pub(crate) fn names(&self) -> Result<Names> {
        let id = self.demand("GET", "id", &Value::Null)?;
        let addresses = id["addrs"].as_array().context("the node names no addresses")?;
        let address = addresses
            .iter()
            .filter_map(Value::as_str)
            .find(|address| address.starts_with("/ip4/127.0.0.1/tcp/"))
            .with_context(|| format!("no address on loopback: {id}"))?;
        let identity = id["identity"].as_str().context("the node names no identity")?;
        Ok(Names { address: address.to_owned(), identity: identity.to_owned() })
    }

    /// The line of the first store whose `key` is `value` in the list of stores.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn store(&self, key: &str, value: &str) -> Result<Value> {
        let stores = self.demand("GET", "stores", &Value::Null)?;
        let lines = stores.as_array().context("no list of stores")?;
        let line = lines.iter().find(|line| line[key] == value);
        line.cloned().with_context(|| format!("no store whose {key} is {value}"))
    }
}

/// Who a node is.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// A multiaddress with its peer id.
    pub(crate) address: String,
    /// The id of its identity, as write lists name it.
    pub(crate) identity: String,
}
