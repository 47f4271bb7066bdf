//! Tests of reading: the files of the field, the corners of YAML, and what must be refused.

use std::collections::HashSet;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{TemplateKind, read};
use crate::Error;
use crate::limits::*;

fn tree(yaml: &str) -> Value {
    let mut document = read(yaml.as_bytes(), None, true)
        .unwrap_or_else(|error| panic!("{error}: {yaml}"))
        .document;
    assert_eq!(document.remove("_original_yaml"), Some(json!(yaml)));
    assert!(document.remove("_id").is_some() && document.remove("_filename").is_some());
    Value::Object(document)
}

fn refusal(yaml: &str) -> String {
    match read(yaml.as_bytes(), None, true) {
        Err(error) => {
            assert!(matches!(error, Error::Invalid(_) | Error::TooLarge(_)), "{error:?}");
            let text = error.to_string();
            assert!(!text.contains('\n'), "more than one line: {text}");
            text
        }
        Ok(template) => panic!("{yaml:.200}: {:?}", template.document),
    }
}

/// The tree by the other way through the library, which refuses keys that are collections.
fn reference(yaml: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(yaml, options).ok()
}

#[test]
fn every_file_of_the_field_is_read() {
    let shared = std::env::var_os("OPTIMUSDB_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let Ok(files) = std::fs::read_dir(shared.join("data/tosca")) else {
        eprintln!(
            "SKIPPED: no data/tosca in {}; OPTIMUSDB_SHARED names the directory",
            shared.display()
        );
        return;
    };
    let (mut ids, mut nodes, mut kinds, mut compared) = (HashSet::new(), 0, Vec::new(), 0);
    for file in files.map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let template = read(text.as_bytes(), Some(name), true)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(template.document["_original_yaml"], text.as_str());
        assert_eq!(template.document["_filename"], name);
        assert_eq!(template.document["_id"], template.id.as_str());
        if text.trim().is_empty() {
            assert_eq!(template.document["content"], Value::Null);
        } else if let Some(reference) = reference(&text) {
            assert_eq!(tree(&text), reference, "{name}");
            compared += 1;
        }
        assert!(ids.insert(template.id));
        nodes += template.node_count;
        kinds.push(template.kind);
    }
    assert!(ids.len() >= 30, "{} files", ids.len());
    assert!(nodes > 0 && compared >= 30, "{nodes} nodes, {compared} compared");
    for kind in [TemplateKind::ServiceTemplate, TemplateKind::Types, TemplateKind::Inputs] {
        assert!(kinds.contains(&kind), "no {kind}");
    }
}

#[test]
fn what_a_template_says_of_itself() {
    let simple = "tosca_definitions_version: tosca_simple_yaml_1_3\ndescription: Two nodes\n\
        metadata: {a: b}\nimports: [x.yaml]\ntopology_template:\n\
        \x20 node_templates:\n    a: {type: A}\n    b: {type: B}\n";
    let template = read(simple.as_bytes(), Some("dir/My App.v2.yaml"), true).unwrap();
    assert_eq!(template.filename, "dir/My App.v2.yaml");
    assert!(template.id.starts_with("tosca_my_app_v2_"), "{}", template.id);
    assert_eq!(template.id.len(), "tosca_my_app_v2_".len() + 16);
    assert_eq!(template.description.as_deref(), Some("Two nodes"));
    assert_eq!((template.node_count, template.kind), (2, TemplateKind::ServiceTemplate));
    assert_eq!(template.text, simple);
    assert_eq!(template.sha256.len(), 64);
    assert_eq!(template.document["topology_template"]["node_templates"]["b"]["type"], "B");

    let head = read(simple.as_bytes(), Some("dir/My App.v2.yaml"), false).unwrap();
    let keys: Vec<&str> = head.document.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "_filename",
            "_id",
            "_original_yaml",
            "description",
            "imports",
            "metadata",
            "tosca_definitions_version"
        ]
    );
    assert_eq!((head.node_count, head.id), (2, template.id));
}

