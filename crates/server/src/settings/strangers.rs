//! Variables of the environment that look like settings and are none.
//!
//! A mistyped flag ends the start; a mistyped variable must not, for orchestrators put variables
//! of their own beside ours: in a cluster with a service `optimusdb`, Kubernetes sets
//! `OPTIMUSDB_PORT=tcp://…` and a dozen more in every container. So they are named in one line.

use super::table;
use crate::limits::VARIABLES_NAMED_MAX;
use crate::suggest;

const PREFIX: &str = "OPTIMUSDB_";

/// One line that names the variables beginning with `OPTIMUSDB_` that no flag has, each with the one
/// that was probably meant; nothing when there are none. Empty ones count as unset.
pub(crate) fn named(variables: impl Iterator<Item = (String, String)>) -> Option<String> {
    let is_known = |name: &str| table::ALL.iter().any(|flag| flag.variable == name);
    let mut strangers: Vec<(String, bool)> = variables
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty() && !is_known(name))
        .map(|(name, value)| {
            let linked = is_service_link(&name, &value);
            (name, linked)
        })
        .collect();
    if strangers.is_empty() {
        return None;
    }
    // Mistakes first: links come by the dozen.
    strangers.sort_by(|(a, a_linked), (b, b_linked)| (a_linked, a).cmp(&(b_linked, b)));
    let any_linked = strangers.iter().any(|(_, linked)| *linked);
    let mut told: Vec<String> = strangers
        .iter()
        .take(VARIABLES_NAMED_MAX)
        .map(|(name, linked)| tell(name, *linked))
        .collect();
    if let Some(more) = strangers.len().checked_sub(VARIABLES_NAMED_MAX).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    let links = if any_linked {
        "; those of Kubernetes service links go away with enableServiceLinks: false"
    } else {
        ""
    };
    Some(format!("variables that are no settings and have no effect: {}{links}", told.join(", ")))
}

fn tell(name: &str, linked: bool) -> String {
    match meant(name).filter(|_| !linked) {
        Some(variable) => format!("{name} (did you mean {variable}?)"),
        None => name.to_owned(),
    }
}

/// The variable that was meant: by its own name, or by that of its flag.
fn meant(name: &str) -> Option<&'static str> {
    let ours = table::ALL.iter().filter(|flag| flag.variable.starts_with(PREFIX));
    let names: Vec<(String, &'static str)> = ours
        .flat_map(|flag| {
            [flag.variable.to_owned(), format!("{PREFIX}{}", flag.name)]
                .map(|it| (it, flag.variable))
        })
        .map(|(name, variable)| (name.to_lowercase().replace('-', "_"), variable))
        .collect();
    let near = suggest::nearest(name, names.iter().map(|(name, _)| name.as_str()))?;
    names.iter().find(|(name, _)| name == near).map(|(_, variable)| *variable)
}

/// What Kubernetes sets for each service: its host, its ports, and each port as Docker once did.
fn is_service_link(name: &str, value: &str) -> bool {
    let by_name = ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|part| name.contains(part))
        || [
            "_TCP",
            "_UDP",
            "_TCP_ADDR",
            "_TCP_PORT",
            "_TCP_PROTO",
            "_UDP_ADDR",
            "_UDP_PORT",
            "_UDP_PROTO",
        ]
        .iter()
        .any(|end| name.ends_with(end) && name.contains("_PORT_"));
    by_name || value.starts_with("tcp://") || value.starts_with("udp://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Option<String> {
        named(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn what_is_known_or_not_ours_is_not_named() {
        assert_eq!(told(&[]), None);
        for &flag in table::ALL.iter().filter(|flag| !flag.variable.is_empty()) {
            assert_eq!(told(&[(flag.variable, "x")]), None);
        }
        assert_eq!(told(&[("PATH", "/bin"), ("OPTIMUSDB", "x"), ("OPTIMUSDB_PROT", "")]), None);
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        for (name, meant) in [
            ("OPTIMUSDB_API_PROT", "OPTIMUSDB_API_PORT"),
            ("OPTIMUSDB_HTTP_PORT", "OPTIMUSDB_API_PORT"),
            ("OPTIMUSDB_IPFS_PORT", "OPTIMUSDB_P2P_PORT"),
            ("OPTIMUSDB_DATA_ROOT", "OPTIMUSDB_DATA_DIR"),
            ("OPTIMUSDB_DATAROOT", "OPTIMUSDB_DATA_DIR"),
        ] {
            let line = told(&[(name, "1")]).unwrap();
            assert!(line.contains(&format!("{name} (did you mean {meant}?)")), "{line}");
        }
        let line = told(&[("OPTIMUSDB_COLOUR_OF_SKY", "blue")]).unwrap();
        assert!(line.ends_with("no effect: OPTIMUSDB_COLOUR_OF_SKY"), "{line}");
    }

    #[test]
    fn service_links_are_one_line_behind_the_mistakes() {
        let line = told(&[
            ("OPTIMUSDB_PORT", "tcp://10.0.0.1:8089"),
            ("OPTIMUSDB_PORT_8089_TCP_ADDR", "10.0.0.1"),
            ("OPTIMUSDB_SERVICE_HOST", "10.0.0.1"),
            ("OPTIMUSDB_SWORM", "x"),
        ])
        .unwrap();
        assert!(
            line.contains("no effect: OPTIMUSDB_SWORM (did you mean OPTIMUSDB_SWARM?), "),
            "{line}"
        );
        assert!(
            line.contains("OPTIMUSDB_PORT, OPTIMUSDB_PORT_8089_TCP_ADDR, OPTIMUSDB_SERVICE_HOST;")
        );
        assert!(line.contains("enableServiceLinks: false"), "{line}");
        let many: Vec<(String, String)> = (0..VARIABLES_NAMED_MAX + 5)
            .map(|number| (format!("OPTIMUSDB_LONELY_THING_{number}"), "x".to_owned()))
            .collect();
        assert!(named(many.into_iter()).unwrap().ends_with(", and 5 more"));
    }
}
