//! Whatever bytes come as a block of dag-cbor or dag-json, and whatever path leads into it: an error, or
//! a step that is one of the block's links. A walk over such blocks keeps to its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::car::{CarScope, CarWalk};
use optimusdb_dag::ipld::{Step, links, step};
use optimusdb_dag::{Cid, Codec, HashCode};

/// How often the same block is handed in where it names others.
const STEPS: usize = 64;

fuzz_target!(|data: (&str, &[u8])| {
    let (path, block) = data;
    let names: Vec<String> = path.split('/').map(str::to_owned).collect();
    for codec in [Codec::DAG_CBOR, Codec::DAG_JSON] {
        let all = links(codec, block);
        match (step(codec, block, &names), all) {
            (Ok(Step::Link(cid, used)), Ok(all)) => {
                assert!(used <= names.len() && all.contains(&cid));
            }
            (Ok(Step::Missing(at)), _) => assert!(at < names.len()),
            _ => {}
        }
        let Ok(cid) = Cid::of(codec, HashCode::Sha2_256, block) else { return };
        for twice in [false, true] {
            let mut walk = CarWalk::new(Vec::new(), cid.clone(), CarScope::All, twice);
            for _ in 0..STEPS {
                if walk.take(block).is_err() {
                    break;
                }
            }
        }
    }
});
