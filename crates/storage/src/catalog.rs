//! The catalog: what every resource document says of itself, in one place.
//!
//! Each document of a resource store yields one catalog entry with the document's `_id`. Nothing of
//! it is written: the entries are views over the documents, so they change and vanish with them in
//! the same transaction and are the same on every replica. Where several stores hold one `_id`, the
//! entry of the default store has it, else that of the store of the least address; the entries of
//! the others have a name of their own, the `_id` with the start of their store's address behind.
//! Names of stores decide nothing, for they may differ and change. A document that is put into the
//! catalog store itself stands in place of the entry of its `_id`. A field that a document does not
//! have is absent from its entry.
//!
//! Which documents need such a name is not found by looking at all of them, so they are listed in
//! `namesakes`, along with every row of `documents`.
//!
//! - `catalog_documents (key, doc)`: what reads of the catalog store select from.
//! - `datacatalog`: the same as columns, for SQL.
//! - `toscametadata`: the documents that came from TOSCA files. What these say is in views of their own
//!   ([`crate::tosca`]).

use crate::error::Error;
use crate::limits::AT_AHEAD_MS_MAX;
use crate::tosca;
use rusqlite::{Connection, OptionalExtension};

/// The store that is meant where a request names none. Of equal ids its documents come first.
pub const DEFAULT_STORE: &str = "dsswres";

/// Columns of `datacatalog`, in order; each is also a field of the catalog's documents.
pub const DATACATALOG_COLUMNS: [&str; 20] = [
    "_id",
    "author",
    "metadata_type",
    "component",
    "behaviour",
    "relationships",
    "associated_id",
    "name",
    "description",
    "tags",
    "status",
    "created_by",
    "created_at",
    "updated_at",
    "related_ids",
    "priority",
    "scheduling_info",
    "sla_constraints",
    "ownership_details",
    "audit_trail",
];

/// The fields of a document from which a field of its catalog entry is taken: the first present
/// wins. Fields not listed are taken from the field of their own name.
const SOURCES: [(&str, &[&str]); 5] = [
    ("name", &["name", "resource_name", "metadata.template_name", "_filename"]),
    ("description", &["description", "resource_description"]),
    ("tags", &["tags", "resource_tags"]),
    ("status", &["status", "resource_status"]),
    ("relationships", &["relationships", "resource_grpname"]),
];

/// Makes the views that are missing, and anew those that another version made otherwise.
pub(crate) fn create_views(db: &mut Connection) -> Result<(), Error> {
    let tx = db.transaction()?;
    let catalog = [
        ("catalog_documents", catalog_documents("")),
        ("datacatalog", datacatalog("catalog_documents")),
        ("toscametadata", toscametadata("")),
    ];
    for (name, sql) in catalog.into_iter().chain(tosca_selects("", "")) {
        let kept: Option<String> = tx
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?1",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        let columns = if name == "catalog_documents" { " (key, doc)" } else { "" };
        let sql = format!("CREATE VIEW {name}{columns} AS {sql}");
        if kept.as_ref() != Some(&sql) {
            tx.execute_batch(&format!("DROP VIEW IF EXISTS {name}; {sql}"))?;
        }
    }
    // Without a change this writes nothing.
    Ok(tx.commit()?)
}

/// Lists the rows of that key as namesakes, once there are several; one of them was just added.
pub(crate) fn list_namesakes(db: &Connection, key: &str) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO namesakes
         SELECT beside(d.key, s.manifest), d.row
         FROM documents AS d JOIN stores AS s ON s.id = d.store
         WHERE d.key = ?1 AND s.kind = 'documents' AND s.scope = 'resource' AND EXISTS (
           SELECT 1 FROM documents AS o JOIN stores AS p ON p.id = o.store
           WHERE o.key = ?1 AND o.store <> d.store
             AND p.kind = 'documents' AND p.scope = 'resource')",
    )?
    .execute([key])?;
    Ok(())
}

/// What `catalog_documents` selects, of the tables in the schema `of`: empty, or a name with its dot.
pub(crate) fn catalog_documents(of: &str) -> String {
    format!(
        "SELECT d.key, iif(s.scope = 'catalog', d.doc, {})
         FROM {of}documents AS d JOIN {of}stores AS s ON s.id = d.store
         WHERE d.doc IS NOT NULL AND {} AND NOT {}
         UNION ALL
         SELECT n.name, {}
         FROM {of}namesakes AS n CROSS JOIN {of}documents AS d ON d.row = n.row
           CROSS JOIN {of}stores AS s ON s.id = d.store
         WHERE d.doc IS NOT NULL AND {} AND NOT EXISTS (
           SELECT 1 FROM {of}documents AS t JOIN {of}stores AS u ON u.id = t.store
           WHERE t.key = n.name AND t.doc IS NOT NULL AND {})",
        derived_document("d.key"),
        takes_part("s", "'catalog', 'resource'"),
        has_winner(of, "'catalog', 'resource'"),
        derived_document("n.name"),
        has_winner(of, "'resource'"),
        takes_part("u", "'catalog', 'resource'"),
    )
}

