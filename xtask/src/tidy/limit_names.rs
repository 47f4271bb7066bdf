//! The rule for `limits.rs` of every room: a limit says what it bounds and in which unit.
//!
//! Units come last, before an optional `_MAX` or `_MIN`: `BODY_BYTES_MAX`, `FETCH_TIMEOUT_MS`. What
//! is counted is its own unit, in the plural: `WRITE_DOCUMENTS_MAX`, `REFS_WRITTEN_MAX`.

use super::Finding;
use super::tree::Tree;

/// Words that are a unit without being a plural.
const UNITS: &[&str] = &["MS", "KIB", "MIB", "DEPTH", "PERCENT", "VERSION"];

/// Every constant of a `limits.rs` is documented and ends with its unit.
pub(super) fn documented_and_with_units(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path.ends_with("/limits.rs")) {
        let mut documented = false;
        for (number, line) in file.lines() {
            let line = line.trim();
            if let Some((name, kind)) = constant(line) {
                if !documented {
                    let message = format!("`{name}` has no doc");
                    findings.push(Finding::new(&file.path, number, message));
                }
                // A Duration carries its unit in its type.
                if !kind.contains("Duration") && !has_unit(name) {
                    let message = format!("`{name}` does not end with its unit (and _MAX or _MIN)");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
            let attribute = line.starts_with("#[");
            documented = line.starts_with("///") || (documented && attribute);
        }
    }
    findings
}

/// Name and type of the constant that `line` declares.
fn constant(line: &str) -> Option<(&str, &str)> {
    let after = match line.strip_prefix("pub") {
        Some(public) => public.trim_start_matches("(crate)").trim_start_matches("(super)"),
        None => line,
    };
    let (name, rest) = after.trim_start().strip_prefix("const ")?.split_once(':')?;
    let kind = rest.split('=').next().unwrap_or(rest);
    Some((name.trim(), kind.trim()))
}

fn has_unit(name: &str) -> bool {
    let bounded = name.strip_suffix("_MAX").or_else(|| name.strip_suffix("_MIN")).unwrap_or(name);
    let unit = bounded.rsplit('_').next().unwrap_or(bounded);
    let is_plural = |word: &str| word.len() > 2 && word.ends_with('S') && !word.ends_with("SS");
    UNITS.contains(&unit) || bounded.split('_').any(is_plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_without_doc_or_unit_is_found() {
        let tree = Tree::of(&[(
            "crates/a/src/limits.rs",
            "//! Limits.\n\
             /// Longest body.\n\
             pub const BODY_BYTES_MAX: usize = 1;\n\
             pub const TIMEOUT_MS: u64 = 1;\n\
             /// Largest.\n\
             pub(crate) const BODY_MAX: usize = 1;\n\
             /// How long.\n\
             const DEADLINE: Duration = Duration::ZERO;\n",
        )]);
        let found: Vec<(usize, String)> = documented_and_with_units(&tree)
            .into_iter()
            .map(|finding| (finding.line, finding.message))
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], (4, "`TIMEOUT_MS` has no doc".to_owned()));
        assert_eq!(found[1].0, 6);
    }

    #[test]
    fn units_are_plurals_or_known_words() {
        for name in [
            "BODY_BYTES_MAX",
            "CRITERIA_DEPTH_MAX",
            "FETCH_TIMEOUT_MS",
            "REFS_WRITTEN_MAX",
            "CACHE_KIB",
        ] {
            assert!(has_unit(name), "{name}");
        }
        for name in ["BODY_MAX", "TIMEOUT", "MS_TIMEOUT", "ADDRESS_MAX"] {
            assert!(!has_unit(name), "{name}");
        }
    }
}
