//! Pages that the gateway makes: plain HTML, without scripts, narrow enough for a phone.
//!
//! Names come from strangers: each is escaped where it stands.

use std::fmt::Write;
use std::vec::IntoIter;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::{Cid, Codec, ListedEntry};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::describe::Description;
use super::limits::{PAGE_PIECE_ENTRIES, PAGE_TEXT_BYTES_MAX};
use super::path::ContentPath;
use crate::http::range::is_known;

/// The type of a page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// What a page may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:1rem auto;max-width:60rem;padding:0 1rem}\
h1{font-size:1.1rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%;table-layout:fixed}\
td{border-top:1px solid #8884;padding:.25rem .5rem .25rem 0;overflow-wrap:anywhere;vertical-align:top}\
td:last-child{width:6rem;text-align:right;padding-right:0;white-space:nowrap}\
.ipfs-hash{font:.75rem ui-monospace,monospace}pre{overflow:auto}\
@media(max-width:40rem){td:nth-child(2){display:none}}@media(prefers-color-scheme:dark){:root{color-scheme:dark}}";

/// What stands in a path as it is (RFC 3986, 3.3), but for what quotes an attribute.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What stands in a query as it is (RFC 3986, 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An answer with a page, or that it is known already.
pub(super) fn answer(headers: &HeaderMap, description: &Description, page: Body) -> Response {
    let mut response = if is_known(headers, &description.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(page)
    };
    description.write(response.headers_mut());
    guard(response.headers_mut());
    response
}

fn guard(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// What the root of the gateway says.
pub(super) fn welcome() -> Response {
    let mut page = String::new();
    begin(&mut page, "IPFS gateway");
    page.push_str("<h1>IPFS gateway</h1>\n<p>Ask for <code>/ipfs/</code> and an address.</p>\n</body></html>\n");
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    guard(response.headers_mut());
    response
}

fn begin(page: &mut String, title: &str) {
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body>\n",
        escaped(title)
    );
}

/// The page of a directory, piece by piece.
pub(super) struct Listing {
    entries: IntoIter<ListedEntry>,
    /// The path of the directory as it stands in links, without a slash at its end.
    base: String,
    head: Option<String>,
    ended: bool,
}

impl Listing {
    pub(super) fn new(path: &ContentPath, cid: &Cid, entries: Vec<ListedEntry>) -> Listing {
        let root = path.root.to_string();
        let mut base = format!("/ipfs/{root}");
        let mut head = String::new();
        begin(&mut head, &format!("Index of {}", path.shown));
        let _ = write!(head, "<h1>Index of /ipfs/<a href=\"{base}\">{root}</a>");
        let names: Vec<&str> = path.below.split('/').filter(|name| !name.is_empty()).collect();
        for name in &names {
            let _ = write!(base, "/{}", utf8_percent_encode(name, PATH));
            let _ = write!(head, "/<a href=\"{base}\">{}</a>", escaped(name));
        }
        let _ = write!(head, "</h1>\n<p class=\"ipfs-hash\" translate=\"no\">{cid}</p>\n<table>\n");
        if !names.is_empty() {
            let _ =
                writeln!(head, "<tr><td><a href=\"{base}/..\">..</a></td><td></td><td></td></tr>");
        }
        Listing { entries: entries.into_iter(), base, head: Some(head), ended: false }
    }
}

impl Iterator for Listing {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let mut piece = self.head.take().unwrap_or_default();
        for entry in self.entries.by_ref().take(PAGE_PIECE_ENTRIES) {
            row(&mut piece, &self.base, &entry);
        }
        if self.entries.len() == 0 {
            piece.push_str("</table>\n</body></html>\n");
            self.ended = true;
        }
        Some(piece)
    }
}

fn row(page: &mut String, base: &str, entry: &ListedEntry) {
    let ListedEntry { name, cid, blocks_bytes } = entry;
    let in_path = utf8_percent_encode(name, PATH).to_string();
    let in_query = utf8_percent_encode(&in_path, QUERY);
    let cid = cid.to_string();
    let _ = writeln!(
        page,
        "<tr><td><a href=\"{base}/{in_path}\">{}</a></td>\
         <td><a class=\"ipfs-hash\" translate=\"no\" href=\"/ipfs/{cid}?filename={in_query}\">{cid}</a></td>\
         <td>{}</td></tr>",
        escaped(name),
        size(*blocks_bytes)
    );
}

/// The page of a block with links: what it is, where it leads, and how its bytes are had.
pub(super) fn block(cid: &Cid, block: &[u8], links: &[Cid]) -> String {
    let (name, is_text) = match cid.codec() {
        Codec::DAG_JSON => ("dag-json", true),
        _ => ("dag-cbor", false),
    };
    let mut page = String::new();
    begin(&mut page, &cid.to_string());
    let _ = write!(
        page,
        "<h1>{name} <span class=\"ipfs-hash\" translate=\"no\">{cid}</span></h1>\n<p>{}; \
         <a href=\"/ipfs/{cid}?format={name}\">{name}</a>, <a href=\"/ipfs/{cid}?format=raw\">the block</a></p>\n",
        size(block.len() as u64)
    );
    if is_text {
        let shown = String::from_utf8_lossy(&block[..block.len().min(PAGE_TEXT_BYTES_MAX)]);
        let _ = writeln!(page, "<pre>{}</pre>", escaped(&shown));
    }
    page.push_str("<table>\n");
    for link in links {
        let _ = writeln!(
            page,
            "<tr><td><a class=\"ipfs-hash\" href=\"/ipfs/{link}\">{link}</a></td></tr>"
        );
    }
    page.push_str("</table>\n</body></html>\n");
    page
}

/// Text as it stands between tags and in quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut amount, mut unit) = (bytes as f64, "B");
    for larger in UNITS {
        if amount < 1024.0 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_stay_names() {
        let name = "<script>alert('&\"')</script> #?%ą".to_owned();
        let cid: Cid = "bafkqaaa".parse().unwrap();
        let mut page = String::new();
        row(&mut page, "/ipfs/r", &ListedEntry { name, cid, blocks_bytes: 2048 });
        assert!(!page.contains("<script") && !page.contains("'&"), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt; #?%ą</a>")
        );
        assert!(page.contains(
            "/ipfs/r/%3Cscript%3Ealert(%27%26%22%27)%3C%2Fscript%3E%20%23%3F%25%C4%85\""
        ));
        assert!(page.contains("2.0 KiB"));
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (u64::MAX, "16.0 EiB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn a_long_list_comes_in_pieces() {
        let path = ContentPath::read(&"/ipfs/bafkqaaa/a/".parse().unwrap()).unwrap();
        let cid: Cid = "bafkqaaa".parse().unwrap();
        let entry =
            |n: usize| ListedEntry { name: format!("{n:05}"), cid: cid.clone(), blocks_bytes: 1 };
        for count in [0, PAGE_PIECE_ENTRIES, 2 * PAGE_PIECE_ENTRIES + 1] {
            let pieces: Vec<String> =
                Listing::new(&path, &cid, (0..count).map(entry).collect()).collect();
            assert_eq!(pieces.len(), count.div_ceil(PAGE_PIECE_ENTRIES).max(1));
            let page = pieces.concat();
            assert_eq!(page.matches("<tr>").count(), count + 1);
            assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        }
    }
}
