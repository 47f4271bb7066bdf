//! Envelopes in the shapes that clients send, and in those that they should not.

use super::*;
use serde_json::json;

fn parsed(body: &str) -> Envelope {
    Envelope::parse(body.as_bytes())
        .unwrap_or_else(|refusal| panic!("{body}: {}", refusal.message()))
}

fn refusal(body: impl AsRef<[u8]>) -> String {
    Envelope::parse(body.as_ref()).unwrap_err().message().to_owned()
}

#[test]
fn keys_match_in_any_case_and_padding_is_skipped() {
    let envelope = parsed(
        r#" {"Method":{"argcnt":2,"CMD":"CrudUpdate"},"args":["dummy1","dummy2"],"file":"","DSTYPE":"kbdata",
            "Criteria":[{"a":1}],"updatedata":[{"b":2}],"graph_traversal":[{}],"sqlselect":"","OPTIONS":{"limit":1},"x":{}} "#,
    );
    assert_eq!(envelope.cmd, "CrudUpdate");
    assert_eq!(envelope.store, "kbdata");
    assert_eq!(envelope.criteria, json!([{"a": 1}]));
    assert_eq!(envelope.update_data, json!([{"b": 2}]));
    assert_eq!(envelope.options, json!({"limit": 1}));
}

#[test]
fn all_but_the_command_may_be_absent() {
    let envelope = parsed(r#"{"method":{"cmd":"help"}}"#);
    assert_eq!(envelope.store, "dsswres");
    assert_eq!(envelope.criteria, Value::Null);
    assert_eq!(envelope.update_data, Value::Null);
    assert_eq!(envelope.options, Value::Null);
    assert_eq!(parsed("\u{feff}{\"method\":{\"cmd\":\"help\"}}").cmd, "help");
    for dstype in ["null", r#""""#] {
        assert_eq!(
            parsed(&format!(r#"{{"method":{{"cmd":"x"}},"dstype":{dstype}}}"#)).store,
            "dsswres"
        );
    }
}

#[test]
fn each_wrong_shape_has_its_message() {
    for (body, expected) in [
        ("", "has no body"),
        (" \r\n", "has no body"),
        ("[]", "must be a JSON object"),
        ("\"crudget\"", "must be a JSON object"),
        ("17", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("{}", "'method' is missing. Send a JSON object such as {\"method\":{\"cmd\":"),
        (r#"{"method":null}"#, "'method' is missing"),
        (r#"{"method":"crudget"}"#, "'method' must be an object such as {\"cmd\":"),
        (r#"{"method":[{"cmd":"crudget"}]}"#, "'method' must be an object"),
        (r#"{"method":{}}"#, "names no command"),
        (r#"{"method":{"cmd":null}}"#, "names no command"),
        (r#"{"method":{"cmd":7}}"#, "'method.cmd' must be a string"),
        (r#"{"method":{"cmd":"help"},"dstype":7}"#, "'dstype' must be a string"),
        (r#"{"method":{"cmd":"help"},"options":[]}"#, "'options' must be an object"),
        (r#"{"method":{"cmd":"help"},"options":{"offset":1}}"#, "did you mean 'skip'?"),
        (r#"{"method":{"cmd":"help"},"Criteria":[],"criteria":[]}"#, "'criteria' is there twice"),
        (r#"{"method":{"cmd":"help","CMD":"x"}}"#, "'cmd' is there twice in 'method'"),
    ] {
        let message = refusal(body);
        assert!(message.contains(expected), "{body}: {message}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (body, place) in [
        ("{", "line 1 column 1"),
        ("cmd=crudget", "line 1 column 1"),
        ("{\"method\":\n {'cmd'", "line 2 column 3"),
        (r#"{"method":{"cmd":"x"}} {}"#, "line 1 column 24"),
        (r#"{"padding":[1,}"#, "line 1 column 15"),
        (r#"{"criteria":[NaN]}"#, "line 1 column 14"),
        (r#"{"criteria":[1e999]}"#, "line 1 column"),
        (r#"{"criteria":["\ud800"]}"#, "line 1 column"),
    ] {
        let message = refusal(body);
        assert!(
            message.starts_with("The request body is not JSON: ") && message.contains(place),
            "{body}: {message}"
        );
    }
    assert!(refusal(b"{\"criteria\":[\"\xff\"]}").contains("is not JSON"));
    assert!(refusal(b"{\"criteria\":[\"\0\"]}").contains("is not JSON"));
}

#[test]
fn nesting_is_bounded_whether_kept_or_skipped() {
    let nested = |key: &str, levels: usize| {
        format!(
            r#"{{"method":{{"cmd":"x"}},"{key}":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    parsed(&nested("criteria", 126));
    let message = refusal(nested("criteria", 200));
    assert!(message.contains("nested too deeply at line 1"), "{message}");
    // Skipped without recursion: as deep as it likes.
    parsed(&nested("padding", 100_000));
}

#[test]
fn parts_may_be_one_object_or_an_array() {
    assert_eq!(objects(Value::Null, "criteria").unwrap(), Vec::<Value>::new());
    assert_eq!(objects(json!({"a": 1}), "criteria").unwrap(), [json!({"a": 1})]);
    assert_eq!(objects(json!([{"a": 1}, 2]), "criteria").unwrap(), [json!({"a": 1}), json!(2)]);
    let refused = objects(json!("x"), "UpdateData").unwrap_err();
    assert_eq!(refused.message(), "'UpdateData' must be an array of objects or one object.");
}
