//! Addresses that Kubo's library gives, reading what was written, and what is refused.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::slice::from_ref;

use proptest::prelude::*;

use super::node::{directory_data, file_data, shard_data};
use super::pb::{Link, Node};
use super::*;
use crate::{Cid, Codec, Error, HashCode};

/// Blocks in memory.
#[derive(Default)]
struct Blocks(HashMap<Cid, Vec<u8>>);

impl Blocks {
    fn put(&mut self) -> impl FnMut(&Cid, &[u8]) -> Result<(), Error> + '_ {
        |cid, block| {
            assert!(cid.verifies(block));
            self.0.insert(cid.clone(), block.to_vec());
            Ok(())
        }
    }

    fn node(&mut self, links: &[Link], data: &[u8]) -> Cid {
        let block = Node::encode(links, data);
        let cid = Profile::Kubo.node_cid(&block).unwrap();
        self.0.insert(cid.clone(), block);
        cid
    }

    fn file(&mut self, profile: Profile, bytes: &[u8], piece: usize) -> Written {
        let mut writer = FileWriter::new(profile);
        for piece in bytes.chunks(piece) {
            writer.write(piece, &mut self.put()).unwrap();
        }
        writer.finish(&mut self.put()).unwrap()
    }

    fn read(&self, cid: &Cid, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let Content::File(size) = content_of(cid, &self.0[cid])? else { panic!("no file") };
        let mut reader = FileReader::new(cid.clone(), size, range);
        let mut out = Vec::new();
        while let Some(cid) = reader.wanted() {
            let block = &self.0[cid];
            let own = reader.take(block)?;
            out.extend_from_slice(&block[own]);
        }
        Ok(out)
    }

    fn resolve(&self, root: &Cid, path: &str) -> Result<(Cid, usize), Error> {
        let mut resolver = Resolver::new(root.clone(), path_segments(path)?);
        let mut blocks = 0;
        while let Some(cid) = resolver.wanted() {
            resolver.take(&self.0[cid])?;
            blocks += 1;
        }
        let (way, mut roots) = resolver.into_way();
        assert_eq!(way.len(), blocks);
        Ok((roots.pop().unwrap(), blocks))
    }

    fn list(&self, root: &Cid) -> Result<Vec<ListedEntry>, Error> {
        let mut lister = Lister::new(root.clone());
        let mut entries = Vec::new();
        while let Some(cid) = lister.wanted() {
            let more = lister.take(&self.0[cid])?;
            entries.extend(more);
        }
        Ok(entries)
    }
}

/// The bytes that the vectors were made of.
fn bytes(length: usize) -> Vec<u8> {
    let mut x = 12_345_u32;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..length).map(next).collect()
}

#[test]
fn files_have_the_addresses_of_kubo() {
    for line in include_str!("vectors.txt").lines().filter(|line| !line.starts_with("dir")) {
        let mut words = line.split(' ');
        let length: usize = words.next().unwrap().parse().unwrap();
        let bytes = bytes(length);
        for (profile, expected) in Profile::ALL.into_iter().zip(words) {
            let mut blocks = Blocks::default();
            let written = blocks.file(profile, &bytes, 1_000_003);
            assert_eq!(written.cid.to_string(), expected, "{length} {profile}");
            assert_eq!(written.size, length as u64);
            assert_eq!(blocks.read(&written.cid, 0..u64::MAX).unwrap(), bytes);
        }
    }
}

#[test]
fn directories_have_the_addresses_of_kubo() {
    for line in include_str!("vectors.txt").lines().filter_map(|line| line.strip_prefix("dir ")) {
        let mut words = line.split(' ');
        let count: usize = words.next().unwrap().parse().unwrap();
        for (profile, expected) in Profile::ALL.into_iter().zip(words) {
            let mut blocks = Blocks::default();
            let leaf = blocks.file(profile, &bytes(11), 11);
            let mut tree = TreeWriter::default();
            let name = |k: usize| format!("file {k:05}.yaml.bin.long.x");
            for k in 0..count {
                tree.add(&name(k), &leaf).unwrap();
            }
            let root = tree.finish(profile, &mut blocks.put()).unwrap();
            assert_eq!(root.cid.to_string(), expected, "{count} {profile}");
            let mut entries = blocks.list(&root.cid).unwrap();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
            assert_eq!(names, (0..count).map(name).collect::<Vec<_>>());
            for k in (0..count).step_by(97) {
                let (found, read) = blocks.resolve(&root.cid, &name(k)).unwrap();
                assert_eq!(found, leaf.cid);
                assert!(read <= 4, "{read} blocks for one name");
            }
            let missing = blocks.resolve(&root.cid, "no such file");
            assert_eq!(missing, Err(Error::NoEntry("no such file".into())));
        }
    }
}

