//! What must be refused, each by its own error.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{Signature, SigningKey};
use optimusdb_dag::limits::{
    ACCESS_WRITERS_MAX, CLOCK_JUMP_TICKS_MAX, CLOCK_TICKS_MAX, ENTRY_BYTES_MAX, IDENTITY_BYTES_MAX,
    NEXT_LINKS_MAX, REFS_MAX, VALUE_DEPTH_MAX, VALUE_ITEMS_MAX,
};
use optimusdb_dag::{
    AccessController, Address, Entry, Error, Identity, Ipld, Kind, Links, LogCid, Manifest,
    StoreKind, value,
};
use sha2::{Digest, Sha256};
use world::{anyone, keys, log, prove, put};

type Fields = BTreeMap<String, Ipld>;

fn text(text: impl Into<String>) -> Ipld {
    Ipld::String(text.into())
}

/// A CIDv1, raw and sha2-256, in base58btc.
const FILE_CID: &str = "zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn";

fn cid(n: usize) -> LogCid {
    LogCid::of(&n.to_be_bytes())
}

fn cid_texts(range: std::ops::Range<usize>) -> Ipld {
    Ipld::List(range.map(|n| text(cid(n).to_string())).collect())
}

fn good() -> Entry {
    Entry::sign(
        &keys(1),
        log(),
        Links { next: vec![cid(1)], refs: vec![cid(2)], time: 2 },
        put("a", 1),
    )
    .unwrap()
}

fn fields(entry: &Entry) -> Fields {
    let Ipld::Map(fields) = value::decode(entry.block()).unwrap() else { panic!("not a map") };
    fields
}

/// Signs the six fields with this signing key, so that only what a test changed is wrong.
fn sign_again(fields: &mut Fields, seed: u8) {
    let signed: Fields = fields
        .iter()
        .filter(|(name, _)| !["key", "sig", "identity"].contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let bytes = serde_ipld_dagcbor::to_vec(&Ipld::Map(signed)).unwrap();
    let key = SigningKey::from_slice(&[seed + 100; 32]).unwrap();
    let signature: Signature = key.sign_prehash(&Sha256::digest(&bytes)).unwrap();
    fields.insert("sig".into(), text(hex::encode(signature.to_der().as_bytes())));
}

fn decode(block: &[u8]) -> Result<Entry, Error> {
    Entry::decode(LogCid::of(block), block)
}

/// The good entry, changed and signed again.
fn changed(change: impl FnOnce(&mut Fields)) -> Result<Entry, Error> {
    let mut fields = fields(&good());
    change(&mut fields);
    sign_again(&mut fields, 1);
    decode(&serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).unwrap())
}

/// The good entry with one field replaced.
fn with(field: &str, value: Ipld) -> Result<Entry, Error> {
    changed(|fields| drop(fields.insert(field.into(), value)))
}

fn clock(id: &str, time: Ipld) -> Ipld {
    Ipld::Map(BTreeMap::from([("id".into(), text(id)), ("time".into(), time)]))
}

fn sig_hex(entry: &Entry) -> String {
    hex::encode(entry.to_stored().sig_der)
}

#[test]
fn the_good_entry_is_good() {
    let entry = changed(|_| ()).unwrap();
    assert_eq!(entry, good());
    prove(&entry, &log(), keys(1).identity()).unwrap();
    entry.verify_clock(&[1]).unwrap();
    assert!(with("next", cid_texts(0..NEXT_LINKS_MAX)).is_ok());
    assert!(with("refs", cid_texts(0..REFS_MAX)).is_ok());
}

#[test]
fn bytes_that_are_not_the_block() {
    let entry = good();
    let other = cid(7);
    assert_eq!(Entry::decode(other, entry.block()), Err(Error::HashMismatch(other)));
    assert_eq!(Error::HashMismatch(other).kind(), Kind::Corrupt);
    let block = keys(1).identity().block.clone();
    assert_eq!(Identity::decode(other, &block), Err(Error::HashMismatch(other)));
    assert_eq!(
        AccessController::decode(other, &anyone().encode().1),
        Err(Error::HashMismatch(other))
    );
}

#[test]
fn an_entry_cannot_name_itself() {
    // A block that names an address cannot also hash to it.
    let claimed = cid(1);
    assert!(good().next().contains(&claimed));
    assert_eq!(Entry::decode(claimed, good().block()), Err(Error::HashMismatch(claimed)));
}

