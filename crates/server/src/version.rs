//! What this build is.

/// The version of the package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `optimusdb 0.2.0 (commit 0123456789ab)`; `unknown` where the build could not tell.
pub(crate) fn line() -> String {
    match env!("OPTIMUSDB_COMMIT") {
        "" => format!("optimusdb {VERSION} (commit unknown)"),
        commit => format!("optimusdb {VERSION} (commit {commit})"),
    }
}
