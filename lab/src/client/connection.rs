//! A lean HTTP/1.1 client: one kept connection, whole requests in, whole answers out, blocking.
//!
//! It shares the cores with the node that it measures, so it builds nothing per request that could
//! be built before, and parses no more than it must. It trusts the node it talks to: this is a
//! load generator, not a client for the open network.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Longest wait for a part of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// What one read asks for, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The bytes of a GET of `path`.
pub(crate) fn get_request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// The bytes of a command to the API: a POST of the JSON `body`.
pub(crate) fn command_request(body: &str) -> Vec<u8> {
    json_request("POST", "/swarmkb/command", body)
}

/// The bytes of a request that carries the JSON `body`.
pub(crate) fn json_request(method: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len(),
    )
    .into_bytes()
}

/// One answer. The body lives in the client until its next request.
pub(crate) struct Response<'a> {
    /// The code of the status line.
    pub(crate) status: u16,
    /// The body, without its transfer encoding.
    pub(crate) body: &'a [u8],
}

/// One connection.
pub(crate) struct HttpClient {
    stream: TcpStream,
    /// What was read of the present answer.
    received: Vec<u8>,
    /// The chunks of a chunked body, joined.
    joined: Vec<u8>,
}

impl HttpClient {
    /// Connects to the API on this machine.
    ///
    /// # Errors
    /// When nothing listens on `port`.
    pub(crate) fn connect(port: u16) -> Result<HttpClient> {
        HttpClient::over(dial(port)?)
    }

    /// Connects to the API on a host with a network namespace of its own.
    ///
    /// # Errors
    /// As [`HttpClient::connect`], and when this process may not enter the namespace.
    pub(crate) fn connect_on_host(namespace: &str, port: u16) -> Result<HttpClient> {
        // A thread enters, and what it connects stays connected there when it has ended.
        let dialling = || -> Result<TcpStream> {
            enter(namespace).with_context(|| format!("cannot enter {namespace}"))?;
            dial(port)
        };
        let stream = thread::scope(|scope| scope.spawn(dialling).join());
        HttpClient::over(stream.expect("invariant: dialling does not panic")?)
    }

    fn over(stream: TcpStream) -> Result<HttpClient> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(HttpClient { stream, received: Vec::with_capacity(READ_BYTES), joined: Vec::new() })
    }

    /// Sends one request and waits for its whole answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP. The client is of no use afterwards.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Response<'_>> {
        self.begin(request)?;
        self.finish()
    }

    /// Sends one request; [`HttpClient::finish`] waits for its answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) fn begin(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Waits for the whole answer to the request that was begun.
    ///
    /// # Errors
    /// As [`HttpClient::send`].
    pub(crate) fn finish(&mut self) -> Result<Response<'_>> {
        self.received.clear();
        let head = self.read_head()?;
        match head.body {
            AnswerBody::Sized(bytes) => {
                let whole = head.bytes + bytes;
                while self.received.len() < whole {
                    self.read_more()?;
                }
                Ok(Response { status: head.status, body: &self.received[head.bytes..whole] })
            }
            AnswerBody::Chunked => {
                self.read_chunks(head.bytes)?;
                Ok(Response { status: head.status, body: &self.joined })
            }
        }
    }

    /// Sends one request that must be answered with 200, and returns the body.
    ///
    /// # Errors
    /// As [`HttpClient::send`], and when the status is another one.
    pub(crate) fn send_ok(&mut self, request: &[u8]) -> Result<&[u8]> {
        let response = self.send(request)?;
        let Response { status, body } = response;
        ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(body));
        Ok(body)
    }

    fn read_head(&mut self) -> Result<AnswerHead> {
        let mut searched = 0;
        loop {
            self.read_more()?;
            if let Some(at) = find(&self.received[searched..], b"\r\n\r\n") {
                return AnswerHead::parse(&self.received[..searched + at + 4]);
            }
            searched = self.received.len().saturating_sub(3);
        }
    }

    fn read_chunks(&mut self, start: usize) -> Result<()> {
        self.joined.clear();
        let mut at = start;
        loop {
            let line = self.read_line(at)?;
            let size = std::str::from_utf8(&self.received[line.clone()])?;
            let bytes = usize::from_str_radix(size.trim(), 16).context("not a size of a chunk")?;
            let begin = line.end + 2;
            while self.received.len() < begin + bytes + 2 {
                self.read_more()?;
            }
            if bytes == 0 {
                return Ok(());
            }
            self.joined.extend_from_slice(&self.received[begin..begin + bytes]);
            at = begin + bytes + 2;
        }
    }

    /// The line that begins at `start`, without its end.
    fn read_line(&mut self, start: usize) -> Result<Range<usize>> {
        loop {
            if let Some(length) = find(&self.received[start..], b"\r\n") {
                return Ok(start..start + length);
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> Result<()> {
        let filled = self.received.len();
        self.received.resize(filled + READ_BYTES, 0);
        let read = self.stream.read(&mut self.received[filled..]);
        self.received.truncate(filled + read.as_ref().map_or(0, |bytes| *bytes));
        ensure!(read? > 0, "the node closed the connection");
        Ok(())
    }
}

fn dial(port: u16) -> Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")
}

/// Moves this thread, and no other, into a network namespace that `ip netns` made.
#[cfg(target_os = "linux")]
fn enter(namespace: &str) -> Result<()> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let link = std::fs::File::open(format!("/run/netns/{namespace}"))?;
    Ok(move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network))?)
}

#[cfg(not(target_os = "linux"))]
fn enter(_namespace: &str) -> Result<()> {
    bail!("there are no network namespaces here")
}

struct AnswerHead {
    status: u16,
    bytes: usize,
    body: AnswerBody,
}

enum AnswerBody {
    Sized(usize),
    Chunked,
}

impl AnswerHead {
    fn parse(head: &[u8]) -> Result<AnswerHead> {
        let text = std::str::from_utf8(head)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
        let mut body = AnswerBody::Sized(0);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                body = AnswerBody::Sized(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                match value {
                    "chunked" => body = AnswerBody::Chunked,
                    other => bail!("transfer encoding {other}"),
                }
            }
        }
        Ok(AnswerHead { status: status.parse()?, bytes: head.len(), body })
    }
}

fn find(within: &[u8], wanted: &[u8]) -> Option<usize> {
    within.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `parts`, one write each, after its request arrived.
    fn answer(parts: &'static [&'static str]) -> HttpClient {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = HttpClient::connect(listener.local_addr().unwrap().port()).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).unwrap() > 0);
            for part in parts {
                stream.write_all(part.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(5));
            }
        });
        client
    }

    #[test]
    fn a_sized_answer_in_pieces_is_read_whole() {
        let mut client = answer(&["HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\n\r", "\nhel", "lo"]);
        let response = client.send(&get_request("/")).unwrap();
        assert_eq!((response.status, response.body), (200, &b"hello"[..]));
    }

    #[test]
    fn a_chunked_answer_is_joined() {
        let mut client = answer(&[
            "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            "lo\r\n1",
            "0\r\n, sixteen bytes!\r\n0\r\n\r\n",
        ]);
        let response = client.send(&get_request("/")).unwrap();
        assert_eq!((response.status, response.body), (404, &b"hello, sixteen bytes!"[..]));
    }

    #[test]
    fn a_broken_connection_and_another_status_are_errors() {
        assert!(
            answer(&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"])
                .send(&get_request("/"))
                .is_err()
        );
        let mut refused = answer(&["HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"]);
        let error = refused.send_ok(&get_request("/")).unwrap_err();
        assert_eq!(error.to_string(), "status 503: busy");
    }
}