#[test]
fn fields_missing_and_extra() {
    for name in ["v", "id", "key", "sig", "next", "refs", "clock", "payload", "identity"] {
        let mut fields = fields(&good());
        fields.remove(name);
        let block = serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).unwrap();
        assert_eq!(decode(&block), Err(Error::FieldMissing(name)));
    }
    assert_eq!(with("hash", text("x")), Err(Error::FieldUnknown("next")));
    assert_eq!(with("zzzzzzzzz", Ipld::Null), Err(Error::FieldUnknown("identity")));
    assert_eq!(with("a", Ipld::Null), Err(Error::FieldUnknown("v")));
    let clock_id = text(&keys(1).identity().public_key);
    let clock = |fields: &[(&str, Ipld)]| {
        Ipld::Map(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let time = Ipld::Integer(2);
    assert_eq!(with("clock", clock(&[("id", clock_id.clone())])), Err(Error::FieldMissing("time")));
    assert_eq!(with("clock", clock(&[("time", time.clone())])), Err(Error::FieldMissing("id")));
    assert_eq!(
        with("clock", clock(&[("id", clock_id), ("time", time), ("zzzzz", Ipld::Null)])),
        Err(Error::FieldUnknown("time"))
    );
}

#[test]
fn fields_of_the_wrong_sort() {
    let key = keys(1).identity().public_key.clone();
    let cases = [
        (with("v", text("2")), Error::FieldSort("v")),
        (with("v", Ipld::Integer(1)), Error::EntryVersion),
        (with("v", Ipld::Integer(3)), Error::EntryVersion),
        (with("id", Ipld::Null), Error::FieldSort("id")),
        (with("id", text("/orbitdb/")), Error::AddressText),
        (with("id", text(cid(1).to_string())), Error::AddressText),
        (with("key", Ipld::Bytes(vec![2; 33])), Error::FieldSort("key")),
        (with("key", text("")), Error::PublicKey),
        (with("key", text(key.to_uppercase())), Error::PublicKey),
        (with("next", Ipld::Map(BTreeMap::new())), Error::FieldSort("next")),
        (with("next", Ipld::List(vec![Ipld::Integer(1)])), Error::FieldSort("next")),
        (with("next", Ipld::List(vec![text("zdpu")])), Error::CidText),
        (
            with("refs", Ipld::List(vec![text("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG")])),
            Error::CidForeign,
        ),
        // The block of a file, in the digits in which a log has its own.
        (with("next", Ipld::List(vec![text(FILE_CID)])), Error::CidForeign),
        (with("identity", text(FILE_CID)), Error::CidForeign),
        (with("id", text(format!("/orbitdb/{FILE_CID}"))), Error::AddressText),
        (with("refs", Ipld::Null), Error::FieldSort("refs")),
        (with("clock", Ipld::Integer(2)), Error::FieldSort("clock")),
        (with("clock", clock(&key, text("2"))), Error::FieldSort("clock.time")),
        (with("clock", clock(&key, Ipld::Integer(-1))), Error::FieldSort("clock.time")),
        (with("identity", Ipld::Null), Error::FieldSort("identity")),
        (with("identity", text("alice")), Error::CidText),
    ];
    for (result, why) in cases {
        assert_eq!(result, Err(why));
    }
    assert_eq!(
        decode(&value::encode(&Ipld::List(vec![])).unwrap()),
        Err(Error::FieldSort("entry"))
    );
    assert_eq!(decode(&[]), Err(Error::Truncated));
}

#[test]
fn fan_out() {
    assert_eq!(with("next", cid_texts(0..NEXT_LINKS_MAX + 1)), Err(Error::TooManyNext));
    assert_eq!(with("refs", cid_texts(0..REFS_MAX + 1)), Err(Error::TooManyRefs));
    let twice = Ipld::List(vec![
        text(cid(1).to_string()),
        text(cid(2).to_string()),
        text(cid(1).to_string()),
    ]);
    assert_eq!(with("next", twice), Err(Error::NextRepeated));

    let sign = |links| Entry::sign(&keys(1), log(), links, Ipld::Null);
    let many = |n| (0..n).map(cid).collect::<Vec<_>>();
    assert_eq!(
        sign(Links { next: many(NEXT_LINKS_MAX + 1), refs: vec![], time: 1 }),
        Err(Error::TooManyNext)
    );
    assert_eq!(
        sign(Links { next: vec![], refs: many(REFS_MAX + 1), time: 1 }),
        Err(Error::TooManyRefs)
    );
    assert_eq!(
        sign(Links { next: vec![cid(1), cid(1)], refs: vec![], time: 1 }),
        Err(Error::NextRepeated)
    );
    // A claimed length far beyond the bytes allocates nothing.
    let mut block = good().block().to_vec();
    let at = block.windows(5).position(|window| window == b"dnext").unwrap() + 5;
    block.splice(at..=at, [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decode(&block), Err(Error::TooManyNext));
}

#[test]
fn clocks_out_of_range() {
    let key = keys(1).identity().public_key.clone();
    let at = |time: i128| with("clock", clock(&key, Ipld::Integer(time)));
    assert_eq!(at(0), Err(Error::ClockRange(0)));
    assert!(at(i128::from(CLOCK_TICKS_MAX)).is_ok());
    assert_eq!(at(1 << 53), Err(Error::ClockRange(1 << 53)));
    assert_eq!(at(1 << 60), Err(Error::ClockRange(1 << 60)));
    assert_eq!(at(i128::from(u64::MAX)), Err(Error::ClockRange(u64::MAX)));
    for time in [0, 1 << 53, u64::MAX] {
        let links = Links { next: vec![], refs: vec![], time };
        assert_eq!(Entry::sign(&keys(1), log(), links, Ipld::Null), Err(Error::ClockRange(time)));
    }
    assert_eq!(
        with("clock", clock(&keys(2).identity().public_key, Ipld::Integer(2))),
        Err(Error::ClockNotOwn)
    );
}

#[test]
fn clocks_that_do_not_follow_their_parents() {
    let entry = |time| {
        Entry::sign(&keys(1), log(), Links { next: vec![], refs: vec![], time }, Ipld::Null)
            .unwrap()
    };
    assert_eq!(entry(2).verify_clock(&[1, 2]), Err(Error::ClockNotAfter { time: 2, newest: 2 }));
    assert_eq!(entry(2).verify_clock(&[7, 1]), Err(Error::ClockNotAfter { time: 2, newest: 7 }));
    assert_eq!(entry(8).verify_clock(&[7, 1]), Ok(()));
    assert_eq!(entry(CLOCK_JUMP_TICKS_MAX).verify_clock(&[]), Ok(()));
    let time = CLOCK_JUMP_TICKS_MAX + 1;
    assert_eq!(entry(time).verify_clock(&[]), Err(Error::ClockJump { time, newest: 0 }));
    assert_eq!(entry(time).verify_clock(&[1]), Ok(()));
    let time = CLOCK_TICKS_MAX;
    assert_eq!(entry(time).verify_clock(&[5, 6]), Err(Error::ClockJump { time, newest: 6 }));
    assert_eq!(entry(time).verify_clock(&[CLOCK_TICKS_MAX - 1]), Ok(()));
}

#[test]
fn writers_that_may_not() {
    let (alice, bob) = (keys(1), keys(2));
    let only_bob = AccessController::ipfs(vec![bob.identity().id.clone()]);
    let entry = good();
    let other = Address::of_manifest(cid(3));
    assert_eq!(prove(&entry, &other, alice.identity()), Err(Error::WrongLog));
    assert_eq!(prove(&entry, &log(), bob.identity()), Err(Error::WrongIdentity));
    assert!(prove(&entry, &log(), alice.identity()).is_ok() && only_bob.allows(bob.identity()));
    assert!(!only_bob.allows(alice.identity()));
    assert_eq!(Error::AccessDenied.kind(), Kind::Denied);
    // Access goes by the id, not by the signing key.
    let by_key = AccessController::ipfs(vec![alice.identity().public_key.clone()]);
    assert!(!by_key.allows(alice.identity()));
    assert!(!AccessController::ipfs(vec![]).allows(alice.identity()));
}

#[test]
fn keys_that_are_not_bound() {
    let (alice, bob) = (keys(1), keys(2));
    let mut forged = fields(&good());
    forged.insert("identity".into(), text(bob.identity().cid.to_string()));
    sign_again(&mut forged, 1);
    let entry = decode(&serde_ipld_dagcbor::to_vec(&Ipld::Map(forged)).unwrap()).unwrap();
    assert_eq!(prove(&entry, &log(), bob.identity()), Err(Error::KeyNotBound));
    assert_eq!(prove(&entry, &log(), alice.identity()), Err(Error::WrongIdentity));
}

#[test]
fn signatures_that_do_not_fit() {
    for field in ["payload", "refs", "next"] {
        let mut fields = fields(&good());
        fields.insert(field.into(), Ipld::List(vec![]));
        let entry = decode(&serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).unwrap()).unwrap();
        assert_eq!(prove(&entry, &log(), keys(1).identity()), Err(Error::SignatureWrong));
    }
    let mut fields = fields(&good());
    sign_again(&mut fields, 2);
    let entry = decode(&serde_ipld_dagcbor::to_vec(&Ipld::Map(fields.clone())).unwrap()).unwrap();
    assert_eq!(prove(&entry, &log(), keys(1).identity()), Err(Error::SignatureWrong));

    let signature = Signature::from_der(&good().to_stored().sig_der).unwrap();
    let (r, s) = signature.split_scalars();
    let high = Signature::from_scalars(*r, -*s).unwrap();
    let forms = [
        (hex::encode(high.to_der().as_bytes()), Error::SignatureHighS),
        (sig_hex(&good()).to_uppercase(), Error::SignatureText),
        (hex::encode(signature.to_bytes()), Error::SignatureDer),
        (format!("{}00", sig_hex(&good())), Error::SignatureDer),
        (String::new(), Error::SignatureDer),
    ];
    for (form, why) in forms {
        fields.insert("sig".into(), text(form));
        let block = serde_ipld_dagcbor::to_vec(&Ipld::Map(fields.clone())).unwrap();
        assert_eq!(decode(&block), Err(why));
    }
}

#[test]
fn encodings_that_are_not_canonical() {
    let block = good().block().to_vec();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = block.windows(from.len()).position(|window| window == from).unwrap();
        let mut changed = block.clone();
        changed.splice(at..at + from.len(), to.iter().copied());
        decode(&changed)
    };
    // The map of nine fields, its length in two bytes, or indefinite.
    assert_eq!(replaced(&[0xa9], &[0xb8, 9]), Err(Error::NotMinimal));
    assert_eq!(replaced(&[0xa9], &[0xbf]), Err(Error::Indefinite));
    assert_eq!(replaced(&[0xa9], &[0xa8]), Err(Error::FieldMissing("identity")));
    assert_eq!(replaced(&[0xa9], &[0xaa]), Err(Error::FieldUnknown("identity")));
    assert_eq!(replaced(b"av\x02", b"av\x18\x02"), Err(Error::NotMinimal));
    assert_eq!(
        replaced(b"av\x02", b"av\xfb\x40\x00\x00\x00\x00\x00\x00\x00"),
        Err(Error::FieldSort("v"))
    );
    assert_eq!(replaced(b"av", b"Av"), Err(Error::KeyNotText));
    assert_eq!(replaced(b"dtime\x02", b"dtime\x18\x02"), Err(Error::NotMinimal));
    assert_eq!(
        replaced(b"an\x01", b"an\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        Err(Error::FloatIntegral)
    );
    assert_eq!(replaced(b"an\x01", b"an\xf7"), Err(Error::Simple(23)));
    assert_eq!(replaced(b"dnext", b"drefs"), Err(Error::FieldMissing("next")));
    assert_eq!(replaced(b"drefs", b"dnext"), Err(Error::KeyRepeated));
    let mut trailing = block.clone();
    trailing.push(0);
    assert_eq!(decode(&trailing), Err(Error::Trailing));
    for end in 0..block.len() {
        assert_eq!(decode(&block[..end]), Err(Error::Truncated), "{end} bytes");
    }
}

#[test]
fn values_that_are_refused() {
    let cases: [(&str, Error); 24] = [
        ("", Error::Truncated),
        ("19ff", Error::Truncated),
        ("62 61", Error::Truncated),
        ("82 01", Error::Truncated),
        ("5bffffffffffffffff", Error::Truncated),
        ("9bffffffffffffffff", Error::Truncated),
        ("0101", Error::Trailing),
        ("1817", Error::NotMinimal),
        ("1900ff", Error::NotMinimal),
        ("1a0000ffff", Error::NotMinimal),
        ("1b00000000ffffffff", Error::NotMinimal),
        ("3803", Error::NotMinimal),
        ("7800", Error::NotMinimal),
        ("9f01ff", Error::Indefinite),
        ("7f6161ff", Error::Indefinite),
        ("ff", Error::Indefinite),
        ("61ff", Error::NotUtf8),
        ("a1 61c0 01", Error::NotUtf8),
        ("fb7ff8000000000000", Error::FloatNotFinite),
        ("fbfff0000000000000", Error::FloatNotFinite),
        ("f820", Error::Simple(24)),
        ("1c", Error::Simple(0x1c)),
        ("d82a4100", Error::Link),
        (
            "d82a5825000171122000000000000000000000000000000000000000000000000000000000000000 00 00",
            Error::Trailing,
        ),
    ];
    for (input, why) in cases {
        let bytes = hex::decode(input.replace(' ', "")).unwrap();
        assert_eq!(value::decode(&bytes), Err(why), "{input}");
    }
    // A link with bytes after its address, and one without the leading zero.
    let address = hex::encode(cid(1).to_bytes());
    assert!(value::decode(&hex::decode(format!("d82a582500{address}")).unwrap()).is_ok());
    assert_eq!(
        value::decode(&hex::decode(format!("d82a582600{address}00")).unwrap()),
        Err(Error::Link)
    );
    assert_eq!(
        value::decode(&hex::decode(format!("d82a5824{address}")).unwrap()),
        Err(Error::Link)
    );
    assert_eq!(
        value::decode(&hex::decode(format!("d82b582500{address}")).unwrap()),
        Err(Error::Tag(43))
    );
}

#[test]
fn values_that_are_not_written() {
    let proto = Ipld::Map(BTreeMap::from([("__proto__".to_owned(), Ipld::Null)]));
    let cases = [
        (Ipld::Float(f64::NAN), Error::FloatNotFinite),
        (Ipld::Float(f64::NEG_INFINITY), Error::FloatNotFinite),
        (Ipld::Integer(1 << 64), Error::IntegerRange),
        (Ipld::Integer(-(1 << 64) - 1), Error::IntegerRange),
        (Ipld::Integer(i128::MIN), Error::IntegerRange),
        (Ipld::List(vec![proto]), Error::KeyProto),
        (nested(VALUE_DEPTH_MAX + 1), Error::TooDeep),
    ];
    for (value, why) in cases {
        assert_eq!(value::encode(&value), Err(why.clone()));
        assert_eq!(value::normalise(value), Err(why));
    }
    for integer in [-(1 << 64), (1 << 64) - 1, 0, -1] {
        let bytes = value::encode(&Ipld::Integer(integer)).unwrap();
        assert_eq!(value::decode(&bytes), Ok(Ipld::Integer(integer)));
    }
}

fn nested(depth: usize) -> Ipld {
    (1..depth).fold(Ipld::List(vec![]), |inner, _| Ipld::List(vec![inner]))
}

#[test]
fn deep_values() {
    let deepest = nested(VALUE_DEPTH_MAX);
    assert_eq!(value::decode(&value::encode(&deepest).unwrap()).as_ref(), Ok(&deepest));
    assert!(with("payload", deepest).is_ok());
    let deeper = [vec![0x81; VALUE_DEPTH_MAX], vec![0x80]].concat();
    assert_eq!(value::decode(&deeper), Err(Error::TooDeep));
    // So deep that recursion without a bound would end the process.
    assert_eq!(value::decode(&vec![0x81; 1_000_000]), Err(Error::TooDeep));
    assert_eq!(value::decode(&[[0xa1, 0x60]; 500_000].concat()), Err(Error::TooDeep));
    let mut block = good().block().to_vec();
    let at = block.windows(8).position(|window| window == b"gpayload").unwrap() + 8;
    block.splice(at..at, vec![0x81; 500_000]);
    assert_eq!(decode(&block), Err(Error::TooDeep));
}

#[test]
fn large_values() {
    let items = |n: usize| [vec![0x9a], (n as u32).to_be_bytes().to_vec(), vec![0xf6; n]].concat();
    assert!(value::decode(&items(VALUE_ITEMS_MAX - 1)).is_ok());
    assert_eq!(value::decode(&items(VALUE_ITEMS_MAX)), Err(Error::TooManyItems));

    // A document of 1 MiB fits beside the greatest number of links.
    let document = Ipld::Map(BTreeMap::from([("text".to_owned(), text("x".repeat(1 << 20)))]));
    let many = |n| (0..n).map(cid).collect::<Vec<_>>();
    let links = Links { next: many(NEXT_LINKS_MAX), refs: many(REFS_MAX), time: 1 };
    let entry = Entry::sign(&keys(1), log(), links.clone(), document).unwrap();
    assert!(decode(entry.block()).is_ok());

    let document = text("x".repeat(ENTRY_BYTES_MAX));
    let why = Entry::sign(&keys(1), log(), links, document.clone()).unwrap_err();
    assert!(matches!(why, Error::BlockTooLarge { what: "entry", bytes_max: ENTRY_BYTES_MAX, .. }));
    assert_eq!(why.kind(), Kind::TooLarge);
    assert!(matches!(with("payload", document), Err(Error::BlockTooLarge { what: "entry", .. })));
}

#[test]
fn identities_that_are_refused() {
    let (alice, bob) = (keys(1), keys(2));
    let identity = |change: &dyn Fn(&mut Fields)| {
        let Ipld::Map(mut fields) = value::decode(&alice.identity().block).unwrap() else {
            panic!("not a map")
        };
        change(&mut fields);
        let block = serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).unwrap();
        Identity::decode(LogCid::of(&block), &block)
    };
    let set = |field: &'static str, value: Ipld| {
        identity(&move |fields| drop(fields.insert(field.into(), value.clone())))
    };
    let sign = |field: &'static str, value: &str| {
        identity(&|fields| match fields.get_mut("signatures") {
            Some(Ipld::Map(signatures)) => drop(signatures.insert(field.into(), text(value))),
            _ => panic!("not a map"),
        })
    };
    assert_eq!(identity(&|_| ()).as_ref(), Ok(&**alice.identity()));
    assert_eq!(set("type", text("ethereum")), Err(Error::IdentityType));
    assert_eq!(set("id", text("alice")), Err(Error::PublicKey));
    assert_eq!(set("id", text(&bob.identity().id)), Err(Error::IdentityIdSignature));
    assert_eq!(set("publicKey", text(&bob.identity().public_key)), Err(Error::IdentityIdSignature));
    assert_eq!(sign("publicKey", &bob.identity().key_signature), Err(Error::IdentityKeySignature));
    assert_eq!(
        sign("id", &alice.identity().id_signature.to_uppercase()),
        Err(Error::SignatureText)
    );
    assert_eq!(sign("name", "x"), Err(Error::FieldUnknown("publicKey")));
    assert_eq!(set("extra", Ipld::Null), Err(Error::FieldUnknown("publicKey")));
    assert_eq!(identity(&|fields| drop(fields.remove("id"))), Err(Error::FieldMissing("id")));
    assert_eq!(set("signatures", Ipld::Null), Err(Error::FieldSort("signatures")));
    let large = set("id", text("0".repeat(IDENTITY_BYTES_MAX)));
    assert!(matches!(large, Err(Error::BlockTooLarge { what: "identity", .. })));
}

