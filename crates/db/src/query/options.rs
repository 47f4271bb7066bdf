//! A read: criteria and the options beside them.

use serde_json::{Map, Value};
use std::net::IpAddr;

use super::criteria::Criteria;
use super::project::Projection;
use super::refusals::wrong;
use super::sort;
use crate::Error;
use crate::limits::SORT_FIELDS_MAX;
use optimusdb_dag::LogCid;
use optimusdb_storage::limits::SQL_PATH_SEGMENTS_MAX;
use optimusdb_storage::{Field, Order, SortField};

/// What a read asks for. The default asks for everything.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Which documents.
    pub criteria: Criteria,
    /// At most so many; zero is none, `None` is all.
    pub limit: Option<u64>,
    /// After leaving out so many.
    pub skip: u64,
    /// Of events in the order of their log, only those after this entry.
    pub after: Option<LogCid>,
    /// Fields to order by, the first decides first. When empty, documents come in the order of their
    /// `_id`s, events in that of the log.
    pub sort: Vec<(String, SortOrder)>,
    /// The parts of each document to return; `None` is all of it.
    pub fields: Option<Projection>,
    /// Whom to ask.
    pub strategy: Strategy,
    /// How many answers to wait for.
    pub consistency: Consistency,
    /// Answers that make a quorum; `None` leaves it to the size of the swarm.
    pub quorum_n: Option<u64>,
    /// Documents found here that make asking others needless.
    pub min_rows: Option<u64>,
    /// Peers to ask at most.
    pub max_peers: Option<u64>,
    /// Time for the whole of it, in milliseconds; `None` leaves it to the command.
    pub time_budget_ms: Option<u64>,
    /// The address of who asks; `None` for the node itself.
    pub client: Option<IpAddr>,
    /// Whether each document says which node it came from.
    pub annotate_source: bool,
}

/// Direction of a sort field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// Null and what is missing first, then numbers, texts, objects, arrays, booleans; of an array,
    /// the least element.
    Ascending,
    /// The other way round; of an array, the greatest element.
    Descending,
}

/// Where a `query` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// This node.
    LocalOnly,
    /// The peers.
    RemoteOnly,
    /// This node, then the peers, merged.
    #[default]
    LocalThenRemoteMerge,
    /// Both at once, merged.
    ParallelMerge,
    /// As many nodes as make a quorum.
    Quorum,
    /// The peers; this node when none answers.
    RemoteThenLocalFallback,
}

/// How many of the asked nodes have to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Those that answer in time.
    #[default]
    BestEffort,
    /// A quorum.
    Quorum,
    /// All of them.
    All,
}

impl Query {
    /// A read as a request spells it. `null` or nothing stands for no options; unknown options are
    /// ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for wrong criteria, see [`Criteria::parse`], and for an option of the
    /// wrong shape, by its name.
    pub fn from_json(criteria: &Value, options: &Value) -> Result<Query, Error> {
        let criteria = Criteria::parse(criteria)?;
        let none = Map::new();
        let options = match options {
            Value::Null => &none,
            Value::Object(options) => options,
            other => return Err(wrong("options", "an object", other)),
        };
        Ok(Query {
            criteria,
            limit: count(options, "limit")?,
            skip: count(options, "skip")?.unwrap_or(0),
            after: None,
            sort: sorted(options)?,
            fields: fields(options)?,
            strategy: named(options, "strategy", &STRATEGIES)?,
            consistency: named(options, "consistency", &CONSISTENCIES)?,
            quorum_n: count(options, "quorum_n")?,
            min_rows: count(options, "min_rows")?,
            max_peers: count(options, "max_peers")?,
            time_budget_ms: count(options, "time_budget_ms")?,
            client: None,
            annotate_source: flag(options, "annotate_source")?,
        })
    }

    /// The document with only the fields that were asked for.
    pub fn project(&self, document: Value) -> Value {
        match &self.fields {
            Some(fields) => fields.project(document),
            None => document,
        }
    }

    /// The order that `sort` asks for, equal documents by their `_id`s; without one, the store's own.
    pub(crate) fn order(&self) -> Order {
        if self.sort.is_empty() {
            Order::Own
        } else {
            let field = |(path, order): &(String, SortOrder)| {
                let descending = *order == SortOrder::Descending;
                Some(SortField { field: Field::new(path)?, descending })
            };
            Order::By(self.sort.iter().filter_map(field).collect(), sort::sort_value)
        }
    }

    /// Whether less than all that matches is asked for.
    pub(crate) fn is_part(&self) -> bool {
        self.limit.is_some() || self.skip > 0
    }
}

