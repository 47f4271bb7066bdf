//! The vectors of the JavaScript implementation, in both directions.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::HashMap;

use optimusdb_dag::{
    AccessController, Address, Cid, Entry, EntryLinks, Error, Heads, Identity, IdentityKeys, Ipld,
    Links, LogCid, LogTip, Manifest, Operation, StoreKind, plan_append, value,
};
use serde_json::Value;
use world::{bytes, ipld, prove, text, vector};

fn private(writer: &Value, field: &str) -> [u8; 32] {
    bytes(&writer["keys"], field).try_into().unwrap()
}

fn writer_keys(name: &str) -> IdentityKeys {
    let writer = &vector("identities")[name];
    IdentityKeys::from_bytes(&private(writer, "idPrivHex"), &private(writer, "signPrivHex"))
        .unwrap()
}

/// The keys that made an entry.
fn keys_of(entry: &Entry) -> IdentityKeys {
    let writers = [writer_keys("alice"), writer_keys("bob")];
    writers.into_iter().find(|keys| keys.identity().public_key == entry.key()).unwrap()
}

fn cids(value: &Value) -> Vec<LogCid> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().parse().unwrap()).collect()
}

/// Decodes an entry of a vector, compares all it says, and writes it again.
fn check_entry(vector: &Value) -> Entry {
    let cid: LogCid = text(vector, "hash").parse().unwrap();
    let block = bytes(vector, "blockHex");
    let entry = Entry::decode(cid, &block).unwrap();
    let shown = &vector["value"];
    assert_eq!(entry.log().to_string(), text(shown, "id"));
    assert_eq!(entry.key(), text(shown, "key"));
    assert_eq!(hex::encode(entry.to_stored().sig_der), text(shown, "sig"));
    assert_eq!(entry.next(), cids(&shown["next"]));
    assert_eq!(entry.refs(), cids(&shown["refs"]));
    assert_eq!(&*entry.clock().id, text(&shown["clock"], "id"));
    assert_eq!(Some(entry.clock().time), shown["clock"]["time"].as_u64());
    assert_eq!(entry.payload(), &ipld(&shown["payload"]));
    assert_eq!(entry.identity().to_string(), text(shown, "identity"));
    check_entry_again(&entry);
    if vector["verifies"].as_bool().is_some() {
        let keys = keys_of(&entry);
        assert_eq!(prove(&entry, entry.log(), keys.identity()).is_ok(), vector["verifies"]);
    }
    if let Some(signed) = vector["signedHex"].as_str() {
        assert_eq!(hex::encode(signed_bytes(&entry)), signed);
    }
    entry
}

/// Writes an entry a second time, by its own keys and from its stored parts.
fn check_entry_again(entry: &Entry) {
    let links = Links {
        next: entry.next().to_vec(),
        refs: entry.refs().to_vec(),
        time: entry.clock().time,
    };
    let again = Entry::sign(&keys_of(entry), *entry.log(), links, entry.payload().clone()).unwrap();
    assert_eq!(hex::encode(again.block()), hex::encode(entry.block()));
    assert_eq!(again.cid(), entry.cid());
    assert_eq!(again.to_stored().sig_der, entry.to_stored().sig_der);
    assert_eq!(again.payload_cbor(), entry.payload_cbor());
    assert_eq!(Entry::from_stored(&entry.to_stored()).unwrap().block(), entry.block());
}

/// The signed bytes, put together by a general encoder from the block.
fn signed_bytes(entry: &Entry) -> Vec<u8> {
    let Ipld::Map(mut fields) = value::decode(entry.block()).unwrap() else { panic!("not a map") };
    for unsigned in ["key", "identity", "sig"] {
        fields.remove(unsigned);
    }
    serde_ipld_dagcbor::to_vec(&Ipld::Map(fields)).unwrap()
}

