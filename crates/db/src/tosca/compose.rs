//! From the events of a YAML parser to one JSON value.
//!
//! Anchors, aliases and merge keys are resolved here, on an explicit stack: no input makes this
//! recurse. Each key and value is paid for out of a fixed budget before it is made, and so is each
//! copy that an anchor or an alias makes, so that the work is bounded by the limits and not by what
//! the file unfolds to.
//!
//! Keys that are not text become it: scalars as they are written, lists and mappings as JSON.

use std::collections::HashMap;

use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag, options,
};

use super::scalar;
use crate::Error;
use crate::limits::{TOSCA_DEPTH_MAX, TOSCA_EXPANDED_BYTES_MAX, TOSCA_NODES_MAX};

/// The one document of a YAML stream; null where it says nothing. Empty documents beside it do not
/// count. Of several documents, the first that declares TOSCA is taken; if none does, that is an error.
pub(super) fn compose(text: &str) -> Result<Value, Error> {
    // Comments are not wanted, so neither is the limit on how many may stand together.
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: TOSCA_DEPTH_MAX,
        block_nesting_limit: TOSCA_DEPTH_MAX,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut composer = Composer::default();
    let mut started = Marker::default();
    let mut document = None;
    let mut second = None;
    for event in parser {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        match event {
            Event::DocumentStart(..) => started = span.start,
            Event::DocumentEnd => {
                let value = composer.finish();
                match &document {
                    _ if value.is_null() => {}
                    None => document = Some(value),
                    Some(earlier) => {
                        second = second.or(Some(started));
                        if is_tosca(&value) && !is_tosca(earlier) {
                            document = Some(value);
                        }
                    }
                }
            }
            event => composer.event(event, span.start)?,
        }
    }
    let document = document.unwrap_or(Value::Null);
    match second {
        Some(at) if !is_tosca(&document) => Err(invalid(
            at,
            "a second document begins here, and none has tosca_definitions_version: upload each as \
             a file of its own",
        )),
        _ => Ok(document),
    }
}

fn is_tosca(document: &Value) -> bool {
    document.get("tosca_definitions_version").is_some()
}

#[derive(Default)]
struct Composer {
    /// What has been made so far, copies included.
    spent: Weight,
    anchors: HashMap<usize, YamlNode>,
    /// The collections that are open, outermost first.
    open: Vec<Frame>,
    root: Option<YamlNode>,
}

/// A finished value, with what copying it costs.
#[derive(Clone)]
struct YamlNode {
    value: Value,
    weight: Weight,
    /// Levels of collections: 0 for a scalar.
    height: usize,
}

#[derive(Default, Clone, Copy)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

struct Frame {
    anchor: usize,
    weight: Weight,
    height: usize,
    body: FrameBody,
}

enum FrameBody {
    Sequence(Vec<Value>),
    Mapping {
        map: Map<String, Value>,
        merged: Vec<Map<String, Value>>,
        key: Option<MappingKey>,
        /// Values that are versions if `type` says so, as they are written.
        versions: Vec<(String, String)>,
    },
}

/// The key whose value comes next.
enum MappingKey {
    Text(String),
    /// `<<`
    Merge,
}