#[test]
fn trees_are_made_of_relative_paths() {
    let mut blocks = Blocks::default();
    let (a, b) = (blocks.file(Profile::Kubo, b"a", 1), blocks.file(Profile::Kubo, b"b", 1));
    let mut tree = TreeWriter::default();
    tree.add("top.txt", &a).unwrap();
    tree.add("one/two/three é.txt", &b).unwrap();
    for (path, why) in [
        ("", "empty"),
        ("/a", "absolute"),
        ("a//b", "empty"),
        ("a/", "empty"),
        ("a/../b", "'..'"),
        ("./a", "'..'"),
        ("a\\b", "backslash"),
        ("a\0", "zero"),
        ("top.txt", "twice"),
        ("top.txt/x", "a file already"),
        ("one/two", "twice"),
    ] {
        let error = tree.add(path, &a).unwrap_err().to_string();
        assert!(error.contains(why), "{path}: {error}");
    }
    assert!(tree.add(&"x".repeat(256), &a).is_err());
    assert!(tree.add(&"x/".repeat(200), &a).is_err());
    let root = tree.finish(Profile::Kubo, &mut blocks.put()).unwrap();
    assert_eq!(blocks.resolve(&root.cid, "/one/two/three é.txt").unwrap(), (b.cid.clone(), 3));
    assert_eq!(blocks.resolve(&root.cid, "").unwrap(), (root.cid.clone(), 0));
    assert_eq!(blocks.resolve(&root.cid, "top.txt/x"), Err(Error::NotADirectory("x".into())));
    assert_eq!(blocks.list(&root.cid).unwrap().len(), 2);
}

fn link(cid: &Cid, name: &str) -> Link {
    Link { cid: cid.clone(), name: name.into(), size: 1 }
}