/// Decodes and encodes the manifest and the access controller of a store.
fn check_store(vector: &Value) -> (Address, AccessController) {
    let address: Address = text(vector, "address").parse().unwrap();
    assert_eq!(address.to_string(), text(vector, "address"));
    let block = bytes(vector, "blockHex");
    let manifest = Manifest::decode(address.manifest(), &block).unwrap();
    let shown = &vector["manifest"];
    assert_eq!(manifest.name, text(shown, "name"));
    assert_eq!(manifest.kind.as_str(), text(shown, "type"));
    assert_eq!(manifest.access, text(shown, "accessController"));
    assert_eq!(manifest.meta, shown.get("meta").map(ipld));
    assert_eq!(manifest.encode().unwrap(), (address.manifest(), block));
    assert_eq!(manifest.address().unwrap(), address);

    let Some(shown) = vector.get("accessController") else { return (address, world::anyone()) };
    let cid = AccessController::block_of(text(shown, "address")).unwrap();
    let block = bytes(shown, "blockHex");
    let access = AccessController::decode(cid, &block).unwrap();
    assert_eq!(
        ipld(&shown["value"]["write"]),
        Ipld::List(access.write.iter().cloned().map(Ipld::String).collect())
    );
    assert_eq!(access.encode(), (cid, block));
    assert_eq!(access.address(), text(shown, "address"));
    (address, access)
}

#[test]
fn identities() {
    for (name, writer) in vector("identities").as_object().unwrap() {
        let cid: LogCid = text(&writer["cid"], "string").parse().unwrap();
        assert_eq!(hex::encode(cid.to_bytes()), text(&writer["cid"], "bytesHex"));
        let any = Cid::from_bytes(&cid.to_bytes()).unwrap();
        assert_eq!((LogCid::try_from(&any), Cid::from(cid)), (Ok(cid), any));
        let identity = Identity::decode(cid, &bytes(writer, "blockHex")).unwrap();
        assert_eq!(identity.id, text(&writer["identity"], "id"));
        assert_eq!(identity.public_key, text(&writer["identity"], "publicKey"));
        assert_eq!(identity.id_signature, text(&writer["identity"]["signatures"], "id"));
        assert_eq!(identity.key_signature, text(&writer["identity"]["signatures"], "publicKey"));

        let keys = writer_keys(name);
        assert_eq!(hex::encode(&keys.identity().block), text(writer, "storedBlockHex"));
        assert_eq!(**keys.identity(), identity);
        assert_eq!(keys.identity().public_key, text(&writer["keys"], "signPubHex"));
    }
}

/// A store written by one writer: the same log grows from an empty tip.
fn check_log(name: &str, kind: StoreKind) {
    let vector = vector(name);
    let (address, access) = check_store(&vector);
    let mut tip = LogTip::new(address, vec![]);
    let mut heads = Heads::default();
    let mut state: Vec<(LogCid, Operation)> = Vec::new();
    for shown in vector["entries"].as_array().unwrap() {
        let entry = check_entry(shown);
        let keys = keys_of(&entry);
        prove(&entry, &address, keys.identity()).unwrap();
        assert!(access.allows(keys.identity()));
        let grown = tip.append(&keys, entry.payload().clone(), &mut |_| None).unwrap();
        assert_eq!(grown.cid(), entry.cid(), "next, refs and time are chosen alike");
        heads.add(entry.links());

        let (operation, at) = Operation::from_payload(kind, entry.payload()).unwrap();
        assert_eq!(at, None);
        assert_eq!(&operation.clone().into_payload(None), entry.payload());
        if let Operation::Put { key, .. } | Operation::Del { key } = &operation {
            state.retain(
                |(_, other)| !matches!(other, Operation::Put { key: other, .. } if other == key),
            );
        }
        if !matches!(operation, Operation::Del { .. }) {
            state.push((entry.cid(), operation));
        }
    }
    let expected = cids(&vector["heads"]);
    assert_eq!(heads.cids().collect::<Vec<_>>(), expected);
    assert_eq!(tip.heads().iter().map(|head| head.cid).collect::<Vec<_>>(), expected);

    let shown = vector["state"].as_array().unwrap();
    assert_eq!(state.len(), shown.len());
    for ((cid, operation), shown) in state.iter().zip(shown) {
        assert_eq!(cid.to_string(), text(shown, "hash"));
        match operation {
            Operation::Put { key, value } => {
                assert_eq!((key.as_str(), value), (text(shown, "key"), &ipld(&shown["value"])))
            }
            Operation::Add { value } => assert_eq!(value, &ipld(&shown["value"])),
            Operation::Del { .. } => unreachable!(),
        }
    }
}

