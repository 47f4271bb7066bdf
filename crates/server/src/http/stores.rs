//! `/stores`: what there is, making new ones, and who may write to them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use optimusdb_db::{Address, NewAccess, StoreKind};
use serde_json::{Map, Value};

use super::body::{BodyRoom, ReceivedBody};
use super::error::ApiError;
use super::keys::{Keys, no_query};
use super::{Api, answer};

/// What `PUT` takes.
const STORE_KEYS: Keys = Keys {
    of: "the request body",
    known: &["type", "access", "address", "columns"],
    instead: &[
        ("kind", "type"),
        ("write", "access.write"),
        ("admin", "access.admin"),
        ("writers", "access.write"),
    ],
};

const ACCESS_KEYS: Keys = Keys {
    of: "'access'",
    known: &["kind", "write", "admin"],
    instead: &[("type", "kind"), ("admins", "admin"), ("writers", "write")],
};

/// What changes an access, as an example.
const CHANGE: &str = r#"{"grant":{"write":["<identity>"]}}"#;

const CHANGE_KEYS: Keys = Keys {
    of: "the request body",
    known: &["grant", "revoke"],
    instead: &[("write", "grant.write"), ("admin", "grant.write")],
};

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
    let wanted = StoreRequest::parse(&body(&api, request).await?.bytes)?;
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
    let mut body = CHANGE_KEYS.open_body(&body(&api, request).await?.bytes, CHANGE)?;
    let [grant, revoke] = ["grant", "revoke"].map(|part| body.remove(part));
    if grant.is_none() && revoke.is_none() {
        return Err(ApiError::bad_request(format!(
            "Nothing to grant or revoke: send an object such as {CHANGE}."
        )));
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

/// The body, which says all, with room for what is parsed from it.
async fn body(api: &Api, request: Request) -> Result<StoreBody, ApiError> {
    let (parts, body) = request.into_parts();
    no_query(&parts.uri)?;
    let ReceivedBody { bytes, room } = api.bodies.read(&parts.headers, body).await?;
    let values = api.bodies.room_to_parse(&bytes).await?;
    Ok(StoreBody { bytes, _room: [room, values] })
}

struct StoreBody {
    bytes: Bytes,
    _room: [BodyRoom; 2],
}

/// What the body of `PUT` asks for.
#[derive(Debug, PartialEq, Eq)]
struct StoreRequest {
    kind: Option<StoreKind>,
    access: Option<NewAccess>,
    address: Option<Address>,
}

impl StoreRequest {
    fn parse(body: &[u8]) -> Result<StoreRequest, ApiError> {
        let mut body = STORE_KEYS.open_body(body, r#"{"type":"documents"}"#)?;
        if body.get("columns").is_some_and(|columns| !columns.is_null()) {
            return Err(ApiError::not_built("Columns of a store are not in this version."));
        }
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
                "'access' is for a new store; that of the store at 'address' is fixed.",
            ));
        }
        Ok(StoreRequest { kind, access, address })
    }
}

fn new_access(access: Map<String, Value>) -> Result<NewAccess, ApiError> {
    let mut access = ACCESS_KEYS.open(access)?;
    let kind = access.remove("kind");
    let write = identities(access.remove("write"), "access.write")?;
    let admin = identities(access.remove("admin"), "access.admin")?;
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
fn writers(part: Option<Value>, name: &'static str) -> Result<Vec<String>, ApiError> {
    let part = match part {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(part)) => part,
        Some(_) => {
            return Err(ApiError::bad_request(format!(
                "'{name}' must be an object such as {{\"write\":[\"<identity>\"]}}."
            )));
        }
    };
    if part.keys().any(|key| key.eq_ignore_ascii_case("admin")) {
        return Err(ApiError::bad_request(
            "Who is an admin is fixed when a store is made; only 'write' is granted and revoked.",
        ));
    }
    let mut part = Keys { of: name, known: &["write"], instead: &[] }.open(part)?;
    identities(part.remove("write"), &format!("{name}.write"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(body: &str) -> Result<StoreRequest, String> {
        StoreRequest::parse(body.as_bytes()).map_err(|refusal| refusal.message().to_owned())
    }

    #[test]
    fn the_type_is_optional_and_one_of_three() {
        for body in ["", " \n", "{}", r#"{"type":null,"Access":null}"#] {
            assert_eq!(
                wanted(body),
                Ok(StoreRequest { kind: None, access: None, address: None }),
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
        for body in [
            "[]",
            "{",
            r#"{"type":1}"#,
            r#"{"type":"graph"}"#,
            r#"{"columns":["a"]}"#,
            r#"{"type":"events","TYPE":"events"}"#,
        ] {
            assert!(wanted(body).is_err(), "{body}");
        }
    }

    /// What is taken for nothing would leave a store to everybody, for good.
    #[test]
    fn access_that_is_misspelt_or_misplaced_is_refused() {
        for (body, expected) in [
            (r#"{"write":["a"]}"#, "did you mean 'access.write'?"),
            (r#"{"acces":{"kind":"ipfs"}}"#, "did you mean 'access'?"),
            (r#"{"access":{"kind":"ipfs","writ":["a"]}}"#, "in 'access': did you mean 'write'?"),
            (r#"{"access":{"kind":"ipfs","writers":[]}}"#, "Unknown key 'writers' in 'access'"),
            (r#"{"access":{"kind":"ipfs","write":[],"Write":["a"]}}"#, "'write' is there twice"),
        ] {
            let message = wanted(body).unwrap_err();
            assert!(message.contains(expected), "{body}: {message}");
        }
    }

    #[test]
    fn access_is_one_of_two_kinds_with_lists() {
        let access = |text: &str| wanted(&format!(r#"{{"access":{text}}}"#)).map(|w| w.access);
        let write = vec!["a".to_owned()];
        let fixed = NewAccess::Fixed { write: write.clone() };
        assert_eq!(access(r#"{"KIND":"ipfs","Write":["a"]}"#), Ok(Some(fixed)));
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
        ] {
            assert!(access(wrong).is_err(), "{wrong}");
        }
    }
}