#[test]
fn kinds_and_counts_of_other_files() {
    let rows = [
        (
            "service_template:\n  description: d\n  node_templates: {a: {}, b: {}, c: {}}",
            "x",
            TemplateKind::ServiceTemplate,
            3,
        ),
        ("topology_template: {}", "x", TemplateKind::ServiceTemplate, 0),
        ("topology_template: {node_templates: oops}", "x", TemplateKind::ServiceTemplate, 0),
        ("tosca_definitions_version: tosca_2_0", "x", TemplateKind::Types, 0),
        ("node_types: {}", "x", TemplateKind::Types, 0),
        ("number: 1", "a__inputs__main.yaml", TemplateKind::Inputs, 0),
        ("number: 1", "inputs/main.yaml", TemplateKind::Inputs, 0),
        ("number: 1", "main.yaml", TemplateKind::Yaml, 0),
        ("[1, 2]", "main.yaml", TemplateKind::Yaml, 0),
    ];
    for (yaml, name, kind, nodes) in rows {
        let template = read(yaml.as_bytes(), Some(name), true).unwrap();
        assert_eq!((template.kind, template.node_count), (kind, nodes), "{yaml}");
    }
    assert_eq!(read(rows[0].0.as_bytes(), None, true).unwrap().description.as_deref(), Some("d"));
}

#[test]
fn ids_follow_from_name_and_content() {
    let id = |content: &str, name: Option<&str>| read(content.as_bytes(), name, true).unwrap().id;
    assert_eq!(id("a: 1", Some("x.yaml")), id("a: 1", Some("x.yaml")));
    assert_ne!(id("a: 1", Some("x.yaml")), id("a: 2", Some("x.yaml")));
    assert_ne!(id("a: 1", Some("x.yaml")), id("a: 1", Some("x.yml")));
    assert_ne!(id("a: 1", Some("d/x.yaml")), id("a: 1", Some("e/x.yaml")));
    assert!(id("a: 1", Some("日本.yaml")).starts_with("tosca_file_"));
    assert!(id("a: 1", Some("--.yaml")).starts_with("tosca_file_"));
    assert!(id("a: 1", Some(&format!("{}.yaml", "x".repeat(500)))).len() < 100);
    let unnamed = read(b"a: 1", None, true).unwrap();
    assert!(unnamed.filename.starts_with("unnamed_") && unnamed.filename.ends_with(".yaml"));
    assert_eq!(unnamed.filename, read(b"a: 1", Some(""), true).unwrap().filename);
    assert_ne!(unnamed.filename, read(b"a: 2", None, true).unwrap().filename);
    assert!(read(b"a: 1", Some("a\nb"), true).is_err());
    assert!(read(b"a: 1", Some(&"x".repeat(2000)), true).is_err());
}

