//! The views in which SQL sees what TOSCA files say.
//!
//! Their names and columns are the interface, those of the tables are not. Of several documents of one
//! `_id` they show the one that has its entry in the catalog. What is JSON in the tables is shown as
//! `->>` shows it: text, numbers, and 1 and 0 as they are, lists and mappings as JSON.

use crate::limits::TOSCA_TYPE_DEPTH_MAX;

/// A view: its columns behind `template`, the rows `r` that it shows, and what is joined to them.
type ViewParts = (&'static str, &'static str, &'static str, &'static str);

const VIEWS: [ViewParts; 6] = [
    (
        "tosca_nodes",
        "r.name AS node, r.above AS type, r.directives AS directives, r.count ->> '$' AS count,
         r.properties AS properties",
        "(SELECT * FROM {of}tosca_owner WHERE kind = 'node')",
        "",
    ),
    (
        "tosca_requirements",
        "r.node AS node, r.name AS requirement, r.ordinal AS ordinal, r.target AS target,
         r.target_index AS target_index, r.capability AS capability,
         r.relationship AS relationship, r.count ->> '$' AS count, r.optional AS optional,
         r.has_filter AS has_filter",
        "{of}tosca_requirement",
        "",
    ),
    (
        "tosca_filter_terms",
        "r.node AS node, r.requirement AS requirement, r.capability AS capability,
         r.property AS property, r.op AS op, r.value ->> '$' AS value",
        "{of}tosca_term",
        "",
    ),
    (
        "tosca_capabilities",
        "r.name AS owner, r.kind AS owner_kind, c.key AS capability, p.key AS property,
         p.value AS value",
        "{of}tosca_owner",
        "CROSS JOIN json_each(r.capabilities) AS c
           LEFT JOIN json_each(c.value, '$.properties') AS p",
    ),
    (
        "tosca_policies",
        "r.name AS policy, r.above AS type, r.target AS target",
        "{of}tosca_policy",
        "",
    ),
    (
        "tosca_artifacts",
        "r.node AS node, r.name AS artifact, r.file AS file, r.above AS type,
         r.repository AS repository",
        "{of}tosca_artifact",
        "",
    ),
];

/// The SELECT of each view, by name; `of` is the schema of the tables, with its dot, `shown` the condition
/// that the document `d` of the store `s` is the one to be shown of its `_id`, and `uploaded` the time of
/// `d`.
///
/// What they compute on the way has names that begin with `hidden`.
pub(crate) fn selects(
    of: &str,
    hidden: &str,
    shown: &str,
    uploaded: &str,
) -> Vec<(&'static str, String)> {
    let select = |columns: &str, from: &str, joined: &str| {
        let from = from.replace("{of}", of);
        format!(
            "SELECT d.key AS template, {columns}
             FROM {from} AS r JOIN {of}documents AS d ON d.row = r.row
               JOIN {of}stores AS s ON s.id = d.store
               {joined}
             WHERE {shown}"
        )
    };
    let templates = format!(
        "s.name AS store, r.filename AS filename, r.version AS version, r.kind AS kind,
         r.profile AS profile, r.description AS description, r.nodes AS nodes,
         {uploaded} AS uploaded_at"
    );
    let above = format!("\"{hidden}climb\"");
    let types = select(
        "r.kind AS kind, r.type AS type, r.ancestor AS ancestor, min(r.depth) AS depth",
        &above,
        "",
    );
    let types = format!("{} {types} GROUP BY r.row, r.kind, r.type, r.ancestor", climb(of, &above));
    let mut made =
        vec![("tosca_templates", select(&templates, "{of}tosca_file", "")), ("tosca_types", types)];
    made.extend(VIEWS.map(|(name, columns, from, joined)| (name, select(columns, from, joined))));
    made
}

/// Every type with all above it. A type that a file uses and does not define stands for the one of its
/// name that it means, which is no step up. What is above is looked for in the same file where that
/// defines it, in files of the profile where the import names one, and else in all. Types that go in a
/// circle end at the depth that is bounded.
fn climb(of: &str, climb: &str) -> String {
    let depth = TOSCA_TYPE_DEPTH_MAX;
    format!(
        "WITH RECURSIVE {climb} (row, kind, type, ancestor, parent, profile, here, defined, depth) AS (
           SELECT row, kind, name, name, parent, profile, iif(here, row, NULL), defined, 0
           FROM {of}tosca_type
           UNION
           SELECT c.row, c.kind, c.type, c.parent, p.parent, p.profile, iif(p.here, p.row, NULL), 1,
             c.depth + c.defined
           FROM {climb} AS c LEFT JOIN {of}tosca_type AS p
             ON p.kind = c.kind AND p.name = c.parent AND p.defined
               AND p.row = coalesce(c.here, p.row)
               AND (c.profile IS NULL
                 OR c.profile = (SELECT f.profile FROM {of}tosca_file AS f WHERE f.row = p.row))
           WHERE c.parent IS NOT NULL AND c.depth < {depth}
         )"
    )
}