#[test]
fn access_controllers_that_are_refused() {
    let access = |fields: &[(&str, Ipld)]| {
        let fields: Fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let block = value::encode(&Ipld::Map(fields)).unwrap();
        AccessController::decode(LogCid::of(&block), &block)
    };
    let list = |n: usize| Ipld::List(vec![text("*"); n]);
    assert!(access(&[("type", text("ipfs")), ("write", list(ACCESS_WRITERS_MAX))]).is_ok());
    assert_eq!(
        access(&[("type", text("ipfs")), ("write", list(ACCESS_WRITERS_MAX + 1))]),
        Err(Error::TooManyWriters)
    );
    assert_eq!(access(&[("type", text("orbitdb")), ("write", list(1))]), Err(Error::AccessType));
    assert_eq!(access(&[("write", list(1))]), Err(Error::FieldMissing("type")));
    assert_eq!(access(&[("type", text("ipfs"))]), Err(Error::FieldMissing("write")));
    assert_eq!(
        access(&[("type", text("ipfs")), ("write", text("*"))]),
        Err(Error::FieldSort("write"))
    );
    assert_eq!(
        access(&[("type", text("ipfs")), ("write", Ipld::List(vec![Ipld::Null]))]),
        Err(Error::FieldSort("write"))
    );
    assert_eq!(
        access(&[("type", text("ipfs")), ("write", list(1)), ("admin", list(1))]),
        Err(Error::FieldUnknown("write"))
    );
    let large =
        access(&[("type", text("ipfs")), ("write", Ipld::List(vec![text("x".repeat(1 << 20))]))]);
    assert!(matches!(large, Err(Error::BlockTooLarge { what: "access controller", .. })));
}

