//! `/stores`: what there is, making new ones, and who may write to them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use optimusdb_db::{Address, NewAccess, StoreKind};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::{Api, answer};

/// `GET /stores`: every store with its address and figures.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    Ok(answer::data(&api.node.stores().await?))
}

/// `PUT /stores/{name}`: makes a store, or finds it made.
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = name_of(name)?;
    let wanted = Wanted::parse(body(&api, request).await?)?;
    if let Some(address) = wanted.address {
        return Ok(answer::data(&api.node.adopt_store(&name, address, wanted.kind).await?));
    }
    let kind = wanted.kind.unwrap_or(StoreKind::Documents);
    Ok(answer::data(&api.node.create_store(&name, kind, wanted.access).await?))
}

/// `GET /stores/{name}/access`: who may write to a store.
pub(super) async fn access(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    Ok(answer::data(&api.node.access(&name_of(name)?).await?))
}

/// `POST /stores/{name}/access`: grants and revokes.
pub(super) async fn change_access(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = name_of(name)?;
    let mut body = body(&api, request).await?;
    let [grant, revoke] = ["grant", "revoke"].map(|part| body.remove(part));
    no_other(&body, "grant, revoke")?;
    if grant.is_none() && revoke.is_none() {
        return Err(ApiError::bad_request(
            r#"Nothing to grant or revoke: send an object such as {"grant":{"write":["<identity>"]}}."#,
        ));
    }
    let (grant, revoke) = (writers(grant, "grant")?, writers(revoke, "revoke")?);
    Ok(answer::data(&api.node.change_access(&name, grant, revoke).await?))
}

fn name_of(name: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    match name {
        Ok(Path(name)) => Ok(name),
        Err(error) => Err(ApiError::bad_request(format!("Not a store's name: {error}"))),
    }
}

/// The object in the body; without a body, an empty one.
async fn body(api: &Api, request: Request) -> Result<Map<String, Value>, ApiError> {
    let (parts, body) = request.into_parts();
    let received = api.bodies.read(&parts.headers, body).await?;
    let _values = api.bodies.room_to_parse(&received.bytes).await?;
    object(&received.bytes)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("The request body is not JSON: {error}."))
    })?;
    match body {
        Value::Object(body) => Ok(body),
        _ => Err(ApiError::bad_request(
            r#"The request body must be an object such as {"type":"documents"}."#,
        )),
    }
}

/// What the body asks for; keys that mean nothing are skipped.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    kind: Option<StoreKind>,
    access: Option<NewAccess>,
    address: Option<Address>,
}

impl Wanted {
    fn parse(mut body: Map<String, Value>) -> Result<Wanted, ApiError> {
        let kind = match body.remove("type") {
            None | Some(Value::Null) => None,
            Some(kind) => {
                Some(kind.as_str().and_then(|kind| kind.parse().ok()).ok_or_else(|| {
                    ApiError::bad_request(
                        "'type' must be \"documents\", \"events\" or \"keyvalue\".",
                    )
                })?)
            }
        };
        let access = match body.remove("access") {
            None | Some(Value::Null) => None,
            Some(Value::Object(access)) => Some(new_access(access)?),
            Some(_) => {
                return Err(ApiError::bad_request(
                    r#"'access' must be an object such as {"kind":"orbitdb","write":["<identity>"]}."#,
                ));
            }
        };
        let address = match body.remove("address") {
            None | Some(Value::Null) => None,
            Some(address) => {
                Some(address.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
                    ApiError::bad_request(
                        "'address' must be the address of a store, such as \"/orbitdb/zdpu…\".",
                    )
                })?)
            }
        };
        if access.is_some() && address.is_some() {
            return Err(ApiError::bad_request(
                "'access' is for a new store; that of the store at 'address' is settled.",
            ));
        }
        Ok(Wanted { kind, access, address })
    }
}

