//! Addresses that other implementations made, every hash, every base, and text and bytes that are no
//! address.

use proptest::prelude::*;

use super::*;
use crate::limits::{CID_IDENTITY_BYTES_MAX, CID_TEXT_BYTES_MAX};

const HASHES: [HashCode; 5] = [
    HashCode::Identity,
    HashCode::Sha2_256,
    HashCode::Sha2_512,
    HashCode::Blake3,
    HashCode::Blake2b256,
];
const BASES: [Base; 5] = [Base::Base16, Base::Base32, Base::Base36, Base::Base58, Base::Base64Url];
const HELLO: &[u8] = b"hello world";

fn raw(hash: HashCode, block: &[u8]) -> Cid {
    Cid::of(Codec::RAW, hash, block).unwrap()
}

fn read(text: &str) -> Result<Cid, Error> {
    text.parse()
}

#[test]
fn a_log_holds_addresses_of_32_bytes() {
    assert_eq!((size_of::<LogCid>(), size_of::<Cid>()), (32, 56));
}

#[test]
fn addresses_of_other_implementations() {
    // An empty block, and the folder of a first `ipfs init` in both versions.
    let empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    assert_eq!(raw(HashCode::Sha2_256, b"").to_string(), empty);
    let v0 = read("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG").unwrap();
    let v1 = read("bafybeie5nqv6kd3qnfjupgvz34woh3oksc3iau6abmyajn7qvtf6d2ho34").unwrap();
    assert_eq!((v0.version(), v1.version()), (Version::V0, Version::V1));
    assert_eq!((v0.codec(), v1.codec()), (Codec::DAG_PB, Codec::DAG_PB));
    assert_eq!(v0.hash(), v1.hash());
    assert_ne!(v0, v1);
    // One block in all bases.
    let hello = raw(HashCode::Sha2_256, HELLO);
    let texts = [
        "f01551220b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        "k2cwued9o1pvrt3q271rrqbo49x30tbxwpoeaq75z14e5ui2rzygpbe1",
        "zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn",
        "uAVUSILlNJ7mTTT4IpS5S19p9q_rEhO_jelOA7pCI96zi783p",
    ];
    for (base, text) in BASES.into_iter().zip(texts) {
        assert_eq!((read(text).as_ref(), hello.text_in(base).as_str()), (Ok(&hello), text));
    }
}

#[test]
fn every_hash_is_computed_and_checked() {
    for (hash, digest) in [
        (HashCode::Identity, "68656c6c6f20776f726c64"),
        (HashCode::Sha2_256, "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"),
        (
            HashCode::Sha2_512,
            "309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f\
             989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f",
        ),
        (HashCode::Blake3, "d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24"),
        (HashCode::Blake2b256, "256c83b297114d201b30179f3f0ef0cace9783622da5974326b436178aeef610"),
    ] {
        let cid = raw(hash, HELLO);
        assert_eq!(hex::encode(cid.hash().digest()), digest, "{hash:?}");
        assert!(cid.verifies(HELLO) && !cid.verifies(b"hello worlD") && !cid.verifies(b""));
        // The prefix makes the same address of the same bytes, and of no others.
        let prefix = Prefix::from_bytes(&cid.prefix().to_bytes()).unwrap();
        assert_eq!(prefix.address(HELLO), Ok(cid.clone()));
        assert_ne!(prefix.address(b"hello worlD"), Ok(cid));
    }
}

#[test]
fn bytes_and_texts_come_back() {
    let codecs = [0x55, 0x0129, 0x0200, (1 << 63) - 1].map(|code| Codec::new(code).unwrap());
    for hash in HASHES {
        for codec in codecs {
            let cid = Cid::of(codec, hash, &[7; CID_IDENTITY_BYTES_MAX]).unwrap();
            assert_eq!(Cid::from_bytes(&cid.to_bytes()).as_ref(), Ok(&cid));
            for base in BASES {
                let text = cid.text_in(base);
                assert!(text.len() <= CID_TEXT_BYTES_MAX);
                assert_eq!(read(&text).as_ref(), Ok(&cid), "{text}");
            }
        }
    }
    let v0 = read("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG").unwrap();
    assert_eq!(Cid::from_bytes(&v0.to_bytes()).as_ref(), Ok(&v0));
    assert_eq!(v0.prefix().to_bytes(), [0, 0x70, 0x12, 0x20]);
    assert_eq!(Prefix::from_bytes(&[0, 0x70, 0x12, 0x20]), Ok(v0.prefix()));
    assert_eq!(read(&v0.to_string()), Ok(v0));
}

