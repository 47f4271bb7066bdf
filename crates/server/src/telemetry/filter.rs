//! Which records of the journal go to standard error.

use tracing_subscriber::EnvFilter;

/// A checked filter: a plain level, which means our own crates first, or tracing's directives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter {
    directives: String,
    plain: bool,
}

/// Plain levels, quietest first. Dependencies stay one level quieter: their details seldom help.
const LEVELS: [(&str, &str); 6] = [
    ("off", "off"),
    ("error", "error"),
    ("warn", "warn"),
    // Kademlia warns of knowing nobody yet, which is how every swarm begins, and QUIC of addresses that
    // a packet does not reach from here, which is tried and passed over.
    ("info", "warn,libp2p_kad=error,quinn_udp=error,optimusdb=info"),
    ("debug", DEBUG),
    ("trace", "debug,optimusdb=trace"),
];
const DEBUG: &str = "info,optimusdb=debug";

impl LogFilter {
    /// Reads a level in any case, or a tracing filter such as `info,optimusdb_db=debug`.
    ///
    /// # Errors
    ///
    /// What is wanted instead. A single word that is no level is refused, although tracing would
    /// take it for the name of a module.
    pub(crate) fn parse(text: &str) -> Result<LogFilter, String> {
        let word = text.trim().to_ascii_lowercase();
        if let Some((_, directives)) = LEVELS.iter().find(|(level, _)| *level == word) {
            return Ok(LogFilter { directives: (*directives).to_owned(), plain: true });
        }
        let wanted = "off, error, warn, info, debug, trace or a tracing filter";
        if !text.contains(['=', ',', '[']) {
            return Err(wanted.to_owned());
        }
        match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(LogFilter { directives: text.to_owned(), plain: false }),
            Err(_) => Err(wanted.to_owned()),
        }
    }

    /// Raises a plain level to debug; leaves trace and a filter of the user's own as they are.
    pub(crate) fn at_least_debug(self) -> LogFilter {
        let louder = self.directives.contains("trace");
        if self.plain && !louder {
            LogFilter { directives: DEBUG.to_owned(), plain: true }
        } else {
            self
        }
    }

    /// The filter for a layer.
    pub(crate) fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::builder()
            .parse(&self.directives)
            .expect("invariant: the directives were parsed before")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter_that_tracing_knows() {
        for (level, directives) in LEVELS {
            let filter = LogFilter::parse(level).unwrap();
            assert_eq!(filter.directives, directives);
            let _ = filter.to_env_filter();
        }
    }

    #[test]
    fn devlogs_raises_plain_levels_only() {
        let raised = |text| LogFilter::parse(text).unwrap().at_least_debug().directives;
        assert_eq!(raised("error"), DEBUG);
        assert_eq!(raised("info"), DEBUG);
        assert_eq!(raised("TRACE"), "debug,optimusdb=trace");
        assert_eq!(raised("hyper=warn"), "hyper=warn");
    }
}
