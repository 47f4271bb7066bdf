//! Whatever bytes come as a block of a file, a directory or a HAMT, and whatever comes as a path: an
//! error, or parts that are all within the block.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::unixfs::{Content, FileReader, Lister, Resolver, content_of, exact_links_of, links_of};
use optimusdb_dag::unixfs::path_segments;
use optimusdb_dag::{Cid, Codec, HashCode};

/// How often the same block is handed in where it names others.
const STEPS: usize = 64;

fuzz_target!(|data: &[u8]| {
    for codec in [Codec::DAG_PB, Codec::RAW] {
        let Ok(cid) = Cid::of(codec, HashCode::Sha2_256, data) else { return };
        if let Ok(links) = links_of(codec, data) {
            assert_eq!(exact_links_of(codec, data), Ok(links));
        }
        let size = match content_of(&cid, data) {
            Ok(Content::File(size)) => size,
            _ => u64::MAX,
        };
        let mut reader = FileReader::new(cid.clone(), size, 1..size);
        let mut lister = Lister::new(cid.clone());
        let names = path_segments(&String::from_utf8_lossy(data)).unwrap_or_default();
        let mut resolver = Resolver::new(cid, names);
        for _ in 0..STEPS {
            if let Ok(own) = reader.take(data) {
                assert!(data.get(own).is_some());
            }
            let _ = lister.take(data);
            let _ = resolver.take(data);
        }
    }
});
