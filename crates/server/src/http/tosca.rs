//! `POST /tosca/match`: who has what the nodes of TOSCA templates ask for.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use optimusdb_db::limits::{MATCH_SHOWN_CAPACITIES, MATCH_SHOWN_CAPACITIES_MAX};
use optimusdb_db::{Criteria, ToscaQuestion};
use serde_json::{Value, json};

use super::error::ApiError;
use super::keys::{Keys, Opened, no_query};
use super::listen::client_of;
use super::{Api, answer};

const KEYS: Keys = Keys {
    of: "the request body",
    known: &["template", "criteria", "node", "requirement", "stores", "limit", "time_budget_ms"],
    instead: &[
        ("_id", "template"),
        ("template_id", "template"),
        ("store", "stores"),
        ("dstype", "stores"),
        ("target_store", "stores"),
    ],
};

const EXAMPLE: &str = r#"{"template":"tosca_app_0123456789abcdef","stores":["tosca_capacities"]}"#;

/// Where capacities are looked for unless stores are named.
const CAPACITIES: &str = "tosca_capacities";

/// `POST /tosca/match`.
pub(super) async fn find_matches(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    no_query(&parts.uri)?;
    let received = api.bodies.read(&parts.headers, body).await?;
    let _values = api.bodies.room_to_parse(&received.bytes).await?;
    let client = client_of(&parts.extensions);
    let question = ToscaQuestion { client, ..question(&received.bytes)? };
    Ok(answer::data(&api.node.match_tosca(question).await?))
}

fn question(body: &[u8]) -> Result<ToscaQuestion, ApiError> {
    let mut body = KEYS.open_body(body, EXAMPLE)?;
    let template = text(&mut body, "template")?;
    let criteria = body.remove("criteria").filter(|criteria| !criteria.is_null());
    let templates = match (&template, criteria) {
        (Some(id), None) => Criteria::parse(&json!({"_id": {"$eq": id}}))?,
        (None, Some(criteria)) => Criteria::parse(&criteria)?,
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request(
                "'template' names one template and 'criteria' mean some: send one of them.",
            ));
        }
        (None, None) => {
            return Err(ApiError::bad_request(format!(
                "Neither 'template' nor 'criteria' is there: send an object such as {EXAMPLE}."
            )));
        }
    };
    Ok(ToscaQuestion {
        templates,
        template,
        node: text(&mut body, "node")?,
        requirement: text(&mut body, "requirement")?,
        stores: stores(body.remove("stores"))?,
        limit: match count(&mut body, "limit", 0)? {
            None => MATCH_SHOWN_CAPACITIES,
            Some(limit) if limit <= MATCH_SHOWN_CAPACITIES_MAX as u64 => limit as usize,
            Some(_) => {
                return Err(ApiError::bad_request(format!(
                    "'limit' must be at most {MATCH_SHOWN_CAPACITIES_MAX}."
                )));
            }
        },
        time_budget_ms: count(&mut body, "time_budget_ms", 1)?,
        client: None,
    })
}

fn text(body: &mut Opened<Value>, key: &str) -> Result<Option<String>, ApiError> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(format!("'{key}' must be a string, and not empty."))),
    }
}

fn count(body: &mut Opened<Value>, key: &str, least: u64) -> Result<Option<u64>, ApiError> {
    match body.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(count) if count >= least => Ok(Some(count)),
            _ => Err(ApiError::bad_request(format!(
                "'{key}' must be a whole number, {least} or more."
            ))),
        },
    }
}

fn stores(stores: Option<Value>) -> Result<Vec<String>, ApiError> {
    let named = match stores {
        None | Some(Value::Null) => return Ok(vec![CAPACITIES.to_owned()]),
        Some(Value::String(store)) => vec![Value::String(store)],
        Some(Value::Array(stores)) => stores,
        Some(_) => Vec::new(),
    };
    let texts: Option<Vec<String>> = named
        .into_iter()
        .map(|store| match store {
            Value::String(store) => Some(store),
            _ => None,
        })
        .collect();
    texts.filter(|stores| !stores.is_empty()).ok_or_else(|| {
        ApiError::bad_request(format!(
            "'stores' must be an array of names of stores, such as [\"{CAPACITIES}\"]."
        ))
    })
}
