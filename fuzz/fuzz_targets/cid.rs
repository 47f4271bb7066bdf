//! Whatever bytes come as a content address, and whatever text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::{Base, Cid, LogCid, Prefix};

const BASES: [Base; 5] =
    [Base::Base16, Base::Base32, Base::Base36, Base::Base58, Base::Base64Url];

fuzz_target!(|data: &[u8]| {
    // One address has one spelling in bytes, and one in each base.
    if let Ok(cid) = Cid::from_bytes(data) {
        assert_eq!(cid.to_bytes(), data);
        assert_eq!(Prefix::from_bytes(&cid.prefix().to_bytes()), Ok(cid.prefix()));
        for base in BASES {
            assert_eq!(cid.text_in(base).parse().as_ref(), Ok(&cid));
        }
        if let Ok(log) = LogCid::try_from(&cid) {
            assert_eq!(log.to_bytes(), data);
        }
    }
    if let Ok(prefix) = Prefix::from_bytes(data) {
        assert_eq!(prefix.to_bytes(), data);
        if let Ok(cid) = prefix.address(data) {
            assert!(cid.verifies(data) && cid.prefix() == prefix);
        }
    }
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(cid) = text.parse::<Cid>() {
        assert!(BASES.iter().any(|base| cid.text_in(*base) == text));
    }
    if let Ok(cid) = text.parse::<LogCid>() {
        assert_eq!(cid.to_string(), text);
        let again = Cid::from(cid).text_in(Base::Base58);
        assert_eq!(again, text);
    }
});
