//! Whatever bytes come as a CAR, in pieces: an error, or blocks that hash to their addresses. What is
//! read is written again as the same sections.
#![no_main]

use libfuzzer_sys::fuzz_target;
use optimusdb_dag::car::{CarReader, header, section};
use optimusdb_dag::{Cid, Error};

fuzz_target!(|data: &[u8]| {
    let mut whole = CarReader::default();
    let mut written = Vec::new();
    let read = whole.read(data, &mut |cid: &Cid, block: &[u8]| {
        assert!(cid.verifies(block) && !cid.is_identity());
        written.extend(section(cid, block.len()));
        written.extend_from_slice(block);
        Ok::<_, Error>(())
    });
    let mut pieces = CarReader::default();
    let mut count = 0_usize;
    let by_piece = data.chunks(7).try_for_each(|piece| {
        pieces.read(piece, &mut |_: &Cid, block: &[u8]| {
            count += block.len();
            Ok::<_, Error>(())
        })
    });
    assert_eq!(read.is_ok(), by_piece.is_ok());
    let (Ok(()), Ok(roots)) = (read, whole.finish()) else { return };
    let again = [header(&roots), written.clone()].concat();
    let mut reader = CarReader::default();
    let mut blocks = Vec::new();
    reader
        .read(&again, &mut |cid: &Cid, block: &[u8]| {
            blocks.extend(section(cid, block.len()));
            blocks.extend_from_slice(block);
            Ok::<_, Error>(())
        })
        .expect("what was written is read");
    assert_eq!((reader.finish(), blocks), (Ok(roots), written));
});