fn new_access(mut access: Map<String, Value>) -> Result<NewAccess, ApiError> {
    let kind = access.remove("kind");
    let write = identities(access.remove("write"), "access.write")?;
    let admin = identities(access.remove("admin"), "access.admin")?;
    no_other(&access, "kind, write, admin")?;
    match kind.as_ref().and_then(Value::as_str) {
        Some("orbitdb") => Ok(NewAccess::Mutable { write, admin }),
        Some("ipfs") if admin.is_empty() => Ok(NewAccess::Fixed { write }),
        Some("ipfs") => Err(ApiError::bad_request(
            "Access of the kind ipfs never changes and has no admins: leave out 'admin', or take \
             the kind orbitdb.",
        )),
        _ => Err(ApiError::bad_request(
            "'access.kind' must be \"ipfs\", a list for good, or \"orbitdb\", one that admins change.",
        )),
    }
}

/// The list under `write`, which is all that can be granted.
fn writers(part: Option<Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let mut part = match part {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(part)) => part,
        Some(_) => {
            return Err(ApiError::bad_request(format!(
                "'{name}' must be an object such as {{\"write\":[\"<identity>\"]}}."
            )));
        }
    };
    let write = identities(part.remove("write"), &format!("{name}.write"))?;
    if part.contains_key("admin") {
        return Err(ApiError::bad_request(
            "Who is an admin is settled when a store is made; only 'write' is granted and revoked.",
        ));
    }
    no_other(&part, "write")?;
    Ok(write)
}

fn identities(list: Option<Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let texts = match list {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|id| match id {
                Value::String(id) => Some(id),
                _ => None,
            })
            .collect(),
        Some(_) => None,
    };
    texts.ok_or_else(|| {
        ApiError::bad_request(format!("'{name}' must be an array of identities, each a string."))
    })
}

fn no_other(object: &Map<String, Value>, known: &str) -> Result<(), ApiError> {
    match object.keys().next() {
        None => Ok(()),
        Some(key) => {
            let key: String = key.chars().take(60).collect();
            Err(ApiError::bad_request(format!("The key '{key}' is unknown; known are: {known}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(body: &str) -> Result<Wanted, String> {
        object(body.as_bytes())
            .and_then(Wanted::parse)
            .map_err(|refusal| refusal.message().to_owned())
    }

    #[test]
    fn the_type_is_optional_and_one_of_three() {
        for body in ["", " \n", "{}", r#"{"type":null,"access":null}"#, r#"{"more":1}"#] {
            assert_eq!(
                wanted(body),
                Ok(Wanted { kind: None, access: None, address: None }),
                "{body}"
            );
        }
        for (body, kind) in [
            (r#"{"type":"documents"}"#, StoreKind::Documents),
            (r#"{"type":"events"}"#, StoreKind::Events),
            (r#"{"type":"keyvalue"}"#, StoreKind::KeyValue),
        ] {
            assert_eq!(wanted(body).unwrap().kind, Some(kind));
        }
        for body in ["[]", "{", r#"{"type":1}"#, r#"{"type":"graph"}"#] {
            assert!(wanted(body).is_err(), "{body}");
        }
    }

    #[test]
    fn access_is_one_of_two_kinds_with_lists() {
        let access = |text: &str| wanted(&format!(r#"{{"access":{text}}}"#)).map(|w| w.access);
        let write = vec!["a".to_owned()];
        let fixed = NewAccess::Fixed { write: write.clone() };
        assert_eq!(access(r#"{"kind":"ipfs","write":["a"]}"#), Ok(Some(fixed)));
        let mutable = NewAccess::Mutable { write, admin: Vec::new() };
        assert_eq!(access(r#"{"kind":"orbitdb","write":["a"],"admin":null}"#), Ok(Some(mutable)));
        for wrong in [
            "[]",
            "\"ipfs\"",
            "{}",
            r#"{"write":["a"]}"#,
            r#"{"kind":"other"}"#,
            r#"{"kind":"ipfs","admin":["a"]}"#,
            r#"{"kind":"ipfs","write":"a"}"#,
            r#"{"kind":"ipfs","write":[1]}"#,
            r#"{"kind":"ipfs","writers":[]}"#,
        ] {
            assert!(access(wrong).is_err(), "{wrong}");
        }
    }
}
