//! `GET /openapi.json`: the description of the API, kept by hand in `openapi.json` beside this file.
//!
//! One endpoint takes a dozen commands of different shapes, which a description says with `oneOf` and
//! derives do not. Tests hold it against the routes and the commands in both directions.

use axum::response::Response;
use serde_json::Value;

use super::json;

const DESCRIPTION: &str = include_str!("openapi.json");

/// Answers with the description. Its server is relative, so it holds behind any proxy.
pub(super) async fn openapi() -> Response {
    json::answer(DESCRIPTION)
}

/// The description as a value.
pub(super) fn description() -> Value {
    serde_json::from_str(DESCRIPTION).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::{command, routes};

    fn keys(object: &Value) -> BTreeSet<String> {
        object.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn it_is_of_this_version() {
        assert_eq!(description()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn it_has_every_path_and_no_other() {
        // A description has no way to say that a parameter takes slashes.
        let plain = |path: &str| path.replace("{*", "{");
        let served: BTreeSet<String> =
            routes::endpoints().iter().map(|endpoint| plain(endpoint.path)).collect();
        assert_eq!(keys(&description()["paths"]), served);
    }

    #[test]
    fn it_has_every_command_and_no_other() {
        let description = description();
        let commands = description["components"]["schemas"]["Command"]["oneOf"].as_array().unwrap();
        let described: BTreeSet<String> = commands
            .iter()
            .map(|command| {
                let pointer = command["$ref"].as_str().unwrap().trim_start_matches('#');
                let cmd = description
                    .pointer(&format!("{pointer}/properties/method/properties/cmd/const"));
                cmd.unwrap().as_str().unwrap().to_owned()
            })
            .collect();
        let known: BTreeSet<String> = command::names().map(str::to_owned).collect();
        assert_eq!(described, known);
    }

    #[test]
    fn its_references_lead_somewhere() {
        fn walk<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    references.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| walk(value, references));
                }
                Value::Array(array) => array.iter().for_each(|value| walk(value, references)),
                _ => {}
            }
        }
        let description = description();
        let mut references = Vec::new();
        walk(&description, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_is_named_once_and_answers() {
        let description = description();
        let mut names = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters")
            {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} twice");
                assert!(
                    operation["responses"].as_object().is_some_and(|answers| !answers.is_empty()),
                    "{method} {path}"
                );
            }
        }
    }
}