impl From<Criteria> for Query {
    fn from(criteria: Criteria) -> Query {
        Query { criteria, ..Query::default() }
    }
}

const STRATEGIES: [(&str, Strategy); 6] = [
    ("LOCAL_ONLY", Strategy::LocalOnly),
    ("REMOTE_ONLY", Strategy::RemoteOnly),
    ("LOCAL_THEN_REMOTE_MERGE", Strategy::LocalThenRemoteMerge),
    ("PARALLEL_MERGE", Strategy::ParallelMerge),
    ("QUORUM", Strategy::Quorum),
    ("REMOTE_THEN_LOCAL_FALLBACK", Strategy::RemoteThenLocalFallback),
];

const CONSISTENCIES: [(&str, Consistency); 5] = [
    ("BEST_EFFORT", Consistency::BestEffort),
    ("EVENTUAL", Consistency::BestEffort),
    ("QUORUM", Consistency::Quorum),
    ("ALL", Consistency::All),
    ("STRONG", Consistency::All),
];

/// An option that is there and not null.
fn given<'o>(options: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    options.get(name).filter(|value| !value.is_null())
}

fn count(options: &Map<String, Value>, name: &str) -> Result<Option<u64>, Error> {
    let Some(value) = given(options, name) else { return Ok(None) };
    value
        .as_number()
        .and_then(super::compare::whole)
        .and_then(|whole| u64::try_from(whole).ok())
        .map(Some)
        .ok_or_else(|| wrong(&format!("option {name}"), "a whole number from 0", value))
}

fn flag(options: &Map<String, Value>, name: &str) -> Result<bool, Error> {
    match given(options, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(wrong(&format!("option {name}"), "true or false", other)),
    }
}

fn named<T: Copy + Default>(
    options: &Map<String, Value>,
    name: &str,
    known: &[(&str, T)],
) -> Result<T, Error> {
    let Some(value) = given(options, name) else { return Ok(T::default()) };
    let found = value.as_str().and_then(|text| {
        known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, known)| *known)
    });
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        wrong(&format!("option {name}"), &format!("one of {}", names.join(", ")), value)
    })
}

fn sorted(options: &Map<String, Value>) -> Result<Vec<(String, SortOrder)>, Error> {
    let Some(value) = given(options, "sort") else { return Ok(vec![]) };
    let items = match value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let mut sort = Vec::new();
    for item in items {
        let Value::Object(object) = item else {
            return Err(wrong("option sort", "an array of {\"field\": 1 or -1}", item));
        };
        for (field, direction) in object {
            if sort.len() == SORT_FIELDS_MAX {
                return Err(Error::Invalid(format!(
                    "option sort names more than {SORT_FIELDS_MAX} fields (SORT_FIELDS_MAX)"
                )));
            }
            if field.starts_with('$') {
                return Err(Error::Invalid(format!(
                    "option sort cannot order by '{}': it takes fields, and no operators",
                    field.escape_debug()
                )));
            }
            if Field::new(field).is_none() {
                return Err(Error::Invalid(format!(
                    "option sort cannot order by {field:?}: it takes paths without NUL of up to \
                     {SQL_PATH_SEGMENTS_MAX} segments (SQL_PATH_SEGMENTS_MAX)"
                )));
            }
            sort.push((field.clone(), order(direction)?));
        }
    }
    Ok(sort)
}

fn order(direction: &Value) -> Result<SortOrder, Error> {
    let sign = match direction {
        Value::String(text) if text.eq_ignore_ascii_case("asc") => Some(1),
        Value::String(text) if text.eq_ignore_ascii_case("desc") => Some(-1),
        Value::Number(number) => super::compare::whole(number),
        _ => None,
    };
    match sign {
        Some(1) => Ok(SortOrder::Ascending),
        Some(-1) => Ok(SortOrder::Descending),
        _ => Err(wrong("option sort", "1 or -1 as a direction", direction)),
    }
}

/// An empty list is no list: clients pad requests with it.
fn fields(options: &Map<String, Value>) -> Result<Option<Projection>, Error> {
    let expected = "an array of field names";
    let names = match given(options, "fields") {
        None => return Ok(None),
        Some(Value::Array(names)) if names.is_empty() => return Ok(None),
        Some(Value::Array(names)) => names,
        Some(other) => return Err(wrong("option fields", expected, other)),
    };
    let names: Vec<&str> = names
        .iter()
        .map(|name| name.as_str().ok_or_else(|| wrong("option fields", expected, name)))
        .collect::<Result<_, _>>()?;
    Projection::new(names).map(Some)
}
