//! What is written is read again, in pieces of any size; and what is refused.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::unixfs::{Child, FileWriter, Profile, write_directory};
use crate::{Cid, Codec, Error, HashCode};

fn block(codec: Codec, hash: HashCode, bytes: &[u8]) -> (Cid, Vec<u8>) {
    (Cid::of(codec, hash, bytes).unwrap(), bytes.to_vec())
}

fn car(roots: &[Cid], blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut out = header(roots);
    for (cid, bytes) in blocks {
        out.extend(section(cid, bytes.len()));
        out.extend(bytes);
    }
    out
}

type Read = (Vec<Cid>, Vec<(Cid, Vec<u8>)>);

fn read(car: &[u8], piece: usize) -> Result<Read, Error> {
    let mut reader = CarReader::default();
    let mut blocks = Vec::new();
    for piece in car.chunks(piece) {
        reader.read(piece, &mut |cid: &Cid, bytes: &[u8]| {
            blocks.push((cid.clone(), bytes.to_vec()));
            Ok::<_, Error>(())
        })?;
    }
    Ok((reader.finish()?, blocks))
}

fn example() -> Read {
    let blocks = vec![
        block(Codec::RAW, HashCode::Sha2_256, b"one"),
        block(Codec::DAG_CBOR, HashCode::Blake3, b"\xa0"),
        block(Codec::new(0x300539).unwrap(), HashCode::Sha2_512, &[7; 300]),
        block(Codec::RAW, HashCode::Sha2_256, b""),
    ];
    (vec![blocks[1].0.clone(), blocks[0].0.clone()], blocks)
}

fn version_2(inner: &[u8], gap: usize) -> Vec<u8> {
    let mut out = b"\x0a\xa1gversion\x02".to_vec();
    out.extend([0; 16]);
    out.extend((51 + gap as u64).to_le_bytes());
    out.extend((inner.len() as u64).to_le_bytes());
    out.extend((51 + gap as u64 + inner.len() as u64).to_le_bytes());
    out.extend(vec![0xff; gap]);
    out.extend(inner);
    out.extend(b"an index, which nobody reads");
    out
}

#[test]
fn both_versions_are_read_in_pieces_of_any_size() {
    let (roots, blocks) = example();
    let one = car(&roots, &blocks);
    for piece in [1, 2, 7, 64, 1 << 20] {
        assert_eq!(read(&one, piece).unwrap(), (roots.clone(), blocks.clone()), "{piece}");
        for gap in [0, 5] {
            let two = version_2(&one, gap);
            assert_eq!(read(&two, piece).unwrap(), (roots.clone(), blocks.clone()), "{piece}");
        }
    }
}

#[test]
fn identities_are_passed_over() {
    let (roots, mut blocks) = example();
    let expected = blocks.clone();
    blocks.insert(1, block(Codec::RAW, HashCode::Identity, b"here"));
    assert_eq!(read(&car(&roots, &blocks), 16).unwrap().1, expected);
}

#[test]
fn what_breaks_off_is_refused_wherever_it_does() {
    let (roots, blocks) = example();
    let one = car(&roots, &blocks);
    let ends: Vec<usize> = (0..=blocks.len()).map(|n| car(&roots, &blocks[..n]).len()).collect();
    for end in 0..one.len() {
        let broken = read(&one[..end], 13);
        // Version 1 does not say how long it is.
        assert_eq!(broken.is_ok(), ends.contains(&end), "{end}");
    }
    let two = version_2(&one, 3);
    for end in 0..54 + one.len() {
        assert!(read(&two[..end], 13).is_err(), "{end}");
    }
    assert!(read(&two[..54 + one.len()], 13).is_ok());
}

#[test]
fn lies_are_refused() {
    let (roots, blocks) = example();
    let one = car(&roots, &blocks);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut car = one.clone();
        change(&mut car);
        read(&car, 50)
    };
    let wrong_hash = with(|car| *car.last_mut().unwrap() ^= 1);
    assert!(wrong_hash.is_err());
    assert!(matches!(
        read(&car(&roots, &[(blocks[0].0.clone(), b"two".to_vec())]), 50),
        Err(Error::BlockMismatch(_))
    ));
    let refused = |bytes: &[u8], why: &str| {
        let error = read(bytes, 50).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(b"", "breaks off");
    refused(&car(&[], &blocks), "no root");
    refused(&vec![roots[0].clone(); 1_025].pipe(|roots| car(roots, &[])), "");
    refused(b"\x00", "cannot be read");
    refused(b"<!doctype html><html>", "");
    refused(b"\x80\x80\x80\x80\x04\xa2", "header is too large");
    refused(&[0xff; 11], "no number");
    refused(&[one.as_slice(), b"\x00"].concat(), "section is empty");
    refused(&[one.as_slice(), b"\x80\x80\x80\x02"].concat(), "larger than a block");
    refused(&version_2(&one, 0)[..].to_vec().tap(|car| car[27] = 50), "inside its header");
    refused(&version_2(&one, 0)[..].to_vec().tap(|car| car[35] -= 1), "beyond the end");
    refused(b"\x0a\xa1gversion\x03", "version other");
    let large = block(Codec::RAW, HashCode::Sha2_256, &vec![0; 2 * 1024 * 1024 + 1]);
    assert!(matches!(read(&car(&roots, &[large]), 1 << 20), Err(Error::BlockTooLarge { .. })));
}