#[test]
fn lies_about_sizes_are_errors() {
    let mut blocks = Blocks::default();
    let leaf = blocks.file(Profile::Kubo, b"four", 4).cid;
    let links = [link(&leaf, ""), link(&leaf, "")];
    let honest = blocks.node(&links, &file_data(b"", &[4, 4]));
    assert_eq!(blocks.read(&honest, 0..9).unwrap(), b"fourfour");
    // What it says of a part is not what the part is.
    let lying = blocks.node(&links, &file_data(b"", &[4, 5]));
    assert!(matches!(blocks.read(&lying, 0..9), Err(Error::UnixFs(_))));
    // Another number of sizes than of links, a sum that is another, one beyond all numbers.
    let fewer = blocks.node(&links, &file_data(b"", &[8]));
    assert!(content_of(&fewer, &blocks.0[&fewer]).is_err());
    let mut sum = file_data(b"", &[4, 4]);
    sum[3] += 1;
    let sum = blocks.node(&links, &sum);
    assert!(content_of(&sum, &blocks.0[&sum]).is_err());
    let mut endless = vec![0x08, 2];
    for _ in 0..2 {
        endless.extend([0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }
    let endless = blocks.node(&links, &endless);
    assert!(content_of(&endless, &blocks.0[&endless]).is_err());
    // A directory as a part.
    let folder = blocks.node(&[], &directory_data());
    let odd = blocks.node(&[link(&folder, "")], &file_data(b"", &[4]));
    assert!(matches!(blocks.read(&odd, 0..9), Err(Error::UnixFs(_))));
}

#[test]
fn data_before_links_packed_sizes_and_own_bytes_are_read() {
    let mut blocks = Blocks::default();
    let leaf = blocks.file(Profile::Kubo, b"four", 4).cid;
    let data = [0x08, 2, 0x12, 2, b'i', b'n', 0x18, 10, 0x22, 2, 4, 4];
    let whole = Node::encode(&[link(&leaf, ""), link(&leaf, "")], &data);
    let links_end = whole.len() - data.len() - 2;
    let block = [&whole[links_end..], &whole[..links_end]].concat();
    let cid = Profile::Kubo.node_cid(&block).unwrap();
    blocks.0.insert(cid.clone(), block);
    assert_eq!(blocks.read(&cid, 0..99).unwrap(), b"infourfour");
    assert_eq!(blocks.read(&cid, 1..4).unwrap(), b"nfo");
}

#[test]
fn depth_and_bombs_end() {
    let mut blocks = Blocks::default();
    let mut deep = blocks.file(Profile::Kubo, b"x", 1).cid;
    for _ in 0..10_000 {
        deep = blocks.node(&[link(&deep, "")], &file_data(b"", &[1]));
    }
    assert_eq!(blocks.read(&deep, 0..1), Err(Error::TooDeep));
    // 2^30 ways to nothing: none is gone.
    let mut nothing = blocks.file(Profile::Kubo, b"", 1).cid;
    for _ in 0..30 {
        nothing = blocks.node(&[link(&nothing, ""), link(&nothing, "")], &file_data(b"", &[0, 0]));
    }
    assert_eq!(blocks.read(&nothing, 0..99).unwrap(), b"");
    // A HAMT whose nodes are one node, again and again: names have one place.
    let file = blocks.file(Profile::Kubo, b"x", 1).cid;
    let mut shard = blocks.node(&[link(&file, "00name")], &shard_data(&[1], 256));
    for _ in 0..3 {
        let links: Vec<Link> = (0..256).map(|n| link(&shard, &format!("{n:02X}"))).collect();
        shard = blocks.node(&links, &shard_data(&[0xff; 32], 256));
    }
    assert!(matches!(blocks.list(&shard), Err(Error::UnixFs(_))));
    let mut shard = blocks.node(&[], &shard_data(&[], 256));
    for _ in 0..3 {
        let links: Vec<Link> = (0..256).map(|n| link(&shard, &format!("{n:02X}"))).collect();
        shard = blocks.node(&links, &shard_data(&[0xff; 32], 256));
    }
    assert!(matches!(blocks.list(&shard), Err(Error::UnixFs(_))));
    // One that goes on below the end of the hash.
    let mut shard = blocks.node(&[link(&file, "00name")], &shard_data(&[1], 256));
    for _ in 0..20 {
        let links: Vec<Link> = (0..256).map(|n| link(&shard, &format!("{n:02X}"))).collect();
        shard = blocks.node(&links, &shard_data(&[0xff; 32], 256));
    }
    assert!(matches!(blocks.resolve(&shard, "name"), Err(Error::UnixFs(_))));
}

#[test]
fn blocks_that_hold_no_files_are_said_so() {
    let cbor = Cid::of(Codec::DAG_CBOR, HashCode::Sha2_256, b"\xa0").unwrap();
    assert_eq!(content_of(&cbor, b"\xa0"), Err(Error::PathIntoCodec(0x71)));
    let mut resolver = Resolver::new(cbor, vec!["a".into()]);
    assert_eq!(resolver.take(b"\xa0"), Err(Error::NoEntry("a".into())));
}

#[test]
fn a_path_leads_along_links_of_values() {
    let mut blocks = Blocks::default();
    let file = blocks.file(Profile::Kubo, b"four", 4).cid;
    let mut put = |block: String| {
        let cid = Cid::of(Codec::DAG_JSON, HashCode::Sha2_256, block.as_bytes()).unwrap();
        blocks.0.insert(cid.clone(), block.into_bytes());
        cid
    };
    let inner = put(format!(r#"{{"x":[{{"/":"{file}"}}],"y":{{"z":1}}}}"#));
    // A block that is a link is passed through, and has no name of its own.
    let link = put(format!(r#"{{"/":"{inner}"}}"#));
    let outer = put(format!(r#"{{"a":{{"b":{{"/":"{link}"}}}}}}"#));
    assert_eq!(blocks.resolve(&outer, "a/b/x/0"), Ok((file.clone(), 3)));
    assert_eq!(blocks.resolve(&outer, "a"), Err(Error::PathIntoCodec(0x129)));
    assert_eq!(blocks.resolve(&outer, "a/b/y/z"), Err(Error::PathIntoCodec(0x129)));
    assert_eq!(blocks.resolve(&outer, "a/b/y/c"), Err(Error::NoEntry("c".into())));
    assert_eq!(blocks.resolve(&outer, "a/b/x/0/c"), Err(Error::NotADirectory("c".into())));
    let mut resolver = Resolver::new(outer.clone(), path_segments("a/b/x/0").unwrap());
    while let Some(cid) = resolver.wanted().cloned() {
        resolver.take(&blocks.0[&cid]).unwrap();
    }
    let (way, roots) = resolver.into_way();
    assert_eq!(way, [outer.clone(), link.clone(), inner.clone()]);
    // One for the root and each name, and one for the block in between that has none.
    assert_eq!(roots, [outer.clone(), outer, link, inner.clone(), inner, file]);
}

#[test]
fn links_are_found_in_every_codec() {
    let mut blocks = Blocks::default();
    let leaf = blocks.file(Profile::Kubo, b"four", 4).cid;
    let node = blocks.node(&[link(&leaf, "a")], &directory_data());
    assert_eq!(links_of(Codec::DAG_PB, &blocks.0[&node]).unwrap(), from_ref(&leaf));
    let mut cbor = vec![0xa1, 0x61, b'a', 0x82, 0xd8, 0x2a, 0x58, 37, 0];
    cbor.extend(leaf.to_bytes());
    cbor.push(0xf6);
    assert_eq!(links_of(Codec::DAG_CBOR, &cbor).unwrap(), from_ref(&leaf));
    let json = format!("{{\"a\":[{{\"/\" : \"{leaf}\"}},{{\"/\":{{\"bytes\":\"AA\"}}}}]}}");
    assert_eq!(links_of(Codec::DAG_JSON, json.as_bytes()).unwrap(), [leaf]);
    assert_eq!(links_of(Codec::RAW, json.as_bytes()).unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_range_of_any_file_is_read(
        length in 0_usize..1_200_000,
        from in 0_u64..1_300_000,
        more in 0_u64..600_000,
        profile in prop::sample::select(&Profile::ALL[..]),
    ) {
        let bytes = bytes(length);
        let mut blocks = Blocks::default();
        let root = blocks.file(profile, &bytes, 70_001);
        let range = from.min(length as u64) as usize..(from + more).min(length as u64) as usize;
        prop_assert_eq!(blocks.read(&root.cid, from..from + more).unwrap(), &bytes[range]);
    }

    #[test]
    fn any_bytes_are_a_node_or_an_error(block in prop::collection::vec(any::<u8>(), 0..200)) {
        let cid = Profile::Kubo.node_cid(&block).unwrap();
        let _ = content_of(&cid, &block);
        let _ = Lister::new(cid.clone()).take(&block);
        let _ = Resolver::new(cid, vec!["a".into()]).take(&block);
        let _ = (links_of(Codec::DAG_CBOR, &block), links_of(Codec::DAG_JSON, &block));
    }

    #[test]
    fn any_damage_to_a_node_is_a_node_or_an_error(at in any::<usize>(), with in any::<u8>()) {
        let mut blocks = Blocks::default();
        let leaf = blocks.file(Profile::Kubo, b"four", 4).cid;
        let links = [link(&leaf, "00a"), link(&leaf, "01b")];
        for data in [file_data(b"in", &[4, 4]), directory_data(), shard_data(&[3], 256)] {
            let mut block = Node::encode(&links, &data);
            let at = at % block.len();
            block[at] = with;
            let cid = Profile::Kubo.node_cid(&block).unwrap();
            if let Ok(Content::File(size)) = content_of(&cid, &block) {
                let _ = FileReader::new(cid.clone(), size, 0..u64::MAX).take(&block);
            }
            let _ = Lister::new(cid.clone()).take(&block);
            let _ = Resolver::new(cid, vec!["a".into()]).take(&block);
        }
    }

    #[test]
    fn names_of_any_kind_are_found_in_a_hamt(
        names in prop::collection::btree_set("[a-zé0-9 ]{1,12}", 1..600),
    ) {
        let mut blocks = Blocks::default();
        let leaf = blocks.file(Profile::Kubo, b"x", 1);
        let children: BTreeMap<String, Child> = names
            .iter()
            .map(|name| (name.clone(), Child { cid: leaf.cid.clone(), blocks_bytes: 1 }))
            .collect();
        let links: Vec<Link> = children.keys().map(|name| link(&leaf.cid, name)).collect();
        let root = super::hamt::write(Profile::Kubo, links, &mut blocks.put()).unwrap();
        for name in &names {
            prop_assert_eq!(blocks.resolve(&root.cid, name).unwrap().0, leaf.cid.clone());
        }
        let mut listed: Vec<String> =
            blocks.list(&root.cid).unwrap().into_iter().map(|entry| entry.name).collect();
        listed.sort();
        prop_assert_eq!(listed, names.into_iter().collect::<Vec<_>>());
    }
}
