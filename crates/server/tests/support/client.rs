//! A small blocking HTTP/1.1 client that keeps connections, and sends nonsense when asked to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::PATIENCE;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// False when the transfer broke off before its end.
    pub whole: bool,
}

impl Client {
    pub fn connect(address: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat());
        self.answer(method == "HEAD").expect("an answer")
    }

    /// Sends these bytes, whatever they are. A node that has refused already may have hung up.
    pub fn send(&mut self, bytes: &[u8]) {
        let _hung_up = self.stream.get_mut().write_all(bytes);
    }

    /// The next answer; None when the node hung up instead.
    pub fn answer(&mut self, head_only: bool) -> Option<Answer> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1)?.parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), whole: true };
        if !head_only && status >= 200 {
            answer.whole = self.body(&mut answer).is_some();
        }
        Some(answer)
    }

    /// Reads a body by its length or its chunks; None when it breaks off.
    fn body(&mut self, answer: &mut Answer) -> Option<()> {
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line()?, 16).ok()?;
                self.bytes(length, &mut answer.body)?;
                self.line()?;
                if length == 0 {
                    return Some(());
                }
            }
        }
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        self.bytes(length, &mut answer.body)
    }

    fn bytes(&mut self, length: usize, into: &mut Vec<u8>) -> Option<()> {
        let read = self.stream.by_ref().take(length as u64).read_to_end(into).ok()?;
        (read == length).then_some(())
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The message of a refusal with this status, which is in the body as well, in one line.
    pub fn refusal(&self, status: u16) -> String {
        let answer = self.json();
        assert_eq!(
            (self.status, answer["status"].as_u64()),
            (status, Some(status.into())),
            "{answer}"
        );
        let message = answer["message"].as_str().unwrap_or_else(|| panic!("no message: {answer}"));
        assert!(!message.is_empty() && !message.contains(['\n', '\r']), "{message:?}");
        message.to_owned()
    }
}
