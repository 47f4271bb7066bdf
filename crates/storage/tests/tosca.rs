//! What uploaded TOSCA files say, in the views for SQL: a function of the documents, whatever the order
//! in which they arrive, are replaced and are deleted.
#![allow(clippy::unwrap_used, reason = "this is a test")]
#![recursion_limit = "256"]

mod support;

use optimusdb_dag::{Entry, Ipld, Operation, StoreKind};
use optimusdb_storage::{Database, Place, Scope, StoreRow, upload_digits};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use support::*;

const VIEWS: [&str; 8] = [
    "tosca_templates",
    "tosca_nodes",
    "tosca_requirements",
    "tosca_filter_terms",
    "tosca_capabilities",
    "tosca_policies",
    "tosca_artifacts",
    "tosca_types",
];

fn ipld(value: Value) -> Ipld {
    match value {
        Value::Null => Ipld::Null,
        Value::Bool(b) => Ipld::Bool(b),
        Value::Number(n) => {
            n.as_i64().map_or_else(|| Ipld::Float(n.as_f64().unwrap()), |n| Ipld::Integer(n.into()))
        }
        Value::String(text) => Ipld::String(text),
        Value::Array(items) => Ipld::List(items.into_iter().map(ipld).collect()),
        Value::Object(fields) => {
            Ipld::Map(fields.into_iter().map(|(name, value)| (name, ipld(value))).collect())
        }
    }
}

/// The tree of a file as an upload stores it under `key`.
fn file(key: &str, filename: &str, mut tree: Value) -> Operation {
    tree["_filename"] = filename.into();
    tree["_original_yaml"] = "the text".into();
    put(key, ipld(tree))
}

struct Node {
    place: Place,
    database: Database,
    store: StoreRow,
    writer: Writer,
}

impl Node {
    fn new() -> Node {
        let place = Place::memory();
        let mut database = open(&place);
        let store = documents(&mut database, "dsswres");
        Node { place, database, store, writer: Writer::new(1, "dsswres") }
    }

    fn write(&mut self, operation: &Operation) {
        let entry = self.writer.write(operation, Some(0));
        deliver(&mut self.database, &self.store, &[entry]).unwrap();
    }

    /// Rows as text, without what Rust says of their kinds.
    fn ask(&self, sql: &str) -> Vec<String> {
        ask(&raw(&self.place), sql)
    }
}

fn ask(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|at| {
                Ok(match row.get::<_, rusqlite::types::Value>(at)? {
                    rusqlite::types::Value::Null => "-".to_owned(),
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    rusqlite::types::Value::Real(x) => x.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(_) => panic!("a blob"),
                })
            })
            .collect::<rusqlite::Result<Vec<_>>>()
            .map(|cells| cells.join(" | "))
    });
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn the_columns_are_those_that_are_promised() {
    let node = Node::new();
    let db = raw(&node.place);
    let columns = |view: &str| {
        let shown = db.prepare(&format!("SELECT * FROM {view}")).unwrap();
        shown.column_names().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        VIEWS.map(columns),
        [
            "template store filename version kind profile description nodes uploaded_at",
            "template node type directives count properties",
            "template node requirement ordinal target target_index capability relationship count \
         optional has_filter",
            "template node requirement capability property op value",
            "template owner owner_kind capability property value",
            "template policy type target",
            "template node artifact file type repository",
            "template kind type ancestor depth",
        ]
    );
}

