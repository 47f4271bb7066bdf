//! The API between its port and its node.
//!
//! The port is taken first. Most nodes open at once: until then connections wait in the backlog, and if
//! the opening fails, the user who started the node is told, not its clients. If it takes longer than
//! [`OPENING_SILENT_MS_MAX`], requests are answered that the node is not ready, so that a supervisor
//! sees that it lives and how far it is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use optimusdb_db::{Node, NodeOpening};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::host_name::host_name;
use crate::http::{self, Front, HttpConfig};
use crate::limits::{OPENING_SILENT_MS_MAX, OPENING_TOLD_INTERVAL_MS};
use crate::port;
use crate::settings::ApiSettings;

/// The task that serves the API.
pub(crate) type ServingTask = JoinHandle<()>;

/// The API of a node that is being opened.
pub(crate) struct Door {
    front: Arc<Front>,
    /// Where the API listens.
    bound: SocketAddr,
    url: String,
    /// Until it is served.
    listener: Option<TcpListener>,
    serving: Option<ServingTask>,
    stopping: CancellationToken,
}

impl Door {
    /// Takes the port that the settings name.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) async fn new(
        api: &ApiSettings,
        opening: NodeOpening,
        stopping: CancellationToken,
    ) -> Result<Door, String> {
        let config = HttpConfig {
            context: api.context.clone(),
            api_token: api.token.as_ref().map(|token| token.text().to_owned()),
            hosts: names(api),
            origins: api.origins.clone(),
        };
        let listener = port::listen(api).await?;
        let bound = listener
            .local_addr()
            .map_err(|error| format!("the port of the API cannot be told: {error}"))?;
        let front = Front::new(&config, bound, opening).map_err(|error| error.to_string())?;
        Ok(Door {
            front: Arc::new(front),
            bound,
            url: port::url(bound, &api.context),
            listener: Some(listener),
            serving: None,
            stopping,
        })
    }

    /// Where the API listens.
    pub(crate) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// From now on the node answers.
    pub(crate) fn open(mut self, node: &Node) -> Option<ServingTask> {
        self.front.opened(node.clone());
        self.serve();
        self.serving
    }

    fn serve(&mut self) {
        if let Some(listener) = self.listener.take() {
            let serving = http::serve(listener, Arc::clone(&self.front), self.stopping.clone());
            self.serving = Some(tokio::spawn(serving));
        }
    }
}

/// The names that browsers may reach the node by: those configured, and its own.
fn names(api: &ApiSettings) -> Vec<String> {
    let own = [Some(api.host.to_ascii_lowercase()), host_name().map(|name| name.to_lowercase())];
    api.hosts.iter().cloned().chain(own.into_iter().flatten()).collect()
}

/// Answers for a node that takes its time to open, and tells the journal how far it is; ends with it.
pub(crate) async fn answer_for(door: &mut Option<Door>, opening: &NodeOpening) -> Infallible {
    sleep(Duration::from_millis(OPENING_SILENT_MS_MAX)).await;
    let told = match door {
        Some(door) => {
            door.serve();
            format!("; {}/readyz says how far it is", door.url)
        }
        None => String::new(),
    };
    loop {
        tracing::info!("not ready yet: {}{told}", opening.step());
        sleep(Duration::from_millis(OPENING_TOLD_INTERVAL_MS)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn get(door: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(door).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_node_that_takes_its_time_lives_and_is_not_ready() {
        let api = ApiSettings {
            host: "127.0.0.1".into(),
            port: 0,
            context: "c".into(),
            token: None,
            hosts: Vec::new(),
            origins: Vec::new(),
        };
        let opening = NodeOpening::default();
        let door = Door::new(&api, opening.clone(), CancellationToken::new()).await.unwrap();
        let (bound, mut door) = (door.bound(), Some(door));
        let asking = async {
            for path in ["/healthz", "/c/healthz/"] {
                let healthz = get(bound, path).await;
                assert!(healthz.starts_with("HTTP/1.0 200 "), "{healthz}");
                assert!(healthz.ends_with("{\"status\":200,\"data\":\"ok\"}\n"), "{healthz}");
            }
            let what = opening.step().to_string();
            for path in ["/readyz", "/c/readyz"] {
                let readyz = get(bound, path).await;
                let (head, body) = readyz.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with("HTTP/1.0 503 ") && head.contains("retry-after: 1"));
                let body: Value = serde_json::from_str(body).unwrap();
                let data = json!({"ready": false, "writable": false, "reason": what});
                assert_eq!(body, json!({"status": 503, "message": what, "data": data}));
            }
            for path in ["/", "/c/stores", "/c/command", "/nowhere"] {
                let refusal = get(bound, path).await;
                assert!(refusal.starts_with("HTTP/1.0 503 "), "{refusal}");
                assert!(refusal.contains("retry-after: 1") && refusal.contains(&what), "{refusal}");
            }
        };
        tokio::select! {
            never = answer_for(&mut door, &opening) => match never {},
            () = asking => {}
        }
    }
}
