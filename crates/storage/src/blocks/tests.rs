//! All or none, whatever happens; what is wanted stays, and what nobody wants goes.

use super::*;
use crate::connection::read_write;
use optimusdb_dag::unixfs::{FileWriter, Profile, Written};
use optimusdb_dag::{Codec, HashCode};
use std::fs;

const MIB: usize = 1024 * 1024;

struct Home {
    directory: tempfile::TempDir,
    blocks: Option<Arc<FileBlocks>>,
}

impl Home {
    fn new() -> Home {
        let mut home = Home { directory: tempfile::tempdir().unwrap(), blocks: None };
        home.reopen();
        home
    }

    fn reopen(&mut self) {
        self.blocks = None;
        let blocks = FileBlocks::open_at(self.directory.path(), Durability::Full, None).unwrap();
        self.blocks = Some(Arc::new(blocks));
    }

    fn blocks(&self) -> &Arc<FileBlocks> {
        self.blocks.as_ref().unwrap()
    }

    /// Bytes of the segments on the disk.
    fn segments(&self) -> u64 {
        let entries = fs::read_dir(self.directory.path().join("blocks")).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    fn rows(&self) -> i64 {
        let count = "SELECT count(*) FROM blocks";
        self.blocks().writer().db.query_row(count, [], |row| row.get(0)).unwrap()
    }

    fn sweep(&self) -> SweepStep {
        let mut sweep = Sweep::begin(self.blocks()).unwrap().unwrap();
        loop {
            match sweep.step().unwrap() {
                SweepStep::More => {}
                end => return end,
            }
        }
    }
}

fn raw(bytes: &[u8]) -> Cid {
    Cid::of(Codec::RAW, HashCode::Sha2_256, bytes).unwrap()
}

/// Bytes of which no two blocks are the same, another for each `seed`.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..length).map(next).collect()
}

fn write(adding: &mut Adding, bytes: &[u8]) -> Written {
    let mut put = |cid: &Cid, block: &[u8]| adding.put(cid, block);
    let mut writer = FileWriter::new(Profile::Kubo);
    writer.write(bytes, &mut put).unwrap();
    writer.finish(&mut put).unwrap()
}

fn add(home: &Home, bytes: &[u8], pinned: bool) -> Cid {
    let mut adding = home.blocks().add();
    let cid = write(&mut adding, bytes).cid;
    let pins = if pinned { std::slice::from_ref(&cid) } else { &[] };
    adding.finish(pins, "a file", 7).unwrap();
    cid
}

#[test]
fn blocks_of_any_size_are_read_again_also_after_a_restart() {
    let mut home = Home::new();
    let sizes = [1, 300, SMALL_BLOCK_BYTES_MAX, SMALL_BLOCK_BYTES_MAX + 1, 256 * 1024, 2 * MIB];
    let blocks: Vec<Vec<u8>> = sizes.iter().map(|size| bytes(*size, *size as u64)).collect();
    let mut adding = home.blocks().add();
    for block in &blocks {
        adding.put(&raw(block), block).unwrap();
        assert!(!home.blocks().has(&raw(block)).unwrap(), "seen before the end");
    }
    adding.finish(&[], "", 0).unwrap();
    for _ in 0..2 {
        for block in &blocks {
            assert_eq!(home.blocks().get(&raw(block)).unwrap().as_ref(), Some(block));
            let other = Cid::new(Codec::DAG_CBOR, raw(block).hash().clone());
            assert!(home.blocks().has(&other).unwrap(), "whatever the codec");
        }
        assert_eq!(home.blocks().get(&raw(b"no such")).unwrap(), None);
        home.reopen();
    }
    assert_eq!(home.blocks().get(&raw(b"")).unwrap(), Some(vec![]));
    let identity = Cid::of(Codec::RAW, HashCode::Identity, b"here").unwrap();
    assert_eq!(home.blocks().get(&identity).unwrap().unwrap(), b"here");
    assert!(home.blocks().has(&identity).unwrap() && home.blocks().has(&raw(b"")).unwrap());
}

