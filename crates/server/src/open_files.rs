//! The limit of open files: every connection takes one, and the usual soft limit of 1,024 is less
//! than the connections that a node is asked to hold.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. A refusal is only worth a log line.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the limit of open files stays as it is: {error}");
    }
}

/// How many files this process may have open.
pub(crate) fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