#[test]
fn bytes_that_are_no_address() {
    let head = |head: &[u8]| Cid::from_bytes(&[head, &[7; 32]].concat());
    assert!(head(&[1, 0x55, 0x12, 0x20]).is_ok());
    assert_eq!(Cid::from_bytes(&[]), Err(Error::Truncated));
    assert_eq!(Cid::from_bytes(&[1, 0x55]), Err(Error::Truncated));
    assert_eq!(
        Cid::from_bytes(&[[1, 0x55, 0x12, 0x20].as_slice(), &[7; 31]].concat()),
        Err(Error::Truncated)
    );
    assert_eq!(
        Cid::from_bytes(&[[0x12, 0x20].as_slice(), &[7; 31]].concat()),
        Err(Error::Truncated)
    );
    assert_eq!(
        Cid::from_bytes(&[[0x12, 0x20].as_slice(), &[7; 33]].concat()),
        Err(Error::Trailing)
    );
    assert_eq!(head(&[1, 0x55, 0x00, 0x1f]), Err(Error::Trailing));
    assert_eq!(head(&[2, 0x55, 0x12, 0x20]), Err(Error::CidVersion(2)));
    // Version 0 is never written out, and is nothing but dag-pb.
    assert_eq!(head(&[0, 0x70, 0x12, 0x20]), Err(Error::CidVersion(0)));
    assert_eq!(Prefix::from_bytes(&[0, 0x71, 0x12, 0x20]), Err(Error::CidVersion(0)));
    assert_eq!(head(&[1, 0xd5, 0x00, 0x12, 0x20]), Err(Error::NotMinimal));
    assert_eq!(head(&[1, 0x55, 0x11, 0x14]), Err(Error::CidHash(0x11)));
    assert_eq!(head(&[1, 0x55, 0x12, 0x14]), Err(Error::CidDigest));
    assert_eq!(head(&[1, 0x55, 0x12, 0xa0, 0x02]), Err(Error::CidDigest));
    let codec = [[0xff; 9].as_slice(), &[1]].concat();
    assert_eq!(head(&[&[1], &codec[..], &[0x12, 0x20]].concat()), Err(Error::VarintRange));
    let long = [7; CID_IDENTITY_BYTES_MAX + 1];
    assert_eq!(Cid::of(Codec::RAW, HashCode::Identity, &long), Err(Error::CidDigest));
    assert_eq!(
        Cid::from_bytes(&[&[1, 0x55, 0, 129, 1], &long[..]].concat()),
        Err(Error::CidDigest)
    );
    // An identity of another length than the prefix says.
    let prefix = raw(HashCode::Identity, HELLO).prefix();
    assert_eq!(prefix.address(b"hello"), Err(Error::CidDigest));
    assert_eq!(prefix.address(&long), Err(Error::CidDigest));
}

#[test]
fn upper_case_is_read_and_not_written() {
    let cid = raw(HashCode::Sha2_256, HELLO);
    for base in [Base::Base16, Base::Base32, Base::Base36] {
        let text = cid.text_in(base);
        assert_eq!(text.to_uppercase().parse(), Ok(cid.clone()), "{text}");
        let first_alone = format!("{}{}", text[..1].to_uppercase(), &text[1..]);
        assert_eq!(first_alone.parse::<Cid>(), Err(Error::CidText), "{first_alone}");
    }
    assert_eq!(cid.to_string().to_uppercase().parse::<Cid>().unwrap().to_string(), cid.to_string());
}