#[test]
fn documents() {
    check_log("documents", StoreKind::Documents);
}

#[test]
fn events() {
    check_log("events", StoreKind::Events);
}

#[test]
fn keyvalue() {
    check_log("keyvalue", StoreKind::KeyValue);
}

#[test]
fn access_controllers() {
    let vector = vector("access-controllers");
    let (alice, bob) = (writer_keys("alice"), writer_keys("bob"));
    let stranger = world::keys(9);
    let (_, anyone) = check_store(&vector["anyone"]);
    assert!(anyone.allows(stranger.identity()));
    let (_, two) = check_store(&vector["twoWriters"]);
    assert!(
        two.allows(alice.identity())
            && two.allows(bob.identity())
            && !two.allows(stranger.identity())
    );

    check_store(&vector["orbitdbAC"]);
    let manifest = &vector["orbitdbAC"]["manifest"];
    assert_eq!(
        AccessController::block_of(text(manifest, "accessController")),
        Err(Error::AccessAddress)
    );
    let (address, access) = check_store(&vector["orbitdbAC"]["accessControllerDatabase"]);
    let entries = vector["orbitdbAC"]["accessControllerEntries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    for shown in entries {
        let entry = check_entry(shown);
        prove(&entry, &address, alice.identity()).unwrap();
        assert!(access.allows(alice.identity()));
        assert_eq!(prove(&entry, &address, bob.identity()), Err(Error::WrongIdentity));
        assert!(Operation::from_payload(StoreKind::KeyValue, entry.payload()).is_some());
    }
}

#[test]
fn references() {
    let vector = vector("refs");
    let shown = vector["entries"].as_array().unwrap();
    let names: Vec<LogCid> =
        shown.iter().map(|entry| text(entry, "hash").parse().unwrap()).collect();
    let named = |indexes: &Value| -> Vec<LogCid> {
        indexes
            .as_array()
            .unwrap()
            .iter()
            .map(|index| names[index.as_u64().unwrap() as usize])
            .collect()
    };
    let keys = writer_keys("alice");
    let address: Address = text(&vector, "address").parse().unwrap();
    let mut tip = LogTip::new(address, vec![]);
    let mut stored: HashMap<LogCid, EntryLinks> = HashMap::new();
    for (index, shown) in shown.iter().enumerate() {
        // Once with all links at hand and once with none.
        let heads = tip.heads().to_vec();
        let planned = plan_append(&heads, &mut |cid| stored.get(cid).cloned());
        assert_eq!(
            planned,
            Links {
                next: named(&shown["nextIdx"]),
                refs: named(&shown["refsIdx"]),
                time: index as u64 + 1
            }
        );
        let mut cold = LogTip::new(address, heads);
        let payload = Operation::Add { value: Ipld::Integer(index as i128) }.into_payload(None);
        let entry =
            cold.append(&keys, payload.clone(), &mut |cid| stored.get(cid).cloned()).unwrap();
        assert_eq!(entry.cid(), names[index]);
        let warm = tip.append(&keys, payload, &mut |_| panic!("a chain needs no lookup")).unwrap();
        assert_eq!(warm, entry);
        stored.insert(entry.cid(), entry.links());
    }
    assert_eq!(check_entry(&vector["lastEntry"]).cid(), names[39]);
}

