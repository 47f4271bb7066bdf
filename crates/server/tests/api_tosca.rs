//! Matching over HTTP: what the nodes of TOSCA templates ask for, and who has it.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::Server;
use support::client::Answer;

/// Uploads a file, and answers the `_id` of its document.
fn upload(server: &Server, store: &str, filename: &str, yaml: &str) -> String {
    let body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"target_store\"\r\n\r\n{store}\r\n\
         --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\r\n\
         {yaml}\r\n--XX--\r\n"
    );
    let form = [("Content-Type", "multipart/form-data; boundary=XX")];
    let answer = server.request("POST", "/upload", &form, body.as_bytes());
    answer.json()["data"]["template_id"].as_str().unwrap().to_owned()
}

fn ask(server: &Server, body: &Value) -> Answer {
    server.request("POST", "/tosca/match", &[], body.to_string().as_bytes())
}

fn found(server: &Server, body: &Value) -> Value {
    let answer = ask(server, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].take()
}

/// `_id` and node of every candidate or refused one.
fn names(found: &Value) -> Vec<String> {
    let name =
        |it: &Value| format!("{} {}", it["_id"].as_str().unwrap(), it["node"].as_str().unwrap());
    found.as_array().unwrap().iter().map(name).collect()
}

const APP: &str = r#"
tosca_definitions_version: tosca_2_0
imports:
  - profile: org.example.base:1.0
    namespace: base
service_template:
  node_templates:
    trainer:
      type: base:Service
      requirements:
        - host:
            node: base:Machine
            node_filter:
              $and:
                - $greater_or_equal: [{$get_property: [SELF, TARGET, CAPABILITY, host, mem_size]}, 4 GB]
                - $greater_or_equal: [{$get_property: [SELF, CAPABILITY, host, num_cpus]}, 2]
                - $in_range: [{$get_property: [SELF, CAPABILITY, host, cpu_frequency]}, [2 GHz, UNBOUNDED]]
        - accelerator:
            capability: base:Gpu
        - store: database
    web:
      type: base:Service
      requirements:
        - host:
            node_filter:
              $or:
                - $equal: [{$get_property: [SELF, CAPABILITY, locality, city]}, athens]
                - $not: {$less_than: [{$get_property: [SELF, CAPABILITY, host, num_cpus]}, 16]}
    database:
      type: base:Service
"#;

const PROFILE: &str = r#"
tosca_definitions_version: tosca_2_0
profile: org.example.base:1.0
capability_types:
  Gpu: {}
  FastGpu: {derived_from: Gpu}
node_types:
  Machine: {}
  Big:
    derived_from: Machine
    capabilities:
      host: {properties: {num_cpus: {type: integer, default: 32}, mem_size: {type: scalar-unit.size, default: 64 GiB}, cpu_frequency: {type: frequency, default: 2.4 GHz}}}
"#;

const CAPACITIES: &str = r#"
tosca_definitions_version: tosca_2_0
imports:
  - {profile: 'org.example.base:1.0', namespace: b}
service_template:
  node_templates:
    one:
      type: b:Big
      capabilities: {gpu: {type: b:FastGpu}}
    two:
      type: b:Big
      capabilities:
        gpu: {type: b:Gpu}
        host: {properties: {mem_size: 2048 MiB}}
    three:
      type: b:Big
    four:
      type: b:Other
      capabilities: {gpu: {type: b:Gpu}}
"#;

fn played() -> (Server, String, String) {
    let server = Server::start();
    let app = upload(&server, "tosca_imported", "app.yaml", APP);
    let capacities = upload(&server, "tosca_capacities", "capacities.yaml", CAPACITIES);
    upload(&server, "dsswres", "base.yaml", PROFILE);
    server.put(
        "tosca_capacities",
        json!([
            {"_id": "edge", "capabilities": {"host": {"num_cpus": 4, "mem_size": "8 GB", "cpu_frequency": "2400 MHz"},
                "gpu": {"type": "Gpu"}, "locality": {"city": "athens"}}},
            {"_id": "none", "capabilities": {"gpu": false, "host": {"properties": {"num_cpus": 1}}}},
            {"_id": "no capacity", "name": "x"},
        ]),
    );
    (server, app, capacities)
}