#[test]
fn scalars() {
    let rows = [
        ("a: 1", json!(1)),
        ("a: -17", json!(-17)),
        ("a: +17", json!(17)),
        ("a: 0", json!(0)),
        ("a: 0x1F", json!(31)),
        ("a: 0o17", json!(15)),
        ("a: 18446744073709551615", json!(u64::MAX)),
        ("a: -9223372036854775808", json!(i64::MIN)),
        ("a: 18446744073709551616", json!("18446744073709551616")),
        ("a: 0644", json!("0644")),
        ("a: 1_000", json!("1_000")),
        ("a: 1.5", json!(1.5)),
        ("a: -.5e-1", json!(-0.05)),
        ("a: 1.", json!(1.0)),
        ("a: 1e3", json!(1000.0)),
        ("a: 1e999", json!("1e999")),
        ("a: .inf", json!(".inf")),
        ("a: .NaN", json!(".NaN")),
        ("a: inf", json!("inf")),
        ("a: nan", json!("nan")),
        ("a: 1.2.3", json!("1.2.3")),
        ("a: 10 GB", json!("10 GB")),
        ("a: true", json!(true)),
        ("a: FALSE", json!(false)),
        ("a: yes", json!("yes")),
        ("a: no", json!("no")),
        ("a: on", json!("on")),
        ("a: null", json!(null)),
        ("a: ~", json!(null)),
        ("a:", json!(null)),
        ("a: ''", json!("")),
        ("a: '1'", json!("1")),
        ("a: \"\\u00fc\\n\"", json!("ü\n")),
        ("a: 2001-12-14t21:59:43.10-05:00", json!("2001-12-14t21:59:43.10-05:00")),
        ("a: 2001-12-14", json!("2001-12-14")),
        ("a: 12:30:45", json!("12:30:45")),
        ("a: !!str 12", json!("12")),
        ("a: ! 12", json!("12")),
        ("a: !!int '12'", json!(12)),
        ("a: !!float 3", json!(3)),
        ("a: !!float .inf", json!(".inf")),
        ("a: !!null ''", json!(null)),
        ("a: !!bool 'true'", json!(true)),
        ("a: !!binary aGk=", json!("aGk=")),
        ("a: !!timestamp 2001-12-14", json!("2001-12-14")),
        ("a: !custom 12", json!(12)),
        ("a: !custom {b: c}", json!({"b": "c"})),
        ("a: !!set {b, c}", json!({"b": null, "c": null})),
        ("a: |\n  x\n  y\n", json!("x\ny\n")),
        ("a: >-\n  x\n  y\n", json!("x y")),
        ("a: 日本語", json!("日本語")),
        ("a: <<", json!("<<")),
        ("a: {$ref: x}", json!({"$ref": "x"})),
        ("a: !include other.yaml", json!("other.yaml")),
    ];
    for (yaml, expected) in rows {
        assert_eq!(tree(yaml), json!({"a": expected}), "{yaml}");
    }
}

#[test]
fn of_several_documents_the_first_tosca_one_is_taken() {
    let tosca = "tosca_definitions_version: tosca_2_0\n";
    let first = json!({"tosca_definitions_version": "tosca_2_0"});
    for yaml in [
        format!("{tosca}---\n"),
        format!("# nothing\n---\n{tosca}"),
        format!("kind: other\n---\n{tosca}---\ntosca_definitions_version: later\n"),
        format!("{tosca}---\n- other\n"),
    ] {
        assert_eq!(tree(&yaml), first, "{yaml}");
    }
    let why = refusal("a: 1\n---\nb: 2\n");
    assert!(why.contains("line 2, column 1: a second document begins here"), "{why}");
    assert!(why.contains("upload each as a file of its own"), "{why}");
    // What is not taken is still read.
    assert!(refusal(&format!("{tosca}---\na: [1\n")).contains("invalid YAML at line"));
}

/// Where TOSCA says version, 1.10 comes after 1.9.
#[test]
fn versions_are_text() {
    for (yaml, expected) in [
        ("tosca_definitions_version: 1.10", json!({"tosca_definitions_version": "1.10"})),
        ("metadata: {template_version: 1.10}", json!({"metadata": {"template_version": "1.10"}})),
        (
            "node_types: {a: {version: 2.0, properties: {b: {type: float, default: 1.10}}}}",
            json!({"node_types": {"a": {"version": "2.0", "properties": {"b": {"type": "float", "default": 1.1}}}}}),
        ),
        (
            "inputs: {v: {default: 1.10, type: version}}",
            json!({"inputs": {"v": {"default": "1.10", "type": "version"}}}),
        ),
        (
            "artifact_version: &v 1.10\nother: *v",
            json!({"artifact_version": "1.10", "other": "1.10"}),
        ),
        ("version: 1.10.2", json!({"version": "1.10.2"})),
        ("version: 3", json!({"version": 3})),
        ("version: !!float 1.10", json!({"version": 1.1})),
        ("version: {type: string}", json!({"version": {"type": "string"}})),
        ("conversion: 1.10", json!({"conversion": 1.1})),
    ] {
        assert_eq!(tree(yaml), expected, "{yaml}");
    }
}