/// The SELECTs of what TOSCA files say, by name: of several documents of one `_id`, that of the one which
/// has its entry in the catalog. What they compute on the way has names that begin with `hidden`.
pub(crate) fn tosca_selects(of: &str, hidden: &str) -> Vec<(&'static str, String)> {
    let shown = format!("NOT {}", has_winner(of, "'resource'"));
    tosca::selects(of, hidden, &shown, &stamp("d.updated"))
}

/// The condition that the store `s` holds documents and has one of the scopes.
fn takes_part(s: &str, scopes: &str) -> String {
    format!("{s}.kind = 'documents' AND {s}.scope IN ({scopes})")
}

/// The condition that a store before `s` holds a document of the key of `d`.
fn has_winner(of: &str, scopes: &str) -> String {
    let rank =
        |s: &str| format!("({s}.scope <> 'catalog', {s}.name <> '{DEFAULT_STORE}', {s}.manifest)");
    format!(
        "EXISTS (
           SELECT 1 FROM {of}documents AS w JOIN {of}stores AS o ON o.id = w.store
           WHERE w.key = d.key AND w.store <> d.store AND w.doc IS NOT NULL
             AND {} AND {} < {})",
        takes_part("o", scopes),
        rank("o"),
        rank("s")
    )
}

/// SQL that makes the catalog's document of that `_id` out of the row `d`. The patch drops absent
/// fields.
fn derived_document(id: &str) -> String {
    let mut fields = Vec::new();
    for column in DATACATALOG_COLUMNS {
        let value = match column {
            "_id" => id.into(),
            "associated_id" => "d.key".into(),
            "metadata_type" => "coalesce(d.doc ->> '$.metadata_type', \
                 iif(d.doc ->> '$._original_yaml' IS NULL, 'Resource', 'TOSCA'))"
                .into(),
            "component" => "coalesce(d.doc ->> '$.component', \
                 d.doc ->> '$.resource_type' || '-' || (d.doc ->> '$.resource_def'), \
                 d.doc ->> '$.resource_type', d.doc ->> '$.resource_def')"
                .into(),
            "created_at" => stamp("d.created"),
            "updated_at" => stamp("d.updated"),
            other => json_of(sources(other)),
        };
        fields.push(format!("'{column}', {value}"));
    }
    format!("jsonb_patch('{{}}', jsonb_object({}))", fields.join(", "))
}

fn sources(column: &str) -> Vec<&str> {
    SOURCES
        .iter()
        .find(|(name, _)| *name == column)
        .map_or_else(|| vec![column], |(_, from)| from.to_vec())
}

fn json_of(from: Vec<&str>) -> String {
    let paths: Vec<String> = from.iter().map(|f| format!("d.doc -> '$.{f}'")).collect();
    match paths.as_slice() {
        [one] => format!("json({one})"),
        many => format!("json(coalesce({}))", many.join(", ")),
    }
}

/// A time in ms as RFC 3339, or NULL. It is that of a stranger's clock: one that is yet to come, by the
/// clock here, is not shown until it has come, so nobody is first of all by it.
pub(crate) fn stamp(column: &str) -> String {
    let ahead_s = AT_AHEAD_MS_MAX / 1_000;
    format!(
        "iif({column} / 1000 <= CAST(strftime('%s', 'now') AS INTEGER) + {ahead_s},
           strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch'), NULL)"
    )
}

/// What `datacatalog` selects from the view of the catalog's documents.
pub(crate) fn datacatalog(documents: &str) -> String {
    let columns: Vec<String> =
        DATACATALOG_COLUMNS.iter().map(|c| format!("doc ->> '$.{c}' AS {c}")).collect();
    format!("SELECT {} FROM {documents}", columns.join(", ").replacen("doc ->> '$._id'", "key", 1))
}

/// What `toscametadata` selects, of the tables in the schema `of`.
pub(crate) fn toscametadata(of: &str) -> String {
    format!(
        "SELECT d.entry AS id, d.key AS template_id, d.doc ->> '$.description' AS description,
           (SELECT count(*) FROM json_each(coalesce(
              d.doc -> '$.topology_template.node_templates',
              d.doc -> '$.service_template.node_templates', '{{}}'))) AS node_templates_count,
           {} AS created_at, d.doc ->> '$._filename' AS filename,
           octet_length(d.doc ->> '$._original_yaml') AS filesize_bytes,
           sha256_hex(d.doc ->> '$._original_yaml') AS content_sha256,
           w.key AS uploader, NULL AS source_pod
         FROM {of}documents AS d JOIN {of}stores AS s ON s.id = d.store
           JOIN {of}entries AS e ON e.seq = d.entry JOIN {of}writers AS w ON w.id = e.writer
         WHERE d.doc ->> '$._original_yaml' IS NOT NULL AND {} AND NOT {}",
        stamp("d.updated"),
        takes_part("s", "'resource'"),
        has_winner(of, "'resource'")
    )
}