#[test]
fn who_has_what_the_nodes_of_a_template_ask_for() {
    let (server, app, capacities) = played();
    let found = found(&server, &json!({"template": app}));
    assert_eq!(found["template"], app);
    let nodes = found["nodes"].as_array().unwrap();
    assert_eq!((&nodes[0]["node"], &nodes[1]["node"]), (&json!("trainer"), &json!("web")));
    assert_eq!(nodes.len(), 2, "the database asks for nothing");

    let trainer = &nodes[0];
    assert_eq!(
        trainer["asks"],
        json!(["host", "accelerator"]),
        "the template has the store itself"
    );
    assert_eq!(trainer["not_understood"], json!([]));
    assert_eq!(
        trainer["candidates"],
        json!([
            {"store": "tosca_capacities", "_id": "edge", "node": "edge", "matched": ["host", "accelerator"]},
            {"store": "tosca_capacities", "_id": capacities, "node": "one", "matched": ["host", "accelerator"]},
        ])
    );
    let reasons: Vec<(&str, &str)> = trainer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["node"].as_str().unwrap(), it["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("none", "host: it has no host.mem_size"),
            ("four", "host: it is a Other, which is not known to be a Machine"),
            ("three", "accelerator: it has no capability base:Gpu"),
            ("two", "host: host.mem_size is 2048 MiB, and must be greater_or_equal 4 GB"),
        ]
    );
    assert_eq!(trainer["rejected"][2]["matched"], json!(["host"]));
    assert_eq!((&trainer["candidates_total"], &trainer["rejected_total"]), (&json!(2), &json!(4)));
    let machines = ["one", "three", "two"].map(|node| format!("{capacities} {node}"));
    assert_eq!(
        names(&nodes[1]["candidates"]),
        [vec!["edge edge".into()], machines.to_vec()].concat()
    );
}

#[test]
fn what_files_say_is_read_in_sql() {
    let (server, ..) = played();
    let tables = [
        "templates",
        "nodes",
        "requirements",
        "filter_terms",
        "capabilities",
        "policies",
        "artifacts",
        "types",
    ];
    for table in tables {
        let sql = json!({"sql": format!("SELECT count(*) FROM (SELECT * FROM tosca_{table})")})
            .to_string();
        let answer = server.request("POST", "/sql", &[], sql.as_bytes()).json();
        assert_eq!(answer["status"], 200, "{table}: {answer}");
        let rows = answer["data"]["rows"][0][0].as_u64().unwrap();
        assert!(rows > 0 || !["templates", "nodes", "types"].contains(&table), "{table}: {answer}");
    }
}

#[test]
fn a_question_may_be_about_one_node_one_requirement_and_some_stores() {
    let (server, app, _) = played();
    let one =
        found(&server, &json!({"Template": app, "node": "trainer", "requirement": "accelerator"}));
    assert_eq!(one["nodes"][0]["asks"], json!(["accelerator"]));
    assert_eq!(one["nodes"][0]["candidates_total"], 4);
    let few = found(&server, &json!({"template": app, "node": "trainer", "limit": 1}));
    let shown = &few["nodes"][0];
    assert_eq!((names(&shown["candidates"]).len(), names(&shown["rejected"]).len()), (1, 1));
    assert_eq!((&shown["candidates_total"], &shown["rejected_total"]), (&json!(2), &json!(4)));
    let nothing = found(&server, &json!({"template": app, "node": "database"}));
    assert_eq!(
        (&nothing["nodes"][0]["asks"], &nothing["nodes"][0]["candidates"]),
        (&json!([]), &json!([]))
    );
    let elsewhere = found(&server, &json!({"template": app, "node": "web", "stores": ["dsswres"]}));
    assert_eq!(elsewhere["nodes"][0]["candidates"][0]["node"], "Big", "a type is a capacity, too");

    let other = upload(&server, "dsswres", "other.yaml", &APP.replace("base:Gpu", "base:Tpu"));
    let both = found(
        &server,
        &json!({"criteria": [{"tosca_definitions_version": "tosca_2_0"}], "node": "trainer"}),
    );
    assert_eq!(both["template"], Value::Null);
    let templates: Vec<&Value> =
        both["nodes"].as_array().unwrap().iter().map(|node| &node["template"]).collect();
    let mut expected = [app.clone(), other];
    expected.sort();
    assert_eq!(templates, [&json!(expected[0]), &json!(expected[1])]);
    let single = found(&server, &json!({"criteria": {"_id": app}}));
    assert_eq!(single["template"], app);
}