/// Both for one line of a test.
trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
    fn pipe<T>(&self, make: impl FnOnce(&Self) -> T) -> T {
        make(self)
    }
}
impl Tap for Vec<u8> {}
impl Tap for Vec<Cid> {}

proptest! {
    #[test]
    fn what_is_written_is_read(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..20),
        piece in 1_usize..500,
    ) {
        let blocks: Vec<_> =
            parts.iter().map(|part| block(Codec::RAW, HashCode::Sha2_256, part)).collect();
        let roots = vec![blocks[0].0.clone()];
        prop_assert_eq!(read(&car(&roots, &blocks), piece), Ok((roots, blocks)));
    }

    #[test]
    fn any_bytes_yield_an_error_or_blocks(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, 17);
    }

    #[test]
    fn any_damage_yields_an_error_or_blocks(at in 0_usize..400, with in any::<u8>()) {
        let (roots, blocks) = example();
        let mut car = version_2(&car(&roots, &blocks), 2);
        let at = at % car.len();
        car[at] = with;
        let _ = read(&car, 31);
    }
}

/// Blocks in memory, and a directory in them: `a` and `b` are the same file of three leaves, `c` is
/// another of one, and so is `d`, in its address.
struct Shelf {
    blocks: HashMap<Cid, Vec<u8>>,
    root: Cid,
    file: Cid,
    leaves: Vec<Cid>,
}

fn shelf() -> Shelf {
    let mut blocks = HashMap::new();
    let mut put = |cid: &Cid, block: &[u8]| {
        blocks.insert(cid.clone(), block.to_vec());
        Ok::<_, Error>(())
    };
    let chunk = 256 * 1024;
    let bytes: Vec<u8> = (0..2 * chunk + 7).map(|n| (n / chunk) as u8).collect();
    let mut writer = FileWriter::new(Profile::Kubo);
    writer.write(&bytes, &mut put).unwrap();
    let file = writer.finish(&mut put).unwrap().cid;
    let small = Cid::of(Codec::RAW, HashCode::Sha2_256, b"small").unwrap();
    put(&small, b"small").unwrap();
    let inline = Cid::of(Codec::RAW, HashCode::Identity, b"inline").unwrap();
    let child = |cid: &Cid| Child { cid: cid.clone(), blocks_bytes: 1 };
    let named = [("a", &file), ("b", &file), ("c", &small), ("d", &inline)];
    let children = named.map(|(name, cid)| (name.to_owned(), child(cid)));
    let root = write_directory(Profile::Kubo, children.into(), &mut put).unwrap().cid;
    put(&inline, b"inline").unwrap();
    let leaf =
        |n: usize| bytes.chunks(chunk).nth(n).map(|l| Cid::of(Codec::RAW, HashCode::Sha2_256, l));
    let leaves = (0..3).map(|n| leaf(n).unwrap().unwrap()).collect();
    Shelf { blocks, root, file, leaves }
}

impl Shelf {
    /// The blocks that are sent.
    fn walk(
        &self,
        way: &[&Cid],
        end: &Cid,
        scope: CarScope,
        twice: bool,
    ) -> Result<Vec<Cid>, Error> {
        let way = way.iter().map(|cid| (*cid).clone()).collect();
        let mut walk = CarWalk::new(way, end.clone(), scope, twice);
        let mut sent = Vec::new();
        while let Some(cid) = walk.wanted().cloned() {
            assert_eq!(walk.upcoming().next(), Some(&cid));
            if walk.take(&self.blocks[&cid])? {
                sent.push(cid);
            }
        }
        Ok(sent)
    }
}