#[test]
fn what_is_dropped_in_the_middle_leaves_nothing() {
    let home = Home::new();
    for length in [100, 5 * MIB, 70 * MIB] {
        let mut adding = home.blocks().add();
        write(&mut adding, &bytes(length, 1));
        drop(adding);
        assert_eq!((home.rows(), home.segments()), (0, 0), "{length}");
    }
}

#[test]
fn what_a_stop_leaves_in_the_middle_is_gone_at_the_next_start() {
    let mut home = Home::new();
    let kept = add(&home, &bytes(3 * MIB, 2), true);
    let (rows, segments) = (home.rows(), home.segments());
    let mut adding = home.blocks().add();
    let root = write(&mut adding, &bytes(70 * MIB, 3)).cid;
    // As a crash does it: nothing is undone, and the tables and segments are as they were.
    std::mem::forget(adding);
    assert!(home.rows() > rows && home.segments() > segments);
    // A segment that ends in bytes of which no row knows.
    let first = home.directory.path().join("blocks/1.blocks");
    let mut longer = fs::read(&first).unwrap();
    longer.extend([0; 1000]);
    fs::write(&first, longer).unwrap();
    home.blocks = None;
    home.reopen();
    assert_eq!((home.rows(), home.segments()), (rows, segments));
    assert!(home.blocks().has(&kept).unwrap() && !home.blocks().has(&root).unwrap());
    // Numbers of segments and of adds are not mixed up with those from before.
    let again = add(&home, &bytes(3 * MIB, 4), false);
    home.reopen();
    assert!(home.blocks().has(&kept).unwrap() && home.blocks().has(&again).unwrap());
}

#[test]
fn the_same_file_is_kept_once() {
    let home = Home::new();
    let file = bytes(2 * MIB, 5);
    let first = add(&home, &file, false);
    let (rows, segments) = (home.rows(), home.segments());
    assert_eq!(add(&home, &file, false), first);
    assert_eq!((home.rows(), home.segments()), (rows, segments));
    // A chunk that comes again and again is kept once, too.
    add(&home, &vec![9; 20 * MIB], false);
    assert!(home.segments() - segments <= 256 * 1024);
}

#[test]
fn damage_is_noticed() {
    let home = Home::new();
    let block = bytes(100_000, 6);
    add(&home, &block, true);
    let path = home.directory.path().join("blocks/1.blocks");
    let mut damaged = fs::read(&path).unwrap();
    damaged[50_000] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert!(matches!(home.blocks().get(&raw(&block)), Err(Error::Corrupt(_))));
    fs::write(&path, &damaged[..60_000]).unwrap();
    assert!(matches!(home.blocks().get(&raw(&block)), Err(Error::Corrupt(_))));
}

#[test]
fn what_no_pin_leads_to_goes_and_all_else_stays() {
    let home = Home::new();
    let kept = bytes(3 * MIB, 7);
    let (kept_cid, gone) = (add(&home, &kept, true), add(&home, &bytes(4 * MIB, 8), false));
    let small = add(&home, b"small and unwanted", false);
    let read = add(&home, &bytes(MIB, 9), false);
    let reading = home.blocks().reading(&read);
    let mut adding = home.blocks().add();
    let unfinished = write(&mut adding, &bytes(MIB, 10)).cid;
    // Part of what is being added is there already.
    let shared = bytes(256 * 1024, 11);
    add(&home, &shared, false);
    adding.put(&raw(&shared), &shared).unwrap();
    let SweepStep::Done(blocks, bytes_gone) = home.sweep() else { panic!("disturbed") };
    assert!(blocks >= 18 && bytes_gone > 4 * MIB as u64, "{blocks} {bytes_gone}");
    assert!(!home.blocks().has(&gone).unwrap() && !home.blocks().has(&small).unwrap());
    for cid in [&kept_cid, &read, &raw(&shared)] {
        assert!(home.blocks().has(cid).unwrap());
    }
    adding.finish(&[], "", 0).unwrap();
    assert!(home.blocks().has(&unfinished).unwrap());
    drop(reading);
    assert!(home.blocks().unpin(&kept_cid).unwrap() && !home.blocks().unpin(&kept_cid).unwrap());
    home.sweep();
    assert_eq!((home.rows(), home.segments()), (0, 0));
}