/// Files of other versions and with more than is understood are matched on what is.
#[test]
fn what_is_not_understood_is_passed_over_and_said() {
    let server = Server::start();
    let app = upload(
        &server,
        "dsswres",
        "old.yaml",
        r#"
tosca_definitions_version: tosca_simple_yaml_1_3
topology_template:
  node_templates:
    app:
      type: tosca.nodes.SoftwareComponent
      requirements:
        - host:
            node: tosca.nodes.Compute
            capability: tosca.capabilities.Compute
            node_filter:
              properties:
                - region: {valid_values: [eu, us]}
                - label: {pattern: "a.*"}
                - size: {equal: {get_input: size}}
              capabilities:
                - host: {properties: [{num_cpus: {in_range: [2, 8]}}, {mem_size: {greater_than: 1 GB}}]}
                - os: {properties: [{version: {greater_or_equal: "20.04"}}]}
        - host: {node_filter: {occult: true}}
        - watch: {node: Watcher, occurrences: [0, 1]}
"#,
    );
    server.put(
        "tosca_capacities",
        json!([
            {"_id": "a", "region": "eu", "capabilities": {"host": {"num_cpus": 2, "mem_size": "1 parsec"}, "os": {"version": "9.10"}}},
            {"_id": "b", "properties": {"region": "us"}, "capabilities": {"host": {"num_cpus": 9}, "os": {}}},
            {"_id": "c", "region": "cn", "capabilities": {"host": {"num_cpus": 2, "mem_size": "2 GB"}, "os": {"version": "22.04"}}},
            {"_id": "d", "region": "eu", "capabilities": {"host": {"num_cpus": 2, "mem_size": "2 GB"}, "os": {"version": "9.10"}}},
            {"_id": "e", "region": "eu", "capabilities": {"host": {"num_cpus": 2, "mem_size": "2 GB"}, "os": {"version": "20.04"}}},
        ]),
    );
    let node = found(&server, &json!({"template": app}))["nodes"][0].take();
    assert_eq!(node["asks"], json!(["host", "host[1]", "watch"]));
    assert_eq!(names(&node["candidates"]), ["e e"]);
    assert_eq!(
        node["not_understood"],
        json!(["label pattern", "size equal what get_input yields", "occult in a filter"])
    );
    let reasons: Vec<&str> = node["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "host: host.mem_size is 1 parsec, and must be greater_than 1 GB",
            "host: host.num_cpus is 9, and must be in_range [2,8]",
            "host: region is cn, and must be valid_values [\"eu\",\"us\"]",
            "host: os.version is 9.10, and must be greater_or_equal 20.04",
        ]
    );
}

