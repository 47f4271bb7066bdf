//! Dotted paths into documents.
//!
//! A path is split once and then followed without allocating. At an object, the longest leading run
//! of what is left of the path that is literally a key is taken: a key that itself holds dots wins
//! over the nesting of the same spelling, and `node_types.tosca.nodes.Root.description` finds its
//! way through a TOSCA file. At an array, a numeric segment is an index, any other segment goes to
//! each element that is an object.

use serde_json::{Map, Value};

use crate::Error;
use crate::limits::PATH_SEGMENTS_MAX;

/// A path, split into segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    text: Box<str>,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    start: usize,
    end: usize,
    /// What the segment means at an array, where it is a number.
    index: Option<usize>,
}

impl Path {
    /// Splits a path. Any text is one: empty segments are empty keys.
    pub(super) fn new(text: &str) -> Result<Path, Error> {
        let mut segments = Vec::new();
        let mut start = 0;
        for part in text.split('.') {
            if segments.len() == PATH_SEGMENTS_MAX {
                return Err(Error::Invalid(format!(
                    "a path has more than {PATH_SEGMENTS_MAX} segments (PATH_SEGMENTS_MAX)"
                )));
            }
            let end = start + part.len();
            segments.push(Segment { start, end, index: index(part) });
            start = end + 1;
        }
        Ok(Path { text: text.into(), segments: segments.into() })
    }

    /// The path as written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Number of segments, at least one.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The text of the segments `from..to`, dots between them.
    pub(super) fn run(&self, from: usize, to: usize) -> &str {
        &self.text[self.segments[from].start..self.segments[to - 1].end]
    }

    /// The array index that a segment stands for, if it is a number.
    pub(super) fn index_at(&self, segment: usize) -> Option<usize> {
        self.segments[segment].index
    }

    /// The key that this path takes at an object, from a segment on: its value, and the segment
    /// that follows.
    pub(super) fn step<'v>(
        &self,
        map: &'v Map<String, Value>,
        from: usize,
    ) -> Option<(&'v Value, usize)> {
        (from + 1..=self.len())
            .rev()
            .find_map(|to| map.get(self.run(from, to)).map(|value| (value, to)))
    }

    /// Calls `accept` with each value that the path reaches, and with `None` for each place where
    /// it ends in nothing, until it says true; whether it did. An element that is no object lacks no
    /// field: an array without an object in it is no such place.
    pub(super) fn any<'v>(
        &self,
        root: &'v Value,
        accept: &mut dyn FnMut(Option<&'v Value>) -> bool,
    ) -> bool {
        self.any_from(root, 0, false, accept)
    }

    /// Calls `each` with all of them; here an element that is no object lacks the field, too.
    pub(super) fn each<'v>(&self, root: &'v Value, each: &mut dyn FnMut(Option<&'v Value>)) {
        self.any_from(root, 0, true, &mut |value| {
            each(value);
            false
        });
    }

    /// The recursion goes one level per segment at most.
    fn any_from<'v>(
        &self,
        root: &'v Value,
        from: usize,
        all_lack: bool,
        accept: &mut dyn FnMut(Option<&'v Value>) -> bool,
    ) -> bool {
        let (mut value, mut at) = (root, from);
        while at < self.len() {
            let next = match value {
                Value::Object(map) => self.step(map, at),
                Value::Array(items) => match self.index_at(at) {
                    Some(index) => items.get(index).map(|item| (item, at + 1)),
                    None => {
                        return items.iter().any(|item| match item {
                            Value::Object(_) => self.any_from(item, at, all_lack, accept),
                            _ => all_lack && accept(None),
                        });
                    }
                },
                _ => None,
            };
            let Some(next) = next else { return accept(None) };
            (value, at) = next;
        }
        accept(Some(value))
    }
}

/// Digits only: `+1`, `-1` and `1e0` are keys.
fn index(segment: &str) -> Option<usize> {
    segment.bytes().all(|b| b.is_ascii_digit()).then(|| segment.parse().ok()).flatten()
}