fn application() -> Value {
    json!({
        "tosca_definitions_version": "tosca_2_0",
        "description": "An application",
        "imports": [{"profile": "org.example.base:1.0", "namespace": "b"}],
        "dsl_definitions": {"x": {"node_types": {"No": {}}}},
        "service_template": {
            "substitution_mappings": {"node_type": "b:Service"},
            "policies": [
                {"near": {"type": "b:Placement", "targets": ["web", "db"]}},
                {"any": {"type": "b:Other"}},
            ],
            "node_templates": {
                "web": {
                    "type": "b:Server",
                    "directives": ["substitute"],
                    "count": 3,
                    "properties": {"size": {"$get_input": "size"}, "$$price": 4},
                    "capabilities": {"endpoint": {"properties": {"port": 80, "secure": true}}, "ui": {}},
                    "artifacts": {
                        "image": {"file": "web.tar", "type": "b:Image", "repository": "hub"},
                        "script": "run.sh",
                    },
                    "requirements": [
                        {"store": "db"},
                        {"store": {"node": ["db", 2], "optional": true}},
                        {"host": {
                            "node": "b:Compute",
                            "capability": "b:Container",
                            "relationship": {"type": "b:HostedOn"},
                            "count": 2,
                            "node_filter": {"$and": [
                                {"$greater_or_equal": [
                                    {"$get_property": ["SELF", "TARGET", "CAPABILITY", "host", "mem"]}, "4 GB",
                                ]},
                                {"$greater_than": [8, {"$get_property": ["SELF", "CAPABILITY", "cpus"]}]},
                                {"$or": [
                                    {"$equal": [{"$get_property": ["SELF", "region"]}, "eu"]},
                                    {"$not": {"$in_range": [
                                        {"$get_property": ["SELF", "gpu", "count"]}, [1, 2],
                                    ]}},
                                ]},
                                {"$equal": [{"$get_property": ["SELF", "zone"]}, {"$get_input": "zone"}]},
                            ]},
                        }},
                    ],
                },
                "db": {"type": "b:Database", "count": {"$get_input": "dbs"}, "node_filter": {
                    "$valid_values": [{"$get_property": ["SELF", "kind"]}, ["sql", "graph"]],
                }},
            },
        },
    })
}

#[test]
fn a_file_of_tosca_2_0() {
    let mut node = Node::new();
    node.write(&file("app", "app.yaml", application()));
    for (sql, expected) in [
        (
            "SELECT * FROM tosca_templates",
            vec![
                "app | dsswres | app.yaml | tosca_2_0 | service template | - | An application | 2 | -",
            ],
        ),
        (
            "SELECT node, type, directives, count, properties FROM tosca_nodes ORDER BY node",
            vec![
                r#"db | b:Database | - | {"$get_input":"dbs"} | -"#,
                r#"web | b:Server | ["substitute"] | 3 | {"$$price":4,"size":{"$get_input":"size"}}"#,
            ],
        ),
        (
            "SELECT requirement, ordinal, target, target_index, capability, relationship, count,
               optional, has_filter FROM tosca_requirements WHERE template = 'app'",
            vec![
                "store | 0 | db | - | - | - | - | 0 | 0",
                "store | 1 | db | 2 | - | - | - | 1 | 0",
                "host | 0 | b:Compute | - | b:Container | b:HostedOn | 2 | 0 | 1",
            ],
        ),
        (
            "SELECT node, requirement, capability, property, op, value FROM tosca_filter_terms
             ORDER BY node DESC",
            vec![
                "web | host | host | mem | greater_or_equal | 4 GB",
                "web | host | b:Container | cpus | less_than | 8",
                "web | host | - | region | equal | eu",
                "web | host | gpu | count | not in_range | [1,2]",
                "web | host | - | - | unclear | zone equal what get_input yields",
                r#"db | - | - | kind | valid_values | ["sql","graph"]"#,
            ],
        ),
        (
            "SELECT owner, owner_kind, capability, property, value FROM tosca_capabilities",
            vec![
                "web | node | endpoint | port | 80",
                "web | node | endpoint | secure | 1",
                "web | node | ui | - | -",
            ],
        ),
        (
            "SELECT policy, type, target FROM tosca_policies",
            vec!["near | b:Placement | web", "near | b:Placement | db", "any | b:Other | -"],
        ),
        (
            "SELECT node, artifact, file, type, repository FROM tosca_artifacts",
            vec!["web | image | web.tar | b:Image | hub", "web | script | run.sh | - | -"],
        ),
    ] {
        assert_eq!(node.ask(sql), expected, "{sql}");
    }
}