/// Who pins a block as mere bytes hides nothing that is below it as a node.
#[test]
fn another_address_of_a_node_hides_nothing_below_it() {
    let home = Home::new();
    let content = bytes(3 * MIB, 5);
    let root = add(&home, &content, true);
    let rows = home.rows();
    assert!(rows > 2 && root.codec() == Codec::DAG_PB);
    let twin = Cid::new(Codec::RAW, root.hash().clone());
    let pin = |cid: &Cid| home.blocks().pin(cid, "", 0).unwrap();
    pin(&twin);
    assert!(matches!(home.sweep(), SweepStep::Done(0, 0)));
    // The same the other way round, and while it is wanted as a node in the middle of a sweep.
    home.blocks().unpin(&root).unwrap();
    let mut sweep = Sweep::begin(home.blocks()).unwrap().unwrap();
    pin(&root);
    assert_eq!(sweep.step().unwrap(), SweepStep::Disturbed);
    drop(sweep);
    assert!(matches!(home.sweep(), SweepStep::Done(0, 0)));
    assert_eq!(home.rows(), rows);
}

/// Nodes that are in their addresses are told apart by all of their bytes.
#[test]
fn what_is_below_a_node_in_an_address_stays() {
    let home = Home::new();
    let mut adding = home.blocks().add();
    let leaves: Vec<Cid> = (0..3)
        .map(|n| {
            let block = bytes(1_000, n);
            adding.put(&raw(&block), &block).unwrap();
            raw(&block)
        })
        .collect();
    let inline = |leaf: &Cid| {
        let link = leaf.to_bytes();
        let block = [&[0x81, 0xd8, 0x2a, 0x58, link.len() as u8 + 1, 0][..], &link].concat();
        Cid::of(Codec::DAG_CBOR, HashCode::Identity, &block).unwrap()
    };
    let nodes: Vec<Cid> = leaves.iter().map(inline).collect();
    adding.finish(&nodes, "", 0).unwrap();
    assert!(matches!(home.sweep(), SweepStep::Done(0, 0)));
    assert_eq!(home.rows(), 3);
}

#[test]
fn a_segment_of_which_little_is_left_is_written_anew() {
    let mut home = Home::new();
    let mut adding = home.blocks().add();
    let (small, large) = (bytes(600_000, 12), bytes(9 * MIB, 13));
    let small_cid = write(&mut adding, &small).cid;
    write(&mut adding, &large);
    adding.finish(std::slice::from_ref(&small_cid), "", 0).unwrap();
    assert!(home.segments() > 9 * MIB as u64);
    home.sweep();
    assert_eq!(home.segments(), 600_000);
    home.reopen();
    for part in small.chunks(256 * 1024) {
        assert_eq!(home.blocks().get(&raw(part)).unwrap().as_deref(), Some(part));
    }
}

#[test]
fn who_wants_what_is_about_to_go_ends_the_sweep() {
    let home = Home::new();
    let file = add(&home, &bytes(MIB, 14), false);
    let mut sweep = Sweep::begin(home.blocks()).unwrap().unwrap();
    assert!(Sweep::begin(home.blocks()).unwrap().is_none(), "there is one at a time");
    home.blocks().pin(&file, "late", 1).unwrap();
    assert_eq!(sweep.step().unwrap(), SweepStep::Disturbed);
    drop(sweep);
    home.sweep();
    assert!(home.blocks().has(&file).unwrap());
}

#[test]
fn pins_have_names() {
    let mut home = Home::new();
    let file = add(&home, b"pinned", true);
    home.blocks().pin(&raw(b"elsewhere"), "later", 9).unwrap();
    home.blocks().pin(&file, "renamed", 10).unwrap();
    home.reopen();
    let pins = home.blocks().pins().unwrap();
    let shown: Vec<_> = pins.iter().map(|pin| (&pin.cid, &*pin.name, pin.created_ms)).collect();
    assert_eq!(shown, [(&file, "renamed", 7), (&raw(b"elsewhere"), "later", 9)]);
}

