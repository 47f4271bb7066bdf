//! One request to a running node over HTTP, blocking: all that a command needs.
//!
//! HTTP/1.0 with one request a connection, so that an answer is what comes until its end. The answer
//! is bounded in size and in time; one that is shorter than its declared length is an error.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::limits::{ANSWER_BYTES_MAX, ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS};
use crate::settings::ApiSettings;

/// What came back.
pub(super) struct ApiAnswer {
    /// The code of the status line.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Sends a request to the API of a node and reads its answer. `path` is within the context.
///
/// # Errors
/// One line for the user, with the place where no node answered.
pub(super) fn send(
    api: &ApiSettings,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Result<ApiAnswer, String> {
    let host = reachable(&api.host);
    let place = format!("{host}:{}", api.port);
    let mut stream = connect(host, api.port)
        .map_err(|error| format!("no node answers on {place} ({error}); is it running, and are -http-host and -http-port the same?"))?;
    let body = body.unwrap_or_default();
    let context = &api.context;
    let mut request = format!(
        "{method} /{context}{path} HTTP/1.0\r\nHost: {place}\r\nContent-Length: {}\r\n",
        body.len()
    );
    if let Some(token) = &api.token {
        request.push_str(&format!("Authorization: Bearer {}\r\n", token.text()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let mut bytes = Vec::new();
    let exchange = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes));
    exchange.map_err(|error| format!("the node on {place} broke off: {error}"))?;
    if bytes.len() as u64 > ANSWER_BYTES_MAX {
        return Err(format!(
            "the answer of the node on {place} has more than {ANSWER_BYTES_MAX} bytes"
        ));
    }
    parse(bytes).ok_or_else(|| format!("what answers on {place} is no node, or broke off"))
}

/// A node that listens on every address is asked on the machine itself.
fn reachable(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    }
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_millis(CONNECT_TIMEOUT_MS)) {
            Ok(stream) => {
                let timeout = Some(Duration::from_millis(ANSWER_TIMEOUT_MS));
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(timeout)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn parse(bytes: Vec<u8>) -> Option<ApiAnswer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.split(' ');
    status.next()?.strip_prefix("HTTP/1.")?;
    let status = status.next()?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<usize>());
    let body = bytes[end + 4..].to_vec();
    match length {
        Some(Ok(length)) if length == body.len() => {}
        None => {}
        Some(_) => return None,
    }
    Some(ApiAnswer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_none() {
        let parsed = |text: &str| parse(text.as_bytes().to_vec()).map(|a| (a.status, a.body));
        let whole = "HTTP/1.0 200 OK\r\nA: b\r\ncontent-LENGTH: 2\r\n\r\nab";
        assert_eq!(parsed(whole), Some((200, b"ab".to_vec())));
        assert_eq!(parsed("HTTP/1.1 404 Not Found\r\n\r\nx"), Some((404, b"x".to_vec())));
        for broken in [
            "",
            "HTTP/1.0 200 OK\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\nab",
            "HTTP/1.0\r\n\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.0 OK\r\n\r\n",
        ] {
            assert_eq!(parsed(broken), None, "{broken:?}");
        }
    }
}
