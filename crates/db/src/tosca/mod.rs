//! Reading TOSCA files: YAML in, a document out.
//!
//! Any valid YAML is taken, whether or not it says that it is TOSCA: service templates, profiles,
//! inputs and plain files all come as uploads, and [`TemplateKind`] says which is which. The parsed
//! tree becomes the top level of the document; the exact text stays beside it, so that what YAML
//! numbers and comments lose is not lost.
//!
//! Nothing here validates TOSCA, follows an import, stores anything or knows the time.

mod compose;
mod matching;
mod scalar;

use optimusdb_storage::tosca::TemplateKind;
use optimusdb_storage::upload_digits;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use matching::{Candidate, NodeMatch, RejectedCapacity, ToscaMatch, ToscaQuestion};
pub(crate) use matching::{SearchedStore, answer};

use crate::Error;
use crate::limits::{TOSCA_BYTES_MAX, TOSCA_FILENAME_BYTES_MAX};

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    /// `tosca_<slug of the name>_<16 hex digits>`. The digits are the start of the SHA-256 over the
    /// name, a NUL and the content, so that the same name with the same content is the same
    /// template everywhere.
    pub(crate) id: String,
    /// The name as given, or `unnamed_<8 hex digits of the content's hash>.yaml`.
    pub(crate) filename: String,
    /// The text, a byte order mark included.
    pub(crate) text: String,
    /// SHA-256 of the bytes, in hexadecimal.
    pub(crate) sha256: String,
    /// The description at the top of the file or of its template.
    pub(crate) description: Option<String>,
    /// Node templates of the service template; 0 in other files.
    pub(crate) node_count: u64,
    /// What the file is.
    pub(crate) kind: TemplateKind,
    /// What is to be stored: the tree at top level, or of it only the fields of [`HEAD`], with
    /// `_id`, `_filename` and `_original_yaml`. A root that is no mapping is the field `content`.
    pub(crate) document: Map<String, Value>,
}

/// The fields that are kept of a file whose full structure is not wanted.
const HEAD: [&str; 5] =
    ["tosca_definitions_version", "profile", "description", "metadata", "imports"];

/// Reads a file. With `store_full_structure` its whole tree becomes the document, else only its
/// [`HEAD`].
///
/// # Errors
/// [`Error::TooLarge`] for a file over `TOSCA_BYTES_MAX` or one that its aliases blow up beyond the
/// limits; [`Error::Invalid`] for anything but UTF-8, for what is not YAML, with line and column,
/// for several documents none of which says that it is TOSCA, and for a file without a byte. One that
/// says nothing, such as a comment alone, is kept with `content: null`.
pub(crate) fn read(
    bytes: &[u8],
    filename: Option<&str>,
    store_full_structure: bool,
) -> Result<Template, Error> {
    if bytes.len() > TOSCA_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "the file has {} bytes, more than {TOSCA_BYTES_MAX} (TOSCA_BYTES_MAX)",
            bytes.len()
        )));
    }
    let text = decode(bytes)?;
    let sha256 = hex::encode(Sha256::digest(bytes));
    let filename = name(filename, &sha256)?;
    let yaml = text.strip_prefix('\u{feff}').unwrap_or(text);
    if yaml.is_empty() {
        return Err(Error::Invalid("the file is empty".to_owned()));
    }
    let mut tree = match compose::compose(yaml)? {
        Value::Object(tree) => tree,
        content => Map::from_iter([("content".to_owned(), content)]),
    };
    let kind = TemplateKind::of(tree.keys().map(String::as_str), &filename);
    let node_count = node_count(&tree);
    let description = description(&tree);
    let id = id(&filename, bytes);
    if !store_full_structure {
        tree.retain(|key, _| HEAD.contains(&key.as_str()));
    }
    tree.insert("_id".to_owned(), id.clone().into());
    tree.insert("_filename".to_owned(), filename.clone().into());
    tree.insert("_original_yaml".to_owned(), text.into());
    Ok(Template {
        id,
        filename,
        text: text.to_owned(),
        sha256,
        description,
        node_count,
        kind,
        document: tree,
    })
}

fn decode(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Error::Invalid(format!("invalid YAML at line {line}, column {column}: not UTF-8"))
    })
}

fn name(given: Option<&str>, sha256: &str) -> Result<String, Error> {
    match given {
        None | Some("") => Ok(format!("unnamed_{}.yaml", &sha256[..8])),
        Some(name) if name.len() > TOSCA_FILENAME_BYTES_MAX => Err(Error::Invalid(format!(
            "the file name has more than {TOSCA_FILENAME_BYTES_MAX} bytes \
             (TOSCA_FILENAME_BYTES_MAX)"
        ))),
        Some(name) if name.chars().any(char::is_control) => {
            Err(Error::Invalid("the file name holds control characters".to_owned()))
        }
        Some(name) => Ok(name.to_owned()),
    }
}

/// Longest slug in an id, in bytes.
const SLUG_BYTES_MAX: usize = 64;

fn id(filename: &str, content: &[u8]) -> String {
    let last = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let mut slug = String::new();
    for c in stem.chars() {
        if slug.len() == SLUG_BYTES_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = match slug.trim_end_matches('_') {
        "" => "file",
        slug => slug,
    };
    format!("tosca_{slug}_{}", upload_digits(filename, content))
}

/// The service template, where 1.x and 2.0 put it.
fn template(tree: &Map<String, Value>) -> Option<&Map<String, Value>> {
    ["topology_template", "service_template"].iter().find_map(|key| tree.get(*key)?.as_object())
}

fn node_count(tree: &Map<String, Value>) -> u64 {
    let nodes = template(tree).and_then(|template| template.get("node_templates"));
    nodes.and_then(Value::as_object).map_or(0, |nodes| nodes.len() as u64)
}

fn description(tree: &Map<String, Value>) -> Option<String> {
    let of = |map: &Map<String, Value>| Some(map.get("description")?.as_str()?.to_owned());
    of(tree).or_else(|| of(template(tree)?))
}

#[cfg(test)]
mod tests;