#[test]
fn blocks_take_no_more_room_than_they_may() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let blocks = FileBlocks::open_at(directory.path(), Durability::Relaxed, Some(1_000_000));
        Arc::new(blocks.unwrap())
    };
    let blocks = open();
    let mut adding = blocks.add();
    let first = bytes(600_000, 20);
    let cid = write(&mut adding, &first).cid;
    adding.finish(std::slice::from_ref(&cid), "", 0).unwrap();
    let used = blocks.room().used;
    assert!((600_000..610_000).contains(&used), "{used}");
    // What is there already takes no more; what is new and too much leaves nothing.
    let mut adding = blocks.add();
    write(&mut adding, &first);
    let (fits, over) = (bytes(390_000, 21), bytes(20_000, 22));
    adding.put(&raw(&fits), &fits).unwrap();
    let refused = adding.put(&raw(&over), &over).unwrap_err();
    assert!(
        matches!(refused, Error::NoRoom { bytes_max: 1_000_000, more: 20_000, .. }),
        "{refused}"
    );
    drop(adding);
    assert_eq!(blocks.room().used, used);
    drop(blocks);
    let blocks = open();
    assert_eq!(blocks.room(), RoomFigures { used, bytes_max: Some(1_000_000) });
    blocks.unpin(&cid).unwrap();
    let mut sweep = Sweep::begin(&blocks).unwrap().unwrap();
    while sweep.step().unwrap() == SweepStep::More {}
    assert_eq!(blocks.room().used, 0);
}

#[test]
fn tables_of_the_first_format_are_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::File(directory.path().join("files.sqlite"));
    let cid = raw(b"pinned before");
    {
        let link = read_write(&place, Durability::Full).unwrap();
        link.db.execute_batch(tables::FORMAT_1).unwrap();
        link.db.pragma_update(None, "user_version", 1).unwrap();
        let pin = "INSERT INTO pins (cid, name, created) VALUES (?1, 'old', 5)";
        link.db.execute(pin, [cid.to_bytes()]).unwrap();
    }
    let blocks = FileBlocks::open_at(directory.path(), Durability::Full, None).unwrap();
    // Whether all of it is here is looked at.
    let pins = blocks.partial_pins(false, 0, 10).unwrap();
    assert_eq!((pins.len(), &pins[0].cid, pins[0].name.as_str()), (1, &cid, "old"));
    assert!(!pins[0].replica && pins[0].outcome.state == PinState::Wanted);
}

fn contribution(cid: &Cid, created_ms: u64) -> Contributed {
    Contributed { cid: cid.clone(), name: "n".into(), size: Some(7), created_ms, tries: 0 }
}

fn read_up_to(row: i64) -> ReadUpTo {
    ReadUpTo { row, entry: optimusdb_dag::LogCid::of(&row.to_be_bytes()) }
}

