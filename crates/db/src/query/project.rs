//! `fields`: which parts of a document a reader wants.

use serde_json::{Map, Value};

use super::path::Path;
use crate::Error;
use crate::limits::PROJECTION_FIELDS_MAX;

/// The fields to keep of each document, as dotted paths. `_id` is always kept.
///
/// Paths go where those of criteria go: a literal dotted key wins, an array is entered element by
/// element, a numeric segment keeps one element. What a path does not reach is left out, along with
/// objects and arrays that nothing is left of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    paths: Vec<Path>,
}

/// A path and the segment from which it is still to be followed.
type Rest<'p> = (&'p Path, usize);

impl Projection {
    /// The named fields.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more fields than `PROJECTION_FIELDS_MAX` or a path with too many
    /// segments.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Projection, Error> {
        let mut paths = vec![Path::new("_id")?];
        for name in names {
            if paths.len() > PROJECTION_FIELDS_MAX {
                return Err(Error::Invalid(format!(
                    "fields names more than {PROJECTION_FIELDS_MAX} fields (PROJECTION_FIELDS_MAX)"
                )));
            }
            paths.push(Path::new(name)?);
        }
        Ok(Projection { paths })
    }

    /// The names, `_id` first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(Path::text)
    }

    /// What these fields keep of a document; anything that is not an object is kept whole.
    pub fn project(&self, document: Value) -> Value {
        let Value::Object(map) = document else { return document };
        let rests: Vec<Rest<'_>> = self.paths.iter().map(|path| (path, 0)).collect();
        Value::Object(keep_in_object(map, &rests))
    }
}

/// The recursion goes one level per segment, arrays aside, which are never entered twice in a row
/// without an index.
fn keep(value: Value, rests: &[Rest<'_>]) -> Option<Value> {
    if rests.iter().any(|(path, at)| *at == path.len()) {
        return Some(value);
    }
    match value {
        Value::Object(map) => {
            let kept = keep_in_object(map, rests);
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept = keep_in_array(items, rests);
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn keep_in_object(mut map: Map<String, Value>, rests: &[Rest<'_>]) -> Map<String, Value> {
    let mut wanted: Vec<(&str, Rest<'_>)> = rests
        .iter()
        .filter_map(|&(path, at)| {
            let (_, next) = path.step(&map, at)?;
            Some((path.run(at, next), (path, next)))
        })
        .collect();
    wanted.sort_by_key(|(key, _)| *key);
    let mut kept = Map::new();
    for group in wanted.chunk_by(|(a, _), (b, _)| a == b) {
        let key = group[0].0;
        let rests: Vec<Rest<'_>> = group.iter().map(|(_, rest)| *rest).collect();
        let Some((key, value)) = map.remove_entry(key) else { continue };
        if let Some(value) = keep(value, &rests) {
            kept.insert(key, value);
        }
    }
    kept
}

fn keep_in_array(items: Vec<Value>, rests: &[Rest<'_>]) -> Vec<Value> {
    let mut kept = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let is_object = item.is_object();
        let rests: Vec<Rest<'_>> = rests
            .iter()
            .filter_map(|&(path, at)| match path.index_at(at) {
                Some(wanted) => (wanted == index).then_some((path, at + 1)),
                None => is_object.then_some((path, at)),
            })
            .collect();
        if !rests.is_empty() {
            kept.extend(keep(item, &rests));
        }
    }
    kept
}