#[test]
fn concurrent_writers() {
    let vector = vector("concurrent");
    let (address, access) = check_store(&vector);
    let shown = vector["entries"].as_array().unwrap();
    let entries: HashMap<&str, Entry> =
        shown.iter().map(|entry| (text(entry, "name"), check_entry(entry))).collect();
    let names = |cids: &[LogCid]| -> Vec<&str> {
        cids.iter()
            .map(|cid| *entries.iter().find(|(_, entry)| entry.cid() == *cid).unwrap().0)
            .collect()
    };
    for entry in entries.values() {
        let keys = keys_of(entry);
        prove(entry, &address, keys.identity()).unwrap();
        assert!(access.allows(keys.identity()));
    }

    let mut tip = LogTip::new(address, vec![]);
    for name in ["A1", "A2", "A3", "B1", "B2"] {
        tip.join(&entries[name]);
    }
    let heads: Vec<LogCid> = tip.heads().iter().map(|head| head.cid).collect();
    assert_eq!(Value::from(names(&heads)), vector["headsJoined"]);
    assert_eq!(vector["headsJoined"], vector["headsJoinedBob"]);

    let mut order: Vec<&Entry> = entries.values().filter(|entry| entry.clock().time < 4).collect();
    order.sort_by_key(|entry| entry.order());
    let order: Vec<LogCid> = order.iter().map(|entry| entry.cid()).collect();
    assert_eq!(Value::from(names(&order)), vector["orderOldestFirst"]);

    let merge = &entries["A4"];
    let mut cold = LogTip::new(address, tip.heads().to_vec());
    let mut lookup =
        |cid: &LogCid| entries.values().find(|entry| entry.cid() == *cid).map(Entry::links);
    for tip in [&mut tip, &mut cold] {
        let written =
            tip.append(&writer_keys("alice"), merge.payload().clone(), &mut lookup).unwrap();
        assert_eq!(Value::from(names(written.next())), vector["entryAfterJoin"]["next"]);
        assert_eq!(Value::from(names(written.refs())), vector["entryAfterJoin"]["refs"]);
        assert_eq!(written.block(), merge.block());
        assert_eq!(tip.heads(), [merge.links()]);
    }
}

#[test]
fn concurrent_state() {
    let vector = vector("concurrent");
    let mut entries: Vec<Entry> =
        vector["entries"].as_array().unwrap().iter().map(check_entry).collect();
    entries.sort_by_key(|entry| entry.order());
    let mut state: Vec<(String, LogCid)> = Vec::new();
    for entry in &entries {
        let Some((Operation::Put { key, .. }, _)) =
            Operation::from_payload(StoreKind::Documents, entry.payload())
        else {
            panic!("a put");
        };
        state.retain(|(other, _)| *other != key);
        state.push((key, entry.cid()));
    }
    let shown: Vec<(String, LogCid)> = vector["state"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(row, "key").to_owned(), text(row, "hash").parse().unwrap()))
        .collect();
    assert_eq!(state, shown);
}

#[test]
fn encrypted_layouts() {
    let vector = vector("encryption-layout-xor");
    let plain = ipld(&vector["data"]["decoded"]["payload"]);
    let undo = |bytes: &[u8], key: u8| bytes.iter().map(|byte| byte ^ key).collect::<Vec<u8>>();
    for (layout, data, replication) in
        [("data", true, false), ("replication", false, true), ("both", true, true)]
    {
        let shown = &vector[layout];
        let cid: LogCid = text(shown, "hash").parse().unwrap();
        let block = bytes(shown, "blockHex");
        assert_eq!(LogCid::of(&block), cid);
        let inner = if replication {
            // The outer block is a byte string: a value, but no entry.
            assert_eq!(Entry::decode(cid, &block), Err(Error::FieldSort("entry")));
            let Ipld::Bytes(sealed) = value::decode(&block).unwrap() else { panic!("not bytes") };
            assert_eq!(value::encode(&Ipld::Bytes(sealed.clone())).unwrap(), block);
            undo(&sealed, 0xa5)
        } else {
            block
        };
        let entry = Entry::decode(LogCid::of(&inner), &inner).unwrap();
        let address = text(shown, "address").parse().unwrap();
        prove(&entry, &address, writer_keys("alice").identity()).unwrap();
        check_entry_again(&entry);
        match entry.payload() {
            Ipld::Bytes(sealed) if data => {
                // Bytes are carried as they are; to this node they are no operation.
                assert_eq!(entry.payload(), &ipld(&shown["decoded"]["_payload"]));
                assert_eq!(Operation::from_payload(StoreKind::Events, entry.payload()), None);
                assert_eq!(value::decode(&undo(sealed, 0x5a)).unwrap(), plain);
            }
            payload => assert_eq!((payload, data), (&plain, false)),
        }
    }
}