#[test]
fn contributions_are_pinned_until_a_user_unpins_them() {
    let mut home = Home::new();
    let (one, two) = (raw(b"one"), raw(b"two"));
    let noted = [contribution(&one, 5), contribution(&two, 6), contribution(&one, 9)];
    home.blocks().note_contributed(&noted, read_up_to(3), true).unwrap();
    let replicas = home.blocks().partial_pins(true, 0, 10).unwrap();
    let cids: Vec<_> = replicas.iter().map(|pin| &pin.cid).collect();
    assert_eq!(cids, [&two, &one], "the newest first");
    let in_vain = PinOutcome { state: PinState::Absent, tries: 1, due_ms: 0, error: "x".into() };
    home.blocks().note_outcome(&two, &in_vain).unwrap();
    let replicas = home.blocks().partial_pins(true, 0, 10).unwrap();
    let cids: Vec<_> = replicas.iter().map(|pin| &pin.cid).collect();
    assert_eq!(cids, [&one, &two], "what was tried before comes later");
    assert!(home.blocks().unpin(&two).unwrap());
    home.blocks().pin(&one, "mine", 7).unwrap();
    home.reopen();
    assert_eq!(home.blocks().contributions_read().unwrap(), Some(read_up_to(3)));
    // Neither a second contribution of it nor another start brings it back.
    home.blocks().note_contributed(&noted, read_up_to(4), true).unwrap();
    home.blocks().pin_contributed(true).unwrap();
    let pins = home.blocks().pins().unwrap();
    let shown: Vec<_> = pins.iter().map(|pin| (&pin.cid, &*pin.name, pin.replica)).collect();
    assert_eq!(shown, [(&one, "mine", false)]);
    // A user may want it again, and then not.
    home.blocks().pin(&two, "", 8).unwrap();
    assert!(home.blocks().unpin(&two).unwrap());
    home.blocks().pin_contributed(true).unwrap();
    assert!(home.blocks().pin_of(&two).unwrap().is_none());
    // Replicas of which nothing is here go when the node is no full replica any more.
    home.blocks().unpin(&one).unwrap();
    let three = raw(b"three");
    home.blocks().note_contributed(&[contribution(&three, 5)], read_up_to(5), true).unwrap();
    home.blocks().pin_contributed(false).unwrap();
    assert_eq!(home.blocks().pins().unwrap(), []);
}

#[test]
fn verdicts_are_looked_for_until_there_is_one() {
    let home = Home::new();
    let (one, two) = (raw(b"one"), raw(b"two"));
    let noted = [contribution(&one, 5), contribution(&two, 6)];
    home.blocks().note_contributed(&noted, read_up_to(2), false).unwrap();
    assert_eq!(home.blocks().unjudged(0, 10).unwrap().len(), 2);
    home.blocks().note_judged(&one, None).unwrap();
    home.blocks().note_judged(&two, Some(100)).unwrap();
    assert_eq!(home.blocks().unjudged(99, 10).unwrap(), []);
    assert_eq!(home.blocks().next_unjudged_due().unwrap(), Some(100));
    let due = home.blocks().unjudged(100, 10).unwrap();
    assert_eq!((due.len(), &due[0].cid, due[0].tries), (1, &two, 1));
    home.blocks().judge_anew(&one).unwrap();
    assert_eq!(home.blocks().unjudged(0, 10).unwrap()[0].cid, one);
    assert_eq!(home.blocks().pins().unwrap(), []);
}

/// Adds, readers, pins and sweeps at the same time: what was promised is there at every moment.
#[test]
fn nothing_that_is_wanted_is_ever_removed() {
    let home = Home::new();
    let blocks = home.blocks();
    // Chunks of which files are made, so that what one lets go another one has just met.
    let chunks: Vec<Vec<u8>> = (0..12).map(|n| bytes(40_000, 100 + n)).collect();
    let file_of = |round: u64, worker: u64| -> Vec<Vec<u8>> {
        let mut x = round.wrapping_mul(31).wrapping_add(worker * 7 + 1);
        let mut next = || {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (x >> 33) as usize
        };
        (0..3).map(|_| chunks[next() % chunks.len()].clone()).collect()
    };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let adders: Vec<_> = (0..3_u64)
            .map(|worker| {
                let file_of = &file_of;
                scope.spawn(move || {
                    for round in 0..60 {
                        let file = file_of(round, worker);
                        let name = [worker.to_be_bytes(), round.to_be_bytes()].concat();
                        let mut adding = blocks.add();
                        for chunk in &file {
                            adding.put(&raw(chunk), chunk).unwrap();
                        }
                        let root = root_over(&file, &name);
                        adding.put(&root.0, &root.1).unwrap();
                        let pinned = round % 2 == 0;
                        let pins = if pinned { std::slice::from_ref(&root.0) } else { &[] };
                        let reading = blocks.reading(&root.0);
                        adding.finish(pins, "", 0).unwrap();
                        let all_here = || {
                            let here = |cid: &Cid| blocks.get(cid).unwrap().is_some();
                            here(&root.0) && file.iter().all(|chunk| here(&raw(chunk)))
                        };
                        assert!(all_here(), "read, round {round}");
                        drop(reading);
                        if pinned {
                            std::thread::yield_now();
                            assert!(all_here(), "pinned, round {round}");
                            assert!(blocks.unpin(&root.0).unwrap());
                        }
                    }
                })
            })
            .collect();
        let sweeper = scope.spawn(|| {
            let mut removed = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let mut sweep = Sweep::begin(blocks).unwrap().unwrap();
                loop {
                    match sweep.step().unwrap() {
                        SweepStep::More => {}
                        SweepStep::Done(blocks, _) => break removed += blocks,
                        SweepStep::Disturbed => break,
                    }
                }
            }
            removed
        });
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeper.join().unwrap();
    });
    home.sweep();
    assert_eq!((home.rows(), home.segments(), blocks.room().used), (0, 0, 0));
}