#[test]
fn manifests_that_are_refused() {
    let good = Manifest {
        name: "n".into(),
        kind: StoreKind::Events,
        access: anyone().address(),
        meta: None,
    };
    let Ipld::Map(fields) = value::decode(&good.encode().unwrap().1).unwrap() else {
        panic!("not a map")
    };
    let with = |field: &str, value: Option<Ipld>| {
        let mut fields = fields.clone();
        match value {
            Some(value) => drop(fields.insert(field.into(), value)),
            None => drop(fields.remove(field)),
        }
        let block = value::encode(&Ipld::Map(fields)).unwrap();
        Manifest::decode(LogCid::of(&block), &block)
    };
    assert_eq!(with("name", Some(text("n"))).as_ref(), Ok(&good));
    assert_eq!(with("type", Some(text("counter"))), Err(Error::StoreKind));
    assert_eq!(with("accessController", Some(text("*"))), Err(Error::AccessAddress));
    let file = Some(text(format!("/ipfs/{FILE_CID}")));
    assert_eq!(with("accessController", file), Err(Error::AccessAddress));
    assert_eq!(with("name", None), Err(Error::FieldMissing("name")));
    assert_eq!(with("indexBy", Some(text("_id"))), Err(Error::FieldUnknown("accessController")));
    let large = with("meta", Some(text("x".repeat(1 << 20))));
    assert!(matches!(large, Err(Error::BlockTooLarge { what: "manifest", .. })));
    let meta = Some(text("x".repeat(1 << 20)));
    assert!(matches!(Manifest { meta, ..good.clone() }.encode(), Err(Error::BlockTooLarge { .. })));
    assert_eq!(Manifest { access: "*".into(), ..good }.encode(), Err(Error::AccessAddress));
}

