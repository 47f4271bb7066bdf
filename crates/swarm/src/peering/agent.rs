//! The agent version that hosts tell each other: which program, which swarm, which region.
//!
//! `optimusdb/<version> swarm=<name> region=<name>`, names percent-encoded. A peer
//! whose text does not begin with `optimusdb/` runs another program and is welcome: the addresses of
//! stores keep swarms apart.

use std::fmt::Write as _;

use crate::limits::AGENT_BYTES_MAX;

const PROGRAM: &str = "optimusdb/";

/// What a peer's agent version says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) version: String,
    pub(crate) swarm: String,
    pub(crate) region: Option<String>,
}

impl Agent {
    /// Reads an agent version; `None` if it is of another program.
    pub(crate) fn parse(text: &str) -> Option<Agent> {
        let end = text.floor_char_boundary(AGENT_BYTES_MAX);
        let rest = text[..end].strip_prefix(PROGRAM)?;
        let mut words = rest.split(' ');
        let version = words.next().unwrap_or("").to_owned();
        let mut agent = Agent { version, swarm: String::new(), region: None };
        for word in words {
            match word.split_once('=') {
                Some(("swarm", name)) => agent.swarm = decoded(name),
                Some(("region", name)) => agent.region = Some(decoded(name)),
                _ => {}
            }
        }
        Some(agent)
    }

    /// The text that [`Agent::parse`] reads.
    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("{PROGRAM}{} swarm={}", encoded(&self.version), encoded(&self.swarm));
        if let Some(region) = &self.region {
            text.push_str(" region=");
            text.push_str(&encoded(region));
        }
        text
    }

    /// Whether the two can work together: the major versions are the same.
    pub(crate) fn goes_with(&self, version: &str) -> bool {
        major(&self.version) == major(version)
    }
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// Letters, digits and `-._~` as they are; every other byte as `%XX`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What [`encoded`] wrote. A `%` without two digits stands for itself.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let mut byte = [0];
        match digits.map(|digits| hex::decode_to_slice(digits, &mut byte)) {
            Some(Ok(())) => {
                out.push(byte[0]);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (swarm, region) in
            [("swarmkb", None), ("my swarm=1 %", Some("Ελλάδα / north")), ("", Some(""))]
        {
            let agent = Agent {
                version: "0.1.0".into(),
                swarm: swarm.into(),
                region: region.map(str::to_owned),
            };
            assert_eq!(Agent::parse(&agent.text()), Some(agent));
        }
    }

    #[test]
    fn others_are_others() {
        assert_eq!(Agent::parse("js-libp2p/3.3.11 UserAgent=v22"), None);
        assert_eq!(Agent::parse(""), None);
        // What is too long is cut, and not in the middle of a character.
        let long = Agent::parse(&format!("optimusdb/{}", "é".repeat(AGENT_BYTES_MAX))).unwrap();
        assert!(long.version.len() < AGENT_BYTES_MAX);
        let odd = Agent::parse("optimusdb/1 swarm=%zz%4 x region=%").unwrap();
        assert_eq!(odd.swarm, "%zz%4");
        assert_eq!(odd.region.as_deref(), Some("%"));
    }

    #[test]
    fn versions_of_one_major_number_go_together() {
        let agent = Agent::parse("optimusdb/0.1.0 swarm=s").unwrap();
        assert!(agent.goes_with("0.9.3"));
        assert!(!agent.goes_with("1.0.0"));
    }
}
