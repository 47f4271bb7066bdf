//! Links that are found, and what is none.

use super::*;

const RAW: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";

fn raw() -> Cid {
    RAW.parse().unwrap()
}

/// `{"a": [1, {"b": link}], "c": "text", "__proto__": 1.0}` as dag-cbor, its keys in no order.
fn cbor() -> Vec<u8> {
    let cid = raw().to_bytes();
    let mut block = b"\xa3\x61a\x82\x01\xa1\x61b\xd8\x2a\x58\x25\x00".to_vec();
    block.extend(&cid);
    block.extend(b"\x69__proto__\xfb\x3f\xf0\0\0\0\0\0\0\x61c\x64text");
    block
}

fn json() -> Vec<u8> {
    format!(
        r#"{{"a": [1, {{"b": {{"/": "{RAW}"}}}}], "c": "text", "d": {{"/": {{"bytes": "aGk"}}}}}}"#
    )
    .into_bytes()
}

fn both(path: &str) -> Step {
    let names: Vec<String> = path.split('/').filter(|n| !n.is_empty()).map(str::to_owned).collect();
    let step_in = |codec, block: &[u8]| step(codec, block, &names).unwrap();
    let found = step_in(Codec::DAG_CBOR, &cbor());
    assert_eq!(found, step_in(Codec::DAG_JSON, &json()), "{path}");
    found
}

#[test]
fn a_path_leads_through_maps_and_lists_to_the_first_link() {
    assert_eq!(both("a/1/b"), Step::Link(raw(), 3));
    assert_eq!(both("a/1/b/further"), Step::Link(raw(), 3));
    for inside in ["", "a", "a/0", "a/1", "c"] {
        assert_eq!(both(inside), Step::Inside, "{inside}");
    }
    for (path, at) in [("x", 0), ("a/2", 1), ("a/-1", 1), ("a/b", 1), ("a/1/c", 2), ("c/d", 1)] {
        assert_eq!(both(path), Step::Missing(at), "{path}");
    }
    let bytes = step(Codec::DAG_JSON, &json(), &["d".into(), "/".into()]).unwrap();
    assert_eq!(bytes, Step::Missing(1));
}

#[test]
fn a_block_can_be_a_link() {
    let block = format!(r#"{{"/":"{RAW}"}}"#);
    assert_eq!(
        step(Codec::DAG_JSON, block.as_bytes(), &["a".into()]).unwrap(),
        Step::Link(raw(), 0)
    );
    assert_eq!(links(Codec::DAG_JSON, block.as_bytes()).unwrap(), [raw()]);
}

#[test]
fn only_links_are_links() {
    assert_eq!(links(Codec::DAG_CBOR, &cbor()).unwrap(), [raw()]);
    assert_eq!(links(Codec::DAG_JSON, &json()).unwrap(), [raw()]);
    // A key more, and a text that looks like one.
    let text = format!(r#"[{{"/":"{RAW}","b":1}},"{{\"/\":\"{RAW}\"}}"]"#);
    assert_eq!(links(Codec::DAG_JSON, text.as_bytes()).unwrap(), []);
    assert!(matches!(links(Codec::RAW, b""), Err(Error::PathIntoCodec(0x55))));
}

#[test]
fn nonsense_is_an_error_however_deep() {
    for block in ["", "{", "[1,]", r#"{"/":"bafynonsense"}"#, "{} {}", "\"\u{0}"] {
        assert!(matches!(links(Codec::DAG_JSON, block.as_bytes()), Err(Error::DagJson)), "{block}");
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(links(Codec::DAG_JSON, &deep).is_err());
    // A path may go as deep as it has names, and what is beside it is passed over.
    assert_eq!(step(Codec::DAG_JSON, &deep, &["0".into()]), Ok(Step::Inside));
    let deep = [vec![0x81; 100_000], vec![0x00]].concat();
    assert!(links(Codec::DAG_CBOR, &deep).is_err());
    assert_eq!(step(Codec::DAG_CBOR, &deep, &["0".into()]), Ok(Step::Inside));
    for cut in 0..cbor().len() {
        assert!(links(Codec::DAG_CBOR, &cbor()[..cut]).is_err(), "{cut}");
    }
}