#[test]
fn stored_parts_that_were_changed() {
    let entry = good();
    let good = entry.to_stored();
    assert_eq!(Entry::from_stored(&good).unwrap().block(), entry.block());
    let mismatch = Err(Error::HashMismatch(entry.cid()));
    let change = |change: &dyn Fn(&mut optimusdb_dag::StoredEntry)| {
        let mut parts = good.clone();
        change(&mut parts);
        Entry::from_stored(&parts)
    };
    assert_eq!(change(&|parts| parts.log = Address::of_manifest(cid(9))), mismatch);
    assert_eq!(change(&|parts| parts.key = keys(2).identity().public_key.clone()), mismatch);
    assert_eq!(change(&|parts| parts.identity = cid(9)), mismatch);
    assert_eq!(change(&|parts| parts.sig_der[10] ^= 1), mismatch);
    assert_eq!(change(&|parts| parts.next.clear()), mismatch);
    assert_eq!(change(&|parts| parts.refs.push(cid(9))), mismatch);
    assert_eq!(change(&|parts| parts.time += 1), mismatch);
    assert_eq!(change(&|parts| parts.payload_cbor.truncate(3)), mismatch);
    assert_eq!(change(&|parts| parts.cid = cid(9)), Err(Error::HashMismatch(cid(9))));
}

/// Every single-byte change of a good block is an error and no panic.
#[test]
fn flipped_bytes() {
    let entry = good();
    for at in 0..entry.block().len() {
        for flip in [1, 0x20, 0x80, 0xff] {
            let mut block = entry.block().to_vec();
            block[at] ^= flip;
            let outcome = catch_unwind(|| {
                decode(&block).and_then(|entry| {
                    let _ = entry.payload();
                    prove(&entry, &log(), keys(1).identity())
                })
            });
            assert!(outcome.unwrap().is_err(), "byte {at} flipped by {flip:#x}");
        }
    }
}