#[test]
fn collections_keys_anchors_and_merges() {
    let rows = [
        ("- 1\n- [2, {a: 3}]\n", json!({"content": [1, [2, {"a": 3}]]})),
        ("just text", json!({"content": "just text"})),
        ("12", json!({"content": 12})),
        ("{}", json!({})),
        ("[]", json!({"content": []})),
        ("1: a\ntrue: b\n~: c\n1.50: d\n", json!({"1": "a", "true": "b", "~": "c", "1.50": "d"})),
        ("? [a, 1]\n: x\n? {b: c}\n: y\n", json!({"[\"a\",1]": "x", "{\"b\":\"c\"}": "y"})),
        ("? a\n", json!({"a": null})),
        ("a: &x [1, 2]\nb: *x\n", json!({"a": [1, 2], "b": [1, 2]})),
        ("a: &x key\n*x : 1\n", json!({"a": "key", "key": 1})),
        ("&x a: 1\nb: *x\n", json!({"a": 1, "b": "a"})),
        ("a: &x 1\nb: &x 2\nc: *x\n", json!({"a": 1, "b": 2, "c": 2})),
        (
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n",
            json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ),
        (
            "a: &x {p: 1, q: 2}\nb:\n  q: 3\n  <<: *x\n",
            json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ),
        (
            "x: &x {p: 1}\ny: &y {p: 2, q: 2}\nb: {<<: [*x, *y]}\n",
            json!({"x": {"p": 1}, "y": {"p": 2, "q": 2}, "b": {"p": 1, "q": 2}}),
        ),
        (
            "x: &x {p: 1}\ny: &y {q: 2}\nb:\n  <<: *x\n  <<: *y\n",
            json!({"x": {"p": 1}, "y": {"q": 2}, "b": {"p": 1, "q": 2}}),
        ),
        ("a: {\"<<\": 1}", json!({"a": {"<<": 1}})),
        ("---\na: 1\n...\n", json!({"a": 1})),
        ("%YAML 1.2\n---\na: 1\n", json!({"a": 1})),
        ("---\n---\na: 1\n---\n# nothing\n", json!({"a": 1})),
        ("\u{feff}a: 1\n", json!({"a": 1})),
        ("a: 1\r\nb: 2\r\n", json!({"a": 1, "b": 2})),
        ("# comment\n\n# and another\na: 1 # here\n", json!({"a": 1})),
        ("\"a\": \"tab\\tin\"\n", json!({"a": "tab\tin"})),
        (
            "_id: mine\n_filename: mine\n_original_yaml: mine\n_imported_at: x\n",
            json!({"_imported_at": "x"}),
        ),
    ];
    for (yaml, expected) in rows {
        assert_eq!(tree(yaml), expected, "{yaml}");
    }
    let comments = "# line\n".repeat(1000) + "a:\n" + &"  # line\n".repeat(1000) + "  b: 1\n";
    assert_eq!(tree(&comments), json!({"a": {"b": 1}}));
}