impl Composer {
    fn event(&mut self, event: Event<'_>, at: Marker) -> Result<(), Error> {
        match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(invalid(at, "an alias refers to what it stands in"));
                };
                let weight = node.weight;
                self.check_depth(node.height, at)?;
                self.spend(weight, at)?;
                self.place(self.anchors[&anchor].clone(), at)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), at)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(anchor, FrameBody::Sequence(Vec::new()), at)
            }
            Event::MappingStart(_, anchor, _) => {
                let body = FrameBody::Mapping {
                    map: Map::new(),
                    merged: Vec::new(),
                    key: None,
                    versions: Vec::new(),
                };
                self.open(anchor, body, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), Error> {
        let weight = Weight { nodes: 1, bytes: text.len() };
        self.spend(weight, at)?;
        let plain = style == ScalarStyle::Plain && tag.is_none();
        let value = if plain && self.is_version(text) {
            text.into()
        } else {
            scalar::resolve(text, style, tag).map_err(|why| invalid(at, &why))?
        };
        let node = YamlNode { value, weight, height: 0 };
        self.remember(anchor, &node, at)?;
        if !self.expects_key() {
            return self.place(node, at);
        }
        let merge = tag.is_some_and(|tag| {
            tag.suffix_in_namespace("tag:yaml.org,2002:").is_some_and(|name| name == "merge")
        });
        let key = if merge || plain && text == "<<" {
            MappingKey::Merge
        } else {
            MappingKey::Text(text.to_owned())
        };
        self.place_key(key, weight, at)
    }

    fn open(&mut self, anchor: usize, body: FrameBody, at: Marker) -> Result<(), Error> {
        self.check_depth(1, at)?;
        let weight = Weight { nodes: 1, bytes: 0 };
        self.spend(weight, at)?;
        self.open.push(Frame { anchor, weight, height: 1, body });
        Ok(())
    }

    fn close(&mut self, at: Marker) -> Result<(), Error> {
        let frame = self.open.pop().expect("invariant: the parser closes only what it opened");
        let value = match frame.body {
            FrameBody::Sequence(items) => Value::Array(items),
            FrameBody::Mapping { mut map, merged, versions, .. } => {
                if map.get("type").is_some_and(|name| name == "version") {
                    map.extend(versions.into_iter().map(|(key, text)| (key, text.into())));
                }
                // What stands in the mapping itself wins, then what was merged first.
                for (key, value) in merged.into_iter().flatten() {
                    map.entry(key).or_insert(value);
                }
                Value::Object(map)
            }
        };
        let node = YamlNode { value, weight: frame.weight, height: frame.height };
        self.remember(frame.anchor, &node, at)?;
        self.place(node, at)
    }

    /// Keeps a copy of an anchored node.
    fn remember(&mut self, anchor: usize, node: &YamlNode, at: Marker) -> Result<(), Error> {
        if anchor != 0 {
            self.spend(node.weight, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    /// Puts a node where the next one belongs.
    fn place(&mut self, node: YamlNode, at: Marker) -> Result<(), Error> {
        if self.expects_key() {
            let text = match node.value {
                Value::String(text) => text,
                value => value.to_string(),
            };
            return self.place_key(MappingKey::Text(text), node.weight, at);
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.weight.add(node.weight);
        frame.height = frame.height.max(node.height + 1);
        match &mut frame.body {
            FrameBody::Sequence(items) => items.push(node.value),
            FrameBody::Mapping { map, merged, key, .. } => match key.take() {
                Some(MappingKey::Text(key)) => {
                    map.insert(key, node.value);
                }
                _ => merged.extend(mappings(node.value).ok_or_else(|| {
                    invalid(at, "a merge key takes a mapping or a list of mappings")
                })?),
            },
        }
        Ok(())
    }

    fn place_key(&mut self, next: MappingKey, weight: Weight, at: Marker) -> Result<(), Error> {
        let Some(Frame { weight: total, body: FrameBody::Mapping { map, key, .. }, .. }) =
            self.open.last_mut()
        else {
            unreachable!("a key is placed only where one is expected");
        };
        if let MappingKey::Text(text) = &next {
            if text == "__proto__" {
                return Err(invalid(at, "the key '__proto__' cannot be stored"));
            }
            if map.contains_key(text) {
                let start: String = text.chars().take(100).collect();
                return Err(invalid(at, &format!("duplicate key {start:?}")));
            }
        }
        total.add(weight);
        *key = Some(next);
        Ok(())
    }

    /// Whether the plain scalar that comes next is a version by its key. One that may be by its
    /// `type`, which can come later, is kept as it is written.
    fn is_version(&mut self, text: &str) -> bool {
        let Some(Frame {
            body: FrameBody::Mapping { key: Some(MappingKey::Text(key)), versions, .. },
            ..
        }) = self.open.last_mut()
        else {
            return false;
        };
        if !scalar::looks_like_version(text) {
            return false;
        }
        if key == "default" || key == "value" {
            versions.push((key.clone(), text.to_owned()));
        }
        key == "version" || key.ends_with("_version")
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { body: FrameBody::Mapping { key: None, .. }, .. }))
    }

    /// Ends a document. Anchors do not reach into the next.
    fn finish(&mut self) -> Value {
        self.anchors.clear();
        self.root.take().map_or(Value::Null, |node| node.value)
    }

    fn check_depth(&self, height: usize, at: Marker) -> Result<(), Error> {
        if self.open.len() + height <= TOSCA_DEPTH_MAX {
            return Ok(());
        }
        Err(too_deep(at))
    }

    fn spend(&mut self, weight: Weight, at: Marker) -> Result<(), Error> {
        self.spent.add(weight);
        let over = if self.spent.nodes > TOSCA_NODES_MAX {
            format!("{TOSCA_NODES_MAX} keys and values (TOSCA_NODES_MAX)")
        } else if self.spent.bytes > TOSCA_EXPANDED_BYTES_MAX {
            format!("{TOSCA_EXPANDED_BYTES_MAX} bytes (TOSCA_EXPANDED_BYTES_MAX)")
        } else {
            return Ok(());
        };
        let (line, column) = (at.line(), at.col() + 1);
        Err(Error::TooLarge(format!(
            "at line {line}, column {column} the file unfolds to more than {over}"
        )))
    }
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }
}

/// What a merge key may be given.
fn mappings(value: Value) -> Option<Vec<Map<String, Value>>> {
    match value {
        Value::Object(map) => Some(vec![map]),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(map) => Some(map),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn unreadable(error: &ScanError) -> Error {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(*error.marker()),
        _ => invalid(*error.marker(), &error.info()),
    }
}

fn too_deep(at: Marker) -> Error {
    invalid(at, &format!("nested deeper than {TOSCA_DEPTH_MAX} levels (TOSCA_DEPTH_MAX)"))
}

fn invalid(at: Marker, why: &str) -> Error {
    let why = why.replace('\n', " ");
    Error::Invalid(format!("invalid YAML at line {}, column {}: {why}", at.line(), at.col() + 1))
}