#[test]
fn texts_that_are_no_address() {
    let good = raw(HashCode::Sha2_256, HELLO).to_string();
    let v0 = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG";
    let v0_in_base = format!("z{v0}");
    let v1_as_v0 = raw(HashCode::Sha2_256, HELLO).text_in(Base::Base58)[1..].to_owned();
    // 58 digits of five bits are 36 bytes and two bits: those have to be zero.
    let bits_left = format!("{}f", &good[..good.len() - 1]);
    let endless = format!("z{}", "1".repeat(1 << 20));
    for text in [
        "",
        "z",
        "b",
        "Q",
        "\u{1f600}",
        "b\u{1f600}",
        &good[1..],
        &good[..20],
        &format!("b{}", good[1..].to_uppercase()),
        &format!("/ipfs/{good}"),
        &format!("{good}="),
        &bits_left,
        &v0[..45],
        &v0_in_base,
        &v1_as_v0,
        &endless,
        "f",
    ] {
        assert_eq!(read(text), Err(Error::CidText), "{text:.80}");
    }
    let sha1 = format!("f01551114{}", "00".repeat(20));
    assert_eq!(read(&sha1), Err(Error::CidHash(0x11)));
}

#[test]
fn a_log_has_addresses_of_one_sort() {
    let log = LogCid::of(HELLO);
    let any = Cid::from(log);
    assert_eq!(any, Cid::of(Codec::DAG_CBOR, HashCode::Sha2_256, HELLO).unwrap());
    assert_eq!(any.to_bytes(), log.to_bytes());
    assert_eq!(LogCid::try_from(&any), Ok(log));
    let v0 = Prefix::from_bytes(&[0, 0x70, 0x12, 0x20]).unwrap().address(HELLO).unwrap();
    for other in [
        raw(HashCode::Sha2_256, HELLO),
        Cid::of(Codec::DAG_PB, HashCode::Sha2_256, HELLO).unwrap(),
        Cid::of(Codec::DAG_CBOR, HashCode::Blake3, HELLO).unwrap(),
        Cid::of(Codec::DAG_CBOR, HashCode::Identity, HELLO).unwrap(),
        v0,
    ] {
        assert_eq!(LogCid::try_from(&other), Err(Error::CidForeign), "{other}");
        assert_eq!(other.text_in(Base::Base58).parse::<LogCid>(), Err(Error::CidForeign));
    }
}

proptest! {
    #[test]
    fn what_is_read_is_written_again(bytes: Vec<u8>, text in "[fbkzu][0-9A-Za-z_-]{0,80}") {
        if let Ok(cid) = Cid::from_bytes(&bytes) {
            prop_assert_eq!(cid.to_bytes(), bytes);
        }
        if let Ok(cid) = text.parse::<Cid>() {
            prop_assert!(BASES.iter().any(|base| cid.text_in(*base) == text));
        }
    }

    #[test]
    fn whatever_bits_an_address_has(digest: [u8; 32], code in 0..1u64 << 63, base in 0..BASES.len()) {
        let hash = Hash::new(HashCode::Blake3, &digest).unwrap();
        let cid = Cid::new(Codec::new(code).unwrap(), hash);
        prop_assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid.clone()));
        prop_assert_eq!(cid.text_in(BASES[base]).parse::<Cid>(), Ok(cid));
    }
}

#[test]
fn other_text_is_refused() {
    let good = LogCid::of(b"block").to_string();
    let raw = format!(
        "z{}",
        bs58::encode([[1, 0x55, 0x12, 0x20].as_slice(), &[7; 32]].concat()).into_string()
    );
    let upper = good.to_uppercase();
    let long = format!("{good}1");
    let over = format!("z{}", "z".repeat(48));
    for text in [
        "",
        "z",
        &good[1..],
        &good[..48],
        &upper,
        &long,
        &over,
        // The same address, but not as a log writes it.
        &Cid::from(LogCid::of(b"block")).to_string(),
    ] {
        assert_eq!(text.parse::<LogCid>(), Err(Error::CidText), "{text}");
    }
    for text in [&raw, "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"] {
        assert_eq!(text.parse::<LogCid>(), Err(Error::CidForeign), "{text}");
    }
}
