//! How fast entries are written and read. Figures, not assertions:
//! `cargo test --release -p optimusdb-dag --test speed -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod world;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use optimusdb_dag::join::{Join, JoinLimits, Proven};
use optimusdb_dag::{Address, Entry, IdentityKeys, Ipld, LogCid, LogTip, Operation, value};

const ROUNDS: u32 = 5_000;

fn per_second(what: &str, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    let rate = f64::from(ROUNDS) / start.elapsed().as_secs_f64();
    println!("{what:32} {rate:>10.0}/s  {:>7.2} us", 1e6 / rate);
    rate
}

#[test]
#[ignore = "prints figures; run it alone, in release"]
fn figures() {
    let keys = IdentityKeys::from_bytes(&[1; 32], &[2; 32]).unwrap();
    let log = Address::of_manifest(LogCid::of(b"speed"));
    let document: BTreeMap<String, Ipld> = (0..10)
        .map(|n| (format!("field{n}"), Ipld::String("twenty characters...".into())))
        .collect();
    let payload = Operation::Put { key: "some-key".into(), value: Ipld::Map(document) }
        .into_payload(Some(1_700_000_000_000));
    println!("payload of {} bytes", value::encode(&payload).unwrap().len());

    let mut tip = LogTip::new(log, vec![]);
    let mut last = None;
    for _ in 0..100 {
        last = Some(tip.append(&keys, payload.clone(), &mut |_| None).unwrap());
    }
    let entry = last.unwrap();
    println!("entry of {} bytes, {} refs", entry.block().len(), entry.refs().len());

    let signing = k256::ecdsa::SigningKey::from_slice(&[2; 32]).unwrap();
    per_second("bare k256 signature", || {
        use k256::ecdsa::signature::hazmat::PrehashSigner;
        let signature: k256::ecdsa::Signature = signing.sign_prehash(black_box(&[3; 32])).unwrap();
        black_box(signature);
    });
    per_second("append (plan, encode, sign)", || {
        black_box(tip.append(&keys, payload.clone(), &mut |_| None).unwrap());
    });
    let block = entry.block().to_vec();
    per_second("decode", || {
        black_box(Entry::decode(entry.cid(), &block).unwrap());
    });
    per_second("verify", || {
        black_box(world::prove(&entry, &log, keys.identity()).unwrap());
    });
    let stored = entry.to_stored();
    per_second("to stored", || {
        black_box(entry.to_stored());
    });
    per_second("from stored", || {
        black_box(Entry::from_stored(&stored).unwrap());
    });
    per_second("content address to text", || {
        black_box(black_box(entry.cid()).to_string());
    });
}

#[test]
#[ignore = "prints figures; run it alone, in release"]
fn join_figures() {
    let mut writer = world::Writer::new(1);
    let entries: Vec<Entry> =
        (0..20_000).map(|n| writer.append(world::put(&n.to_string(), n))).collect();
    let peer = world::Peer::with(entries.clone(), &[&writer.keys]);
    for (what, bytes_max) in [("join", usize::MAX), ("join, tenth of the memory", 2 << 20)] {
        let limits = JoinLimits { bytes_max, ..JoinLimits::default() };
        let mut replica = world::Memory::default();
        let start = Instant::now();
        peer.join(
            &mut Join::with_limits(world::log(), world::anyone(), limits),
            &mut replica,
            &writer.replica.heads(),
            |_| 0,
        );
        report(what, entries.len(), start);
    }

    // Parents first, as fast sync brings them.
    let batch = 256;
    let start = Instant::now();
    let (mut join, mut replica) = (fresh(), known(&writer));
    for entry in &entries {
        let steps = join.on_announced(&replica, entry.block());
        replica.take(steps);
    }
    report("announced one by one", replica.entries.len(), start);

    let start = Instant::now();
    let prove = |entry: &Entry| {
        let entry = Entry::decode(entry.cid(), entry.block()).unwrap();
        Proven::new(entry, writer.keys.identity().clone(), &world::log()).unwrap()
    };
    let proven: Vec<Proven> = entries.iter().map(prove).collect();
    report("decoded and verified", proven.len(), start);

    let start = Instant::now();
    let (mut join, mut replica) = (fresh(), known(&writer));
    for proven in proven.clone() {
        let steps = join.on_proven(&replica, proven);
        replica.take(steps);
    }
    report("proven one by one", replica.entries.len(), start);

    let start = Instant::now();
    let (mut join, mut replica) = (fresh(), known(&writer));
    for proven in proven.chunks(batch) {
        let steps = join.on_all_proven(&replica, proven.iter().cloned());
        replica.take(steps);
    }
    report("proven in batches", replica.entries.len(), start);
}

fn fresh() -> Join {
    Join::new(world::log(), world::anyone())
}

/// A replica that knows the writer.
fn known(writer: &world::Writer) -> world::Memory {
    let mut replica = world::Memory::default();
    replica.identities.insert(writer.keys.identity().cid, writer.keys.identity().clone());
    replica
}

fn report(what: &str, entries: usize, start: Instant) {
    println!("{what:32} {:>10.0}/s", entries as f64 / start.elapsed().as_secs_f64());
}
