//! `crudupdate`: set fields in the documents that match.

use axum::response::Response;
use optimusdb_db::Node;
use serde_json::{Map, Value};

use super::envelope::{Envelope, objects};
use crate::http::answer;
use crate::http::error::ApiError;

/// The line in `help`.
pub(super) const HELP: &str = "crudupdate: set the fields of 'UpdateData' in the documents of the store 'dstype' that match 'criteria'; [{}] is all; 'options' limit, skip and sort say which of them";

/// Updates what matches, in one step against other writers. The node refuses a request that names no
/// documents or sets nothing.
pub(super) async fn run(node: &Node, envelope: Envelope) -> Result<Response, ApiError> {
    let query = envelope.changed()?;
    let fields = fields(envelope.update_data)?;
    let updated = node.update(&envelope.store, query, fields).await?;
    Ok(answer::data(&format!("SUCCESS! {updated} document(s) updated")))
}

/// The objects of `UpdateData` as one; where they name the same field, the later wins.
fn fields(update_data: Value) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Map::new();
    for (at, object) in objects(update_data, "UpdateData")?.into_iter().enumerate() {
        match object {
            Value::Object(object) => fields.extend(object),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "'UpdateData[{at}]' must be an object of fields to set."
                )));
            }
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_merge_in_order() {
        let merged = fields(json!([{"a": 1, "b": 1}, {"b": 2}, {}])).unwrap();
        assert_eq!(Value::Object(merged), json!({"a": 1, "b": 2}));
        assert_eq!(Value::Object(fields(json!({"a": 1})).unwrap()), json!({"a": 1}));
        for nothing in [json!(null), json!([]), json!({}), json!([{}, {}])] {
            assert!(fields(nothing).unwrap().is_empty());
        }
    }

    #[test]
    fn what_is_no_object_is_refused_by_its_place() {
        assert!(fields(json!([{"a": 1}, 2])).unwrap_err().message().contains("'UpdateData[1]'"));
        assert!(fields(json!("a")).unwrap_err().message().contains("must be an array"));
    }
}
