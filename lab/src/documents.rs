//! Made-up resource descriptions, the same on every run: what the chores store and ask for.

use std::fmt::Write;

/// The document number `number`, about 300 bytes of JSON, with `version` in one of its fields.
pub(crate) fn document(number: u64, version: u64) -> String {
    const KINDS: [&str; 4] = ["compute", "storage", "network", "sensor"];
    const REGIONS: [&str; 5] = ["north", "south", "east", "west", "centre"];
    const STATES: [&str; 3] = ["running", "stopped", "failed"];
    let kind = KINDS[pick(number, 1, KINDS.len())];
    let region = REGIONS[pick(number, 2, REGIONS.len())];
    let state = STATES[pick(number, 3, STATES.len())];
    let cores = 1 << pick(number, 4, 6);
    let load = pick(number, 5, 10_000);
    format!(
        "{{\"_id\":\"{}\",\"resource_name\":\"{}\",\"resource_type\":\"{kind}\",\
         \"resource_def\":\"A {kind} node of rack {} in the {region} hall, kept for batch work\",\
         \"resource_tags\":[\"{kind}\",\"{region}\",\"rack-{}\"],\"status\":\"{state}\",\
         \"region\":\"{region}-{}\",\"cores\":{cores},\"memory_mb\":{},\"load\":{}.{:02},\
         \"version\":{version}}}",
        id(number),
        name(number),
        number % 97,
        number % 97,
        number % 7,
        cores * 2048,
        load / 100,
        (load % 100) | 1,
    )
}

/// The `_id` of the document number `number`.
pub(crate) fn id(number: u64) -> String {
    format!("res-{number:09}")
}

/// The `resource_name` of the document number `number`; no other has it.
pub(crate) fn name(number: u64) -> String {
    format!("node-{number:07}-{:04x}", scramble(number) & 0xffff)
}

/// The body of a `crudput` of `documents` into the default store.
pub(crate) fn put_body<'a>(documents: impl IntoIterator<Item = &'a str>) -> String {
    let mut body = String::from(r#"{"method":{"cmd":"crudput"},"dstype":"dsswres","criteria":["#);
    for (index, document) in documents.into_iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(document);
    }
    body.push_str("]}");
    body
}

/// The body of a `crudget` of what equals `value` in `field`.
pub(crate) fn get_body(field: &str, value: &str) -> String {
    let mut body = String::from(r#"{"method":{"cmd":"crudget"},"dstype":"dsswres","criteria":[{"#);
    write!(body, "\"{field}\":\"{value}\"}}]}}").expect("invariant: a String takes every write");
    body
}

/// A pseudo-random number below `below` that depends on `number` and `salt` alone.
fn pick(number: u64, salt: u64, below: usize) -> usize {
    (scramble(number.wrapping_mul(31).wrapping_add(salt)) % below as u64) as usize
}

/// Mixes the bits of a counter (the finaliser of SplitMix64).
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of pseudo-random numbers, for the order of questions and the moments of crashes.
pub(crate) struct SeededRandom(u64);

impl SeededRandom {
    /// The same seed gives the same stream.
    pub(crate) fn new(seed: u64) -> SeededRandom {
        SeededRandom(seed)
    }

    /// The next number, below `below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        scramble(self.0) % below
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn documents_are_json_of_about_300_bytes() {
        let sizes: Vec<usize> = (0..10_000).map(|number| document(number, 0).len()).collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((290..=330).contains(&mean), "{mean} bytes on average");
        let body = put_body([document(1, 0).as_str(), &document(2, 7)]);
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["criteria"][1]["_id"], "res-000000002");
        assert_eq!(parsed["criteria"][1]["version"], 7);
        let parsed: serde_json::Value = serde_json::from_str(&get_body("a", "b")).unwrap();
        assert_eq!(parsed["criteria"][0]["a"], "b");
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<String> = (0..10_000).map(name).collect();
        assert_eq!(names.len(), 10_000);
    }
}