#[test]
fn a_walk_goes_depth_first_and_sends_twice_only_what_it_should() {
    let shelf = shelf();
    let Shelf { root, file, leaves, .. } = &shelf;
    let small = Cid::of(Codec::RAW, HashCode::Sha2_256, b"small").unwrap();
    let [one, two, three] = leaves.as_slice() else { panic!("{leaves:?}") };
    let once = [root, file, one, two, three, &small].map(Clone::clone);
    assert_eq!(shelf.walk(&[], root, CarScope::All, false).unwrap(), once);
    let twice = [root, file, one, two, three, file, one, two, three, &small].map(Clone::clone);
    assert_eq!(shelf.walk(&[], root, CarScope::All, true).unwrap(), twice);
}

#[test]
fn a_walk_has_what_its_scope_says() {
    let shelf = shelf();
    let Shelf { root, file, leaves, .. } = &shelf;
    let walk = |end: &Cid, scope| shelf.walk(&[root], end, scope, true).unwrap();
    let with = |blocks: &[&Cid]| blocks.iter().map(|cid| (*cid).clone()).collect::<Vec<_>>();
    let [one, two, three] = leaves.as_slice() else { panic!("{leaves:?}") };
    assert_eq!(walk(file, CarScope::Block), with(&[root, file]));
    assert_eq!(walk(file, CarScope::Entity), with(&[root, file, one, two, three]));
    assert_eq!(walk(root, CarScope::Entity), with(&[root, root]));
    let part = |from, to| CarScope::Bytes(EntityBytes { from, to });
    for (scope, blocks) in [
        (part(0, Some(0)), [one].as_slice()),
        (part(262_143, Some(262_144)), &[one, two]),
        (part(262_144, None), &[two, three]),
        (part(-7, None), &[three]),
        (part(-8, Some(-8)), &[two]),
        (part(-9_999_999, Some(-8)), &[one, two]),
        (part(524_295, None), &[]),
        (part(5, Some(-9_999_999)), &[]),
    ] {
        let expected = [&[root, file], blocks].concat();
        assert_eq!(walk(file, scope), with(&expected), "{scope:?}");
    }
    // A range of what has no bytes in a row is passed over.
    assert_eq!(walk(root, part(0, Some(0))), with(&[root, root]));
}

#[test]
fn an_address_that_is_its_block_is_walked_and_not_sent() {
    let shelf = shelf();
    let inline = Cid::of(Codec::RAW, HashCode::Identity, b"inline").unwrap();
    for scope in [CarScope::All, CarScope::Block, CarScope::Entity] {
        assert_eq!(shelf.walk(&[], &inline, scope, true).unwrap(), []);
    }
}

#[test]
fn what_waits_in_a_walk_is_bounded() {
    // Nodes of many links, the first of which leads to the next one.
    let mut blocks = HashMap::new();
    let leaf = Cid::of(Codec::RAW, HashCode::Identity, b"").unwrap();
    let mut next = leaf.clone();
    let links = 20_000;
    for _ in 0..8 {
        let cids = std::iter::once(&next).chain(std::iter::repeat_n(&leaf, links - 1));
        let list: Vec<String> = cids.map(|cid| format!("{{\"/\":\"{cid}\"}}")).collect();
        let block = format!("[{}]", list.join(",")).into_bytes();
        next = Cid::of(Codec::DAG_JSON, HashCode::Sha2_256, &block).unwrap();
        blocks.insert(next.clone(), block);
    }
    blocks.insert(leaf.clone(), Vec::new());
    let shelf = Shelf { blocks, root: next.clone(), file: leaf, leaves: Vec::new() };
    let refused = shelf.walk(&[], &next, CarScope::All, true);
    assert!(matches!(refused, Err(Error::FilesTooLarge(_))), "{refused:?}");
    assert!(shelf.walk(&[], &next, CarScope::Entity, true).is_ok());
}

#[test]
fn a_walk_is_as_deep_as_its_blocks() {
    let mut blocks = HashMap::new();
    let mut next = Cid::of(Codec::RAW, HashCode::Identity, b"").unwrap();
    blocks.insert(next.clone(), Vec::new());
    for _ in 0..10_000 {
        let block = format!("[{{\"/\":\"{next}\"}}]").into_bytes();
        next = Cid::of(Codec::DAG_JSON, HashCode::Sha2_256, &block).unwrap();
        blocks.insert(next.clone(), block);
    }
    let shelf = Shelf { blocks, root: next.clone(), file: next.clone(), leaves: Vec::new() };
    assert_eq!(shelf.walk(&[], &next, CarScope::All, false).unwrap().len(), 10_000);
}

proptest! {
    #[test]
    fn a_range_lies_within_its_file(from: i64, to: Option<i64>, size: u64) {
        let range = EntityBytes { from, to }.within(size);
        prop_assert!(range.start <= range.end && range.end <= size);
    }
}