#[test]
fn canonical_encodings() {
    let vector = vector("dag-cbor");
    for shown in vector["encodings"].as_array().unwrap() {
        let encoded = bytes(shown, "encodedHex");
        let decoded = value::decode(&encoded).unwrap();
        assert_eq!(value::encode(&decoded).unwrap(), encoded, "{}", shown["name"]);
        assert_eq!(value::normalise(decoded.clone()).unwrap(), decoded);
    }
    let encode = |float: f64| hex::encode(value::encode(&Ipld::Float(float)).unwrap());
    let shown = |name: &str| {
        let all = vector["encodings"].as_array().unwrap();
        text(all.iter().find(|shown| shown["name"] == name).unwrap(), "encodedHex").to_owned()
    };
    assert_eq!(encode(1.0), shown("int-valued float 1.0"));
    assert_eq!(encode(-0.0), shown("minus zero"));
    assert_eq!(encode(9_007_199_254_740_991.0), shown("2^53-1"));
    assert_eq!(encode(9_007_199_254_740_992.0), shown("2^53 (not safe: float64)"));
    assert_eq!(encode(1e20), shown("1e20"));
    assert_eq!(hex::encode(value::encode(&Ipld::Integer(1 << 53)).unwrap()), shown("bigint 2^53"));
}

#[test]
fn foreign_encodings() {
    let expected = |name: &str| match name {
        "float64 1.0" | "float64 -0.0" => Error::FloatIntegral,
        "float32 1.5" | "float16 1.5" => Error::FloatWidth,
        "map wrong order" => Error::KeyOrder,
        "duplicate key" => Error::KeyRepeated,
        "indefinite array" => Error::Indefinite,
        "non-minimal int" => Error::NotMinimal,
        "undefined" => Error::Simple(23),
        "map with __proto__ key" => Error::KeyProto,
        "tag 0" => Error::Tag(0),
        "int key" => Error::KeyNotText,
        name => panic!("{name} is new"),
    };
    let mut refused = 0;
    for shown in vector("dag-cbor")["foreign"].as_array().unwrap() {
        let decoded = value::decode(&bytes(shown, "inputHex"));
        if shown["reencodedSame"] == true {
            assert_eq!(
                hex::encode(value::encode(&decoded.unwrap()).unwrap()),
                text(shown, "inputHex")
            );
        } else {
            assert_eq!(decoded, Err(expected(text(shown, "name"))));
            refused += 1;
        }
    }
    assert_eq!(refused, 12);
}

/// An identity block with this as its first signature, to see how it is judged.
fn judge_signature(signature: &str) -> Result<Identity, Error> {
    let vector = &vector("identities")["alice"];
    let Ipld::Map(mut fields) = value::decode(&bytes(vector, "blockHex")).unwrap() else {
        panic!("not a map")
    };
    let Some(Ipld::Map(signatures)) = fields.get_mut("signatures") else { panic!("not a map") };
    signatures.insert("id".into(), Ipld::String(signature.into()));
    let block = value::encode(&Ipld::Map(fields)).unwrap();
    Identity::decode(LogCid::of(&block), &block)
}

#[test]
fn signature_forms() {
    let vector = vector("signature");
    let low = text(&vector, "sigDerLowS");
    // Well formed, over another message.
    assert_eq!(judge_signature(low), Err(Error::IdentityIdSignature));
    assert_eq!(judge_signature(text(&vector, "sigDerHighS")), Err(Error::SignatureHighS));
    assert_eq!(judge_signature(&low.to_uppercase()), Err(Error::SignatureText));
    let compact: String = [low[10..74].to_owned(), low[78..].to_owned()].concat();
    assert_eq!(compact.len(), 128);
    assert_eq!(judge_signature(&compact), Err(Error::SignatureDer));
    for form in ["acceptsHighS", "acceptsUpperCaseHex", "acceptsCompact64"] {
        assert_eq!(vector[form], false);
    }
}