#[test]
fn a_question_that_is_wrong_is_refused_by_name() {
    let server = Server::start();
    let app = upload(&server, "dsswres", "app.yaml", APP);
    for (body, status, why) in [
        ("", 400, "Neither 'template' nor 'criteria' is there"),
        ("[]", 400, "must be a JSON object such as"),
        ("{", 400, "is not JSON"),
        (
            r#"{"templat":"x"}"#,
            400,
            "Unknown key 'templat' in the request body: did you mean 'template'?",
        ),
        (r#"{"template":"x","store":"y"}"#, 400, "did you mean 'stores'?"),
        (r#"{"template":"x","template":"y"}"#, 400, "'template' is there twice"),
        (r#"{"template":1}"#, 400, "'template' must be a string"),
        (r#"{"template":"x","criteria":{}}"#, 400, "send one of them"),
        (r#"{"template":"x","stores":[]}"#, 400, "'stores' must be an array of names"),
        (r#"{"template":"x","stores":[1]}"#, 400, "'stores' must be an array of names"),
        (r#"{"template":"x","stores":["nowhere"]}"#, 404, "nowhere"),
        (r#"{"template":"x","stores":["contributions"]}"#, 400, "holds no documents"),
        (r#"{"template":"x","limit":-1}"#, 400, "'limit' must be a whole number, 0 or more"),
        (r#"{"template":"x","limit":1001}"#, 400, "'limit' must be at most 1000"),
        (
            r#"{"template":"x","time_budget_ms":0}"#,
            400,
            "'time_budget_ms' must be a whole number, 1 or more",
        ),
        (r#"{"criteria":{"a":{"$near":1}}}"#, 400, "$near"),
        (r#"{"template":"x"}"#, 404, "there is no TOSCA file with the _id \"x\""),
        (r#"{"criteria":{"a":1}}"#, 404, "no TOSCA file matches the criteria"),
    ] {
        let answer = server.request("POST", "/tosca/match", &[], body.as_bytes());
        let message = answer.refusal(status);
        assert!(message.contains(why), "{body}: {message}");
    }
    let message = ask(&server, &json!({"template": app, "node": "nobody"})).refusal(404);
    assert!(message.contains("has no node template \"nobody\""), "{message}");
    assert!(server.request("POST", "/tosca/match?x=1", &[], b"{}").refusal(400).contains("'x=1'"));
    server.request("GET", "/tosca/match", &[], b"").refusal(405);
}

/// Keys that begin with `$` are data in a document, and operators in criteria, unless `$eq` says
/// otherwise.
#[test]
fn trees_with_functions_are_stored_and_found_by_equality() {
    let server = Server::start();
    let yaml = "tosca_definitions_version: tosca_2_0\nservice_template:\n  node_templates:\n    n:\n      type: T\n      \
                count: {$get_input: nodes}\n      properties:\n        price: {$$currency: EUR, $$and: [1]}\n      \
                node_filter: {$and: [{$equal: [{$get_property: [SELF, p]}, {$set: 1}]}]}\n";
    let id = upload(&server, "dsswres", "f.yaml", yaml);
    let of = |path: &str, value: Value| {
        let path = format!("service_template.node_templates.n.{path}");
        server.find("dsswres", json!([{ path: {"$eq": value} }]))
    };
    for (path, value) in [
        ("count", json!({"$get_input": "nodes"})),
        ("properties.price", json!({"$$currency": "EUR", "$$and": [1]})),
        (
            "node_filter",
            json!({"$and": [{"$equal": [{"$get_property": ["SELF", "p"]}, {"$set": 1}]}]}),
        ),
    ] {
        assert_eq!(of(path, value)[0]["_id"], id, "{path}");
    }
    assert_eq!(of("count", json!({"$get_input": "others"})), json!([]));
    for wrong in [json!({"$get_input": "nodes"}), json!({"$set": 1})] {
        let criteria = json!([{"service_template.node_templates.n.count": wrong}]);
        server.refusal(400, &json!({"method": {"cmd": "crudget"}, "criteria": criteria}));
    }
    let kept = json!({"_id": "kept", "size": {"$get_input": "x"}, "$$odd": {"$gt": 1}});
    server.put("dsswres", json!([kept]));
    assert_eq!(
        server.find("dsswres", json!([{"size": {"$eq": {"$get_input": "x"}}}])),
        json!([kept])
    );
}

/// What is hostile costs its own size, and no other request.
#[test]
fn hostile_files_are_bounded() {
    let server = Server::start();
    let mut nodes = String::new();
    for n in 0..10_000 {
        nodes.push_str(&format!("    n{n}: {{type: T, requirements: [{{r: {{node: Loop}}}}]}}\n"));
    }
    let big = upload(
        &server,
        "dsswres",
        "big.yaml",
        &format!(
            "tosca_definitions_version: tosca_2_0\nnode_types:\n  Loop: {{derived_from: Pool, capabilities: {{c: C}}}}\n  \
             Pool: {{derived_from: Loop}}\nservice_template:\n  node_templates:\n{nodes}"
        ),
    );
    let answer = found(&server, &json!({"template": big, "stores": ["dsswres"], "limit": 1000}));
    let nodes = answer["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[9_999]["candidates_total"]), (10_000, &json!(2)));
    // What an answer may show is shared out among the nodes.
    assert_eq!(nodes[9_999]["candidates"].as_array().map(Vec::len), Some(1));

    let deep = format!("{}{}", "{$not: ".repeat(1_000), "}".repeat(1_000));
    let yaml = format!(
        "tosca_definitions_version: tosca_2_0\nservice_template: {{node_templates: {{n: {{node_filter: {deep}}}}}}}\n"
    );
    let body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.yaml\"\r\n\r\n{yaml}\r\n--XX--\r\n"
    );
    let form = [("Content-Type", "multipart/form-data; boundary=XX")];
    server.request("POST", "/upload", &form, body.as_bytes()).refusal(400);
    assert_eq!(server.get("/healthz").status, 200);
}