/// A node of dag-cbor over chunks, another one for each name.
fn root_over(chunks: &[Vec<u8>], name: &[u8]) -> (Cid, Vec<u8>) {
    let mut block = vec![0x80 + chunks.len() as u8 + 1, 0x50];
    block.extend(name);
    for chunk in chunks {
        let cid = raw(chunk).to_bytes();
        block.extend([0xd8, 0x2a, 0x58, cid.len() as u8 + 1, 0]);
        block.extend(cid);
    }
    (Cid::of(Codec::DAG_CBOR, HashCode::Sha2_256, &block).unwrap(), block)
}

/// A power cut while an add goes on: of what was not synced nothing need be on the disk. As the add syncs a segment
/// and then commits, every row that is committed names bytes that are there; all else is lost here on purpose.
#[test]
fn a_power_cut_at_any_moment_of_an_add_leaves_what_was_there() {
    let mut home = Home::new();
    let kept_bytes = bytes(2 * MIB, 30);
    let kept = add(&home, &kept_bytes, true);
    let file = bytes(80 * MIB, 31);
    let whole = {
        let mut count = 0;
        let mut writer = FileWriter::new(Profile::Kubo);
        let mut put = |_: &Cid, _: &[u8]| -> Result<(), optimusdb_dag::Error> {
            count += 1;
            Ok(())
        };
        writer.write(&file, &mut put).unwrap();
        writer.finish(&mut put).unwrap();
        count
    };
    for cut in [1, 60, 127, 128, 129, 200, 256, 257, whole - 1, whole] {
        let mut adding = home.blocks().add();
        let mut left = cut;
        let mut put = |cid: &Cid, block: &[u8]| -> Result<(), Error> {
            if left == 0 {
                return Err(Error::Interrupted);
            }
            left -= 1;
            adding.put(cid, block)
        };
        let mut writer = FileWriter::new(Profile::Kubo);
        let written = writer.write(&file, &mut put).map(|()| writer.finish(&mut put));
        assert!(written.is_err() || cut >= whole - 1, "{cut}");
        std::mem::forget(adding);
        lose_what_is_not_committed(&home);
        home.reopen();
        assert_eq!(home.segments(), 2 * MIB as u64, "after {cut} blocks");
        for part in kept_bytes.chunks(256 * 1024) {
            assert_eq!(home.blocks().get(&raw(part)).unwrap().as_deref(), Some(part));
        }
        assert!(home.blocks().has(&kept).unwrap());
    }
}

/// Cuts every segment behind the last byte that a committed row names.
fn lose_what_is_not_committed(home: &Home) {
    let named = tables::segments(&home.blocks().writer().db).unwrap();
    for entry in fs::read_dir(home.directory.path().join("blocks")).unwrap() {
        let path = entry.unwrap().path();
        let number: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        match named.iter().find(|segment| segment.number == number) {
            None => fs::remove_file(&path).unwrap(),
            Some(segment) => {
                let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                assert!(
                    file.metadata().unwrap().len() >= segment.end,
                    "a row names what is not written"
                );
                file.set_len(segment.end).unwrap();
            }
        }
    }
}
