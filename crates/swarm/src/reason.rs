//! Why something failed, in one line: an error with what it says of its causes.
//!
//! Errors hide their causes in different ways. libp2p's transport errors say nothing of themselves
//! and keep the cause as their source; others repeat it in their own text; a failed dial has a
//! cause for each address and no source at all. The line is never empty and repeats
//! nothing.

use std::error::Error;

use libp2p::swarm::DialError;

/// Causes that are followed, for errors that lead back to themselves.
const CAUSES_MAX: usize = 16;

/// An error and its causes, the outermost first, with colons between them.
pub fn reason(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    for _ in 0..CAUSES_MAX {
        let Some(error) = next else { break };
        next = error.source();
        let text = own_text(error);
        // An error that announces its cause ends in a colon.
        let text = text.trim().trim_end_matches([':', ' ']);
        if text.is_empty() || parts.iter().any(|part| part.contains(text)) {
            continue;
        }
        // The cause says it more fully.
        parts.retain(|part| !text.contains(part.as_str()));
        parts.push(text.to_owned());
    }
    // Its name in the code is better than nothing.
    if parts.is_empty() { format!("{error:?}") } else { parts.join(": ") }
}

/// What an error says without its source.
fn own_text(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<DialError>() {
        Some(DialError::Transport(addresses)) => {
            let told = addresses.iter().map(|(address, why)| format!("{address}: {}", reason(why)));
            told.collect::<Vec<_>>().join(", ")
        }
        _ => one_line(&error.to_string()),
    }
}

/// libp2p lists the ways to one address in lines, even if there was one.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("Multiple dial errors occurred:").unwrap_or(text);
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use libp2p::core::transport::TransportError;
    use libp2p::swarm::ListenError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    fn chain(texts: &[&'static str]) -> Told {
        let (text, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(chain(rest)));
        Told { text, source }
    }

    #[test]
    fn causes_follow_what_they_caused_and_nothing_is_said_twice() {
        for (texts, expected) in [
            (&["broken"][..], "broken"),
            (&["cannot connect", "refused"], "cannot connect: refused"),
            (&["cannot connect: refused", "refused"], "cannot connect: refused"),
            (&["cannot connect: ", "refused"], "cannot connect: refused"),
            (&["", "refused"], "refused"),
            (&["refused", ""], "refused"),
            (&["refused", "refused", "refused (os error 111)"], "refused (os error 111)"),
            (&["a", "b", "a"], "a: b"),
            (&["Multiple dial errors occurred:\n - refused"], "refused"),
            (&["tried:\n - this\n - that"], "tried:, this, that"),
        ] {
            assert_eq!(reason(&chain(texts)), expected, "{texts:?}");
        }
        let endless = vec!["x"; 1_000];
        assert_eq!(reason(&chain(&endless)), "x");
    }

    #[test]
    fn an_error_that_says_nothing_is_named() {
        assert!(reason(&chain(&["", " ", ": "])).starts_with("Told"));
    }

    #[test]
    fn what_libp2p_hides_is_shown() {
        let refused = || io::Error::from_raw_os_error(111);
        let hidden = || TransportError::Other(io::Error::other(TransportError::Other(refused())));
        assert!(hidden().to_string().is_empty());
        let expected = "Connection refused (os error 111)";
        assert_eq!(reason(&hidden()), expected);
        let incoming = ListenError::Transport(hidden());
        assert!(reason(&incoming).ends_with(&format!(": {expected}")), "{}", reason(&incoming));
        let address: libp2p::Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let unsupported = TransportError::MultiaddrNotSupported(address.clone());
        let dial = DialError::Transport(vec![(address.clone(), hidden()), (address, unsupported)]);
        let told = reason(&dial);
        assert!(told.starts_with("/ip4/192.0.2.1/tcp/1: Connection refused"), "{told}");
        assert!(told.ends_with("not supported: /ip4/192.0.2.1/tcp/1"), "{told}");
        let denied = DialError::Denied {
            cause: libp2p::swarm::ConnectionDenied::new(chain(&["too many", "of them"])),
        };
        assert!(reason(&denied).contains("too many: of them"), "{}", reason(&denied));
    }
}
