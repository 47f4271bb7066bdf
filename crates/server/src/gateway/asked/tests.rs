//! What URLs and headers ask for.

use axum::http::header;

use super::*;

fn read(query: &str, accept: &str) -> Result<AskedContent, ApiError> {
    let uri = format!("/ipfs/bafkqaaa?{query}").parse().unwrap();
    AskedContent::read(&uri, &HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]))
}

fn asked(query: &str, accept: &str) -> AskedContent {
    read(query, accept).unwrap()
}

#[test]
fn the_url_decides_before_the_headers() {
    let (raw, car) = ("application/vnd.ipld.raw", "application/vnd.ipld.car");
    assert_eq!(asked("", "*/*").format, None);
    assert_eq!(asked("", raw).format, Some(Format::Raw));
    assert_eq!(asked("format=car", raw).format, Some(Format::Car));
    assert!(asked("", "application/json, */*").anything);
    assert!(!asked("format=json", "application/json, */*").anything);
    let dups =
        |query: &str, parameters: &str| asked(query, &format!("{car};{parameters}")).car.twice;
    assert!(dups("", "dups=y"));
    assert!(!dups("car-dups=n", "dups=y"));
    assert!(dups("format=car&car-dups=y", "dups=n"));
    // The parameters of another format say nothing.
    assert!(!asked("format=raw", &format!("{car};dups=y")).car.twice);
}

#[test]
fn what_the_headers_added_is_told_as_a_url() {
    let same = |query: &str, accept: &str| asked(query, accept).same_as;
    assert_eq!(same("", "*/*"), None);
    assert_eq!(same("format=raw", "*/*"), None);
    assert_eq!(same("", "application/vnd.ipld.raw").unwrap(), "format=raw");
    let car = "application/vnd.ipld.car;order=dfs;dups=y";
    assert_eq!(
        same("filename=a%20b&dag-scope=block", car).unwrap(),
        "format=car&car-order=dfs&car-dups=y&filename=a%20b&dag-scope=block"
    );
    assert_eq!(same("format=raw&car-dups=n", car).unwrap(), "format=raw");
}

#[test]
fn parts_of_a_dag_are_read() {
    let scope = |query: &str| asked(query, "").car.scope;
    let bytes = |from, to| CarScope::Bytes(EntityBytes { from, to });
    for (query, expected) in [
        ("", CarScope::All),
        ("dag-scope=block", CarScope::Block),
        ("dag-scope=entity", CarScope::Entity),
        ("entity-bytes=0:*", bytes(0, None)),
        ("dag-scope=entity&entity-bytes=-5:-2", bytes(-5, Some(-2))),
        ("entity-bytes=499:-1000", bytes(499, Some(-1000))),
    ] {
        assert_eq!(scope(query), expected, "{query}");
    }
    for wrong in [
        "format=x",
        "dag-scope=some",
        "entity-bytes=5",
        "entity-bytes=5:2",
        "entity-bytes=-2:-5",
        "entity-bytes=*:5",
        "entity-bytes=99999999999999999999:*",
        "format=car&car-version=2",
        "format=car&car-order=bfs",
        "format=car&car-dups=2",
    ] {
        assert!(read(wrong, "").is_err(), "{wrong}");
    }
    assert!(read(&format!("a={}", "x".repeat(QUERY_BYTES_MAX)), "").is_err());
    assert!(read("unknown=1&format=", "").is_ok());
}