#[test]
fn a_file_of_tosca_1_3() {
    let mut node = Node::new();
    node.write(&file("one", "one.yaml", json!({
        "tosca_definitions_version": "tosca_simple_yaml_1_3",
        "node_types": {
            "Light": {"derived_from": "tosca.nodes.Root", "capabilities": {
                "glow": "Glow",
                "socket": {"type": "Socket", "properties": {
                    "volts": {"type": "integer", "default": 230}, "hertz": {"type": "float"},
                    "plug": "C", "limits": {"low": 1},
                }},
            }},
        },
        "topology_template": {"node_templates": {"lamp": {
            "type": "Light",
            "node_filter": {"properties": {"age": [{"less_than": 9}]}},
            "requirements": [{"power": {
                "capability": "Socket",
                "occurrences": [0, "UNBOUNDED"],
                "node_filter": {
                    "properties": [{"age": {"in_range": [1, "UNBOUNDED"]}}, {"colour": "red"}],
                    "capabilities": [
                        {"socket": {"properties": [{"volts": [{"greater_than": 100}, {"less_than": 240}]}]}},
                        {"glow": {}},
                    ],
                },
            }}],
        }}},
    })));
    for (sql, expected) in [
        (
            "SELECT requirement, target, capability, count, optional FROM tosca_requirements",
            vec![r#"power | - | Socket | [0,"UNBOUNDED"] | 1"#],
        ),
        (
            "SELECT requirement, capability, property, op, value FROM tosca_filter_terms",
            vec![
                "power | socket | volts | greater_than | 100",
                "power | socket | volts | less_than | 240",
                "power | glow | - | exists | -",
                r#"power | - | age | in_range | [1,"UNBOUNDED"]"#,
                "power | - | colour | equal | red",
                "- | - | age | less_than | 9",
            ],
        ),
        (
            "SELECT owner, owner_kind, capability, property, value FROM tosca_capabilities
             ORDER BY 3, 4",
            vec![
                "Light | type | glow | - | -",
                r#"Light | type | socket | limits | {"low":1}"#,
                "Light | type | socket | plug | C",
                "Light | type | socket | volts | 230",
            ],
        ),
        (
            "SELECT kind, type, ancestor, depth FROM tosca_types ORDER BY depth",
            vec!["node | Light | Light | 0", "node | Light | tosca.nodes.Root | 1"],
        ),
    ] {
        assert_eq!(node.ask(sql), expected, "{sql}");
    }
}

#[test]
fn types_reach_over_files_and_names_over_prefixes() {
    let mut node = Node::new();
    let types = |profile: &str, types: Value| {
        json!({
            "tosca_definitions_version": "tosca_2_0", "profile": profile, "node_types": types,
        })
    };
    let app = json!({
        "imports": [{"profile": "base:1", "namespace": "b"}, {"url": "x.yaml", "namespace": "x"}],
        "node_types": {"Mine": {"derived_from": "b:Server"}, "Yours": {"derived_from": "Mine"}},
        "service_template": {"node_templates": {
            "a": {"type": "b:Server"}, "b": {"type": "x:Thing"}, "c": {"type": "Yours"},
        }},
    });
    // What uses a type may come before what defines it.
    node.write(&file("app", "app.yaml", app));
    node.write(&file("base", "base.yaml", types("base:1", json!({
        "Server": {"derived_from": "Machine"}, "Machine": {"derived_from": "Root"}, "Root": {},
    }))));
    node.write(&file(
        "other",
        "other.yaml",
        types(
            "other:1",
            json!({
                "Server": {"derived_from": "Kitchen"}, "Machine": {"derived_from": "Kitchen"},
            }),
        ),
    ));
    node.write(&file(
        "x",
        "x.yaml",
        types(
            "x:1",
            json!({
                "Thing": {"derived_from": "Loop"}, "Loop": {"derived_from": "Pool"},
                "Pool": {"derived_from": "Loop"},
            }),
        ),
    ));
    let of = |node: &Node, template: &str, name: &str| {
        node.ask(&format!(
            "SELECT ancestor, depth FROM tosca_types WHERE template = '{template}'
               AND kind = 'node' AND type = '{name}' ORDER BY depth, ancestor"
        ))
    };
    assert_eq!(
        of(&node, "app", "Yours"),
        ["Yours | 0", "Mine | 1", "Server | 2", "Machine | 3", "Root | 4"]
    );
    assert_eq!(
        of(&node, "app", "b:Server"),
        ["Server | 0", "b:Server | 0", "Machine | 1", "Root | 2"]
    );
    assert_eq!(of(&node, "app", "x:Thing"), ["Thing | 0", "x:Thing | 0", "Loop | 1", "Pool | 2"]);
    assert_eq!(of(&node, "x", "Pool"), ["Pool | 0", "Loop | 1"]);
    let servers = node.ask(
        "SELECT n.node FROM tosca_nodes n JOIN tosca_types t USING (template, type)
         WHERE t.kind = 'node' AND t.ancestor = 'Machine' ORDER BY 1",
    );
    assert_eq!(servers, ["a", "c"]);
    node.write(&del("base"));
    assert_eq!(of(&node, "app", "Yours"), ["Yours | 0", "Mine | 1", "Server | 2"]);
}

#[test]
fn of_one_id_in_two_stores_one_is_shown_and_other_stores_have_none() {
    let mut node = Node::new();
    let tree = |node: &str| json!({"service_template": {"node_templates": {node: {"type": "T"}}}});
    let mut others = [
        documents(&mut node.database, "others"),
        store(&mut node.database, "own", StoreKind::Documents, Scope::Local),
        store(&mut node.database, "pairs", StoreKind::KeyValue, Scope::Plain),
    ];
    for store in &mut others {
        let entry =
            Writer::new(1, &store.name).write(&file("same", "f.yaml", tree(&store.name)), None);
        deliver(&mut node.database, store, &[entry]).unwrap();
    }
    let shown = "SELECT t.store, n.node FROM tosca_templates t JOIN tosca_nodes n USING (template)";
    assert_eq!(node.ask(shown), ["others | others"]);
    node.write(&file("same", "f.yaml", tree("default")));
    assert_eq!(node.ask(shown), ["dsswres | default"]);
}

/// Whatever stands where TOSCA has something else, no document is refused for it.
#[test]
fn what_has_another_shape_is_passed_over() {
    let mut node = Node::new();
    let mut deep = json!({"$equal": [{"$get_property": ["SELF", "p"]}, 1]});
    for _ in 0..40 {
        deep = json!({ "$and": [deep] });
    }
    let mut templates = serde_json::Map::new();
    for filter in [
        json!(1),
        json!([]),
        json!({"$and": 1, "$equal": [1], "$or": [[1]], "$not": {}, "other": 2}),
        json!({"$equal": [{"$get_property": []}, 1], "$less_than": [{"$get_property": ["SELF"]}, 1]}),
        json!({"$equal": [{"$get_property": ["SELF", "RELATIONSHIP"]}, 1]}),
        json!({"$equal": [{"$get_property": ["SELF", 1, 2]}, 1]}),
        json!({"properties": 1, "capabilities": [1, {"c": 2}]}),
        deep,
    ] {
        let of = json!({"type": 1, "node_filter": filter, "requirements": [{"r": {"node_filter": filter}}],
            "capabilities": [1], "artifacts": 3, "count": null});
        templates.insert(format!("n{}", templates.len()), of);
    }
    for (n, wrong) in
        [json!(1), json!("x"), json!([1, [2]]), json!({"r": null}), json!([{"r": 1}, {}])]
            .into_iter()
            .enumerate()
    {
        templates.insert(format!("w{n}"), json!({"requirements": wrong, "properties": wrong}));
    }
    templates.insert("text".into(), json!("text"));
    let nodes = templates.len();
    node.write(&file("odd", "odd.yaml", json!({
        "tosca_definitions_version": 2, "imports": {"a": 1}, "description": [], "profile": {},
        "node_types": {"A": 1, "B": {"derived_from": ["x"], "capabilities": {"c": 1}}},
        "data_types": [], "service_template": {"node_templates": templates, "policies": [1, {"p": 2}]},
    })));
    node.write(&file("odder", "odder.yaml", json!({"topology_template": [1]})));
    assert_eq!(
        node.ask("SELECT nodes FROM tosca_templates ORDER BY 1"),
        ["0".to_owned(), nodes.to_string()]
    );
    for view in VIEWS {
        node.ask(&format!("SELECT * FROM {view}"));
    }
    let unclear =
        node.ask("SELECT value FROM tosca_filter_terms WHERE op = 'unclear' AND node = 'n7'");
    assert_eq!(unclear[0], "what is deeper than 32 levels");
}

#[test]
fn ten_thousand_nodes_and_types_in_a_circle_are_bounded() {
    let mut node = Node::new();
    let templates: serde_json::Map<String, Value> = (0..10_000)
        .map(|n| (format!("n{n}"), json!({"type": format!("T{n}"), "requirements": [{"r": "n1"}]})))
        .collect();
    let types: serde_json::Map<String, Value> = (0..1_000)
        .map(|n| (format!("T{n}"), json!({"derived_from": format!("T{}", (n + 1) % 1_000)})))
        .collect();
    node.write(&file(
        "big",
        "big.yaml",
        json!({
            "node_types": types, "service_template": {"node_templates": templates},
        }),
    ));
    let count =
        |node: &Node, view: &str| node.ask(&format!("SELECT count(*) FROM {view}"))[0].clone();
    assert_eq!(count(&node, "tosca_nodes"), "10000");
    assert_eq!(count(&node, "tosca_requirements"), "10000");
    let deepest = node.ask("SELECT max(depth), count(*) FROM tosca_types WHERE type = 'T5'");
    assert_eq!(deepest, ["32 | 33"]);
    node.write(&del("big"));
    assert_eq!(VIEWS.map(|view| count(&node, view)), ["0"; 8]);
}

fn shown(place: &Place) -> Vec<Vec<String>> {
    let db = raw(place);
    VIEWS
        .map(|view| {
            let mut rows = ask(&db, &format!("SELECT * FROM {view}"));
            rows.sort();
            rows
        })
        .to_vec()
}

/// One of a few files, of which three share a name; or something else under the key of one.
fn operation() -> impl Strategy<Value = Operation> {
    (0..4_usize, 0..5_usize).prop_map(|(which, what)| {
        let content = format!("text {which}");
        let filename = ["a.yaml", "a.yaml", "a.yaml", "b.yaml"][which];
        let key = format!("tosca_a_{}", upload_digits(filename, content.as_bytes()));
        match what {
            0 => del(&key),
            1 => put(&key, map([("changed", text("into something else"))])),
            _ => {
                let above = format!("T{}", (which + what) % 4);
                put(&key, ipld(json!({
                    "_filename": filename, "_original_yaml": content,
                    "node_types": {format!("T{which}"): {"derived_from": above}},
                    "service_template": {"node_templates": {"n": {
                        "type": above, "count": what, "capabilities": {"c": {"properties": {"p": which}}},
                        "requirements": [{"r": {"node_filter": {"properties": [{"p": what}]}}}],
                        "artifacts": {"a": "f"},
                    }}, "policies": [{"p": {"type": "P"}}]},
                })))
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Two writers who do not know each other, delivered in two orders.
    #[test]
    fn any_order_gives_the_same_rows(
        first in prop::collection::vec(operation(), 0..8),
        second in prop::collection::vec(operation(), 0..8),
        merge in prop::collection::vec(any::<bool>(), 16),
    ) {
        let written = |seed, operations: &[Operation]| -> Vec<Entry> {
            let mut writer = Writer::new(seed, "dsswres");
            operations.iter().map(|op| writer.write(op, Some(1))).collect()
        };
        let (a, b) = (written(1, &first), written(2, &second));
        let mut mixed = Vec::new();
        let (mut left, mut right) = (a.iter(), b.iter());
        for take_left in merge {
            let (one, other) = if take_left { (&mut left, &mut right) } else { (&mut right, &mut left) };
            mixed.extend(one.next().or_else(|| other.next()).cloned());
        }
        let replica = |entries: &[Entry]| {
            let place = Place::memory();
            let mut database = open(&place);
            let store = documents(&mut database, "dsswres");
            for entry in entries {
                deliver(&mut database, &store, std::slice::from_ref(entry)).unwrap();
            }
            let grown = shown(&place);
            database.reindex(&store, || ()).unwrap();
            assert_eq!(shown(&place), grown, "made again, it is the same");
            grown
        };
        prop_assert_eq!(replica(&[a.clone(), b.clone()].concat()), replica(&mixed));
    }
}
