//! The API and the gateway between their ports and their node.
//!
//! The ports are taken first. Most nodes open at once: until then connections wait in the backlog, and if
//! the opening fails, the user who started the node is told, not its clients. If it takes longer than
//! [`OPENING_SILENT_MS_MAX`], requests are answered that the node is not ready, so that a supervisor
//! sees that it lives and how far it is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use optimusdb_db::{Node, NodeOpening};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gateway::{GatewayFigures, GatewayFront};
use crate::host_name::host_name;
use crate::http::{self, Answers, Front, HttpConfig};
use crate::limits::{OPENING_SILENT_MS_MAX, OPENING_TOLD_INTERVAL_MS};
use crate::port;
use crate::settings::ApiSettings;

/// The tasks that serve the API and the gateway.
pub(crate) type Serving = JoinSet<()>;

/// The API and the gateway of a node that is being opened.
pub(crate) struct Door {
    api: Port<Front>,
    gateway: Port<GatewayFront>,
    figures: GatewayFigures,
    url: String,
    serving: Serving,
    stopping: CancellationToken,
}

/// A port, and who answers there.
struct Port<A> {
    front: Arc<A>,
    bound: SocketAddr,
    /// Until it is served.
    listener: Option<TcpListener>,
}

impl<A: Answers> Port<A> {
    async fn take(
        front: impl FnOnce(SocketAddr) -> Result<A, String>,
        host: &str,
        port: u16,
        flag: &str,
    ) -> Result<Port<A>, String> {
        let listener = port::listen(host, port, flag).await?;
        let bound = listener.local_addr();
        let bound =
            bound.map_err(|error| format!("the port of {} cannot be told: {error}", A::NAME))?;
        Ok(Port { front: Arc::new(front(bound)?), bound, listener: Some(listener) })
    }

    fn serve(&mut self, serving: &mut Serving, stopping: &CancellationToken) {
        if let Some(listener) = self.listener.take() {
            serving.spawn(http::serve(listener, Arc::clone(&self.front), stopping.clone()));
        }
    }
}

impl Door {
    /// Takes the ports that the settings name.
    ///
    /// # Errors
    /// One line for the user.
    pub(crate) async fn new(
        api: &ApiSettings,
        gateway_port: u16,
        opening: NodeOpening,
        stopping: CancellationToken,
    ) -> Result<Door, String> {
        let config = HttpConfig {
            context: api.context.clone(),
            api_token: api.token.as_ref().map(|token| token.text().to_owned()),
            hosts: names(api),
            origins: api.origins.clone(),
        };
        let figures = GatewayFigures::default();
        let gateway = GatewayFront::new(opening.clone(), figures.clone());
        let front = |bound| Front::new(&config, bound, opening).map_err(|error| error.to_string());
        let front = Port::take(front, &api.host, api.port, "http-port").await?;
        let gateway = Port::take(|_| Ok(gateway), &api.host, gateway_port, "gateway-port").await?;
        Ok(Door {
            url: port::url(front.bound, &api.context),
            api: front,
            gateway,
            figures,
            serving: Serving::new(),
            stopping,
        })
    }

    /// Where the API listens, and where the gateway does.
    pub(crate) fn bound(&self) -> (SocketAddr, SocketAddr) {
        (self.api.bound, self.gateway.bound)
    }

    /// From now on the node answers.
    pub(crate) fn open(mut self, node: &Node) -> Serving {
        self.api.front.opened(node.clone(), |registry| self.figures.register(registry));
        self.gateway.front.opened(node.clone());
        self.serve();
        self.serving
    }

    fn serve(&mut self) {
        self.api.serve(&mut self.serving, &self.stopping);
        self.gateway.serve(&mut self.serving, &self.stopping);
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
        let door = Door::new(&api, 0, opening.clone(), CancellationToken::new()).await.unwrap();
        let ((bound, gateway), mut door) = (door.bound(), Some(door));
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
            let refusal = get(gateway, "/ipfs/bafkqaaa").await;
            assert!(refusal.starts_with("HTTP/1.0 503 ") && refusal.contains(&what), "{refusal}");
        };
        tokio::select! {
            never = answer_for(&mut door, &opening) => match never {},
            () = asking => {}
        }
    }
}
