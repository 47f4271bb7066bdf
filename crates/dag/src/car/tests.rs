//! What is written is read again, in pieces of any size; and what is refused.

use proptest::prelude::*;

use super::*;
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