#[test]
fn broken_yaml_is_placed() {
    let rows = [
        ("a: 1\nb: [1, 2\n", "invalid YAML at line 2, column 4: "),
        ("a: 1\n  b: 2\n", "invalid YAML at line 2, column 4: "),
        ("a: b: c\n", "invalid YAML at line 1, column 5: "),
        ("a:\n\t- 1\n", "invalid YAML at line 2, column 2: tabs"),
        ("a: \"x\n", "invalid YAML at line "),
        ("a: *nowhere\n", "invalid YAML at line 1, column 4: "),
        ("a: &x [*x]\n", "invalid YAML at line 1, column 8: an alias refers to what it stands in"),
        ("a: 1\nb: 2\na: 3\n", "invalid YAML at line 3, column 1: duplicate key \"a\""),
        ("a: {1: x, '1': y}\n", "invalid YAML at line 1, column 11: duplicate key \"1\""),
        (
            "a:\n  - __proto__: 1\n",
            "invalid YAML at line 2, column 5: the key '__proto__' cannot be stored",
        ),
        ("a: {<<: 1}\n", "invalid YAML at line 1, column 9: a merge key takes a mapping"),
        ("a: {<<: [{b: 1}, 2]}\n", "a merge key takes a mapping"),
        ("a: !!int x\n", "invalid YAML at line 1, column 10: \"x\" is not a !!int"),
        ("a: 1\n---\nb: 2\n", "invalid YAML at line 2, column 1: a second document"),
        ("a: @x\n", "invalid YAML at line 1, column 4: "),
        ("", "the file is empty"),
        ("\u{feff}", "the file is empty"),
    ];
    for (yaml, expected) in rows {
        let text = refusal(yaml);
        assert!(text.contains(expected), "{yaml:?}: {text}");
        assert!(!text.trim_end().ends_with(':'), "{yaml:?} gives no reason: {text}");
    }
}

#[test]
fn not_utf8_is_placed() {
    let error = read(b"a: 1\nb: \xc3\xbc\xff\n", None, true).unwrap_err();
    assert_eq!(error.to_string(), "invalid YAML at line 2, column 5: not UTF-8");
    assert!(read(b"\xff\xfea\x00", None, true).is_err());
}

#[test]
fn bombs_stay_small() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    let text = refusal(&laughs);
    assert!(text.contains("TOSCA_NODES_MAX"), "{text}");

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
    let text = refusal(&long);
    assert!(text.contains("TOSCA_EXPANDED_BYTES_MAX"), "{text}");

    let mut merges = String::from("a0: &a0 {k: v}\n");
    for level in 1..40 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        merges += &format!("a{level}: &a{level} {{<<: [{below}], k{level}: v}}\n");
    }
    refusal(&merges);

    let mut nested = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        nested += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    let text = refusal(&nested);
    assert!(text.contains("TOSCA_DEPTH_MAX"), "{text}");

    let many = "- a\n".repeat(TOSCA_BYTES_MAX / 4);
    assert!(matches!(read(many.as_bytes(), None, true), Err(Error::TooLarge(_))));
    let large = vec![b'#'; TOSCA_BYTES_MAX + 1];
    assert!(matches!(read(&large, None, true), Err(Error::TooLarge(_))));
    assert!(
        read(&[b"a: 1\n#", vec![b'x'; TOSCA_BYTES_MAX - 6].as_slice()].concat(), None, true)
            .is_ok()
    );
}

#[test]
fn depth_does_not_reach_the_stack() {
    for deep in [
        "[".repeat(10_000),
        "{a: ".repeat(10_000),
        "- ".repeat(10_000),
        "? ".repeat(10_000),
        "[".repeat(10_000) + &"]".repeat(10_000),
        (0..1_400).map(|level| " ".repeat(level) + "a:\n").collect(),
    ] {
        let text = refusal(&deep);
        assert!(text.contains("TOSCA_DEPTH_MAX"), "{text}");
    }
    let fine = "[".repeat(TOSCA_DEPTH_MAX) + &"]".repeat(TOSCA_DEPTH_MAX);
    tree(&fine);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_text_is_read_or_refused(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b: ", "1", "- ", "? ", ": ", "\n", "  ", "\n  ", "[", "]", "{", "}", ", ", "&x ",
                "*x", "<<: ", "!!str ", "!!int ", "! ", "\"", "'", "|\n", "---\n", "...\n", "#", "\t",
                "%YAML 1.2\n", "~", "ü", "\u{feff}", "\0", "\r",
            ]),
            0..24,
        ),
    ) {
        match read(parts.concat().as_bytes(), None, true) {
            Ok(template) => prop_assert_eq!(&template.text, &parts.concat()),
            Err(error) => prop_assert!(matches!(error, Error::Invalid(_)), "{error:?}"),
        }
    }
}
