//! The journal: what the node says of itself.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_storage::limits::JOURNAL_MESSAGE_BYTES_MAX;
use optimusdb_storage::{Journal, JournalRecord, Place, journal_records};
use support::{everywhere, raw, rows};

const HOUR_MS: i64 = 3_600_000;

fn record(timestamp_ms: i64, message: &str) -> JournalRecord {
    JournalRecord {
        timestamp_ms,
        level: "INFO".into(),
        message: message.into(),
        source: "tests".into(),
    }
}

fn messages(place: &Place, from_ms: i64, to_ms: i64) -> Vec<String> {
    journal_records(place, from_ms, to_ms).unwrap().into_iter().map(|r| r.message).collect()
}

#[test]
fn an_hour_newest_first() {
    everywhere(|place| {
        let mut logs = Journal::open(place).unwrap();
        logs.append(&[]).unwrap();
        assert_eq!(messages(place, i64::MIN, i64::MAX), Vec::<String>::new());
        logs.append(&[
            record(HOUR_MS - 1, "before"),
            record(HOUR_MS, "first"),
            record(HOUR_MS + 5, "same a"),
            record(HOUR_MS + 5, "same b"),
            record(HOUR_MS + 3, "out of order"),
        ])
        .unwrap();
        logs.append(&[record(2 * HOUR_MS - 1, "last"), record(2 * HOUR_MS, "after")]).unwrap();
        assert_eq!(
            messages(place, HOUR_MS, 2 * HOUR_MS),
            ["last", "same b", "same a", "out of order", "first"]
        );
        let read = journal_records(place, HOUR_MS, HOUR_MS + 1).unwrap();
        assert_eq!(read, [record(HOUR_MS, "first")]);
        let shown = rows(&raw(place), "SELECT * FROM optimusLogger WHERE message = 'after'");
        let text = |t: &str| format!("Text({t:?})");
        assert_eq!(
            shown,
            [format!(
                "[{}, {}, Integer(2), {}, {}, {}]",
                text("1970-01-01T02:00:00.000Z"),
                text("1970-01-01"),
                text("INFO"),
                text("after"),
                text("tests")
            )]
        );
    });
}

#[test]
fn old_records_go_and_the_rest_stays() {
    everywhere(|place| {
        let mut logs = Journal::open(place).unwrap();
        let records: Vec<JournalRecord> = (0..100).map(|n| record(n, &n.to_string())).collect();
        logs.append(&records).unwrap();
        assert_eq!(logs.retain(0).unwrap(), 0);
        assert_eq!(logs.retain(60).unwrap(), 60);
        assert_eq!(messages(place, 0, 100).len(), 40);
        assert_eq!(messages(place, 0, 61), ["60"]);
        let _memory = raw(place);
        drop(logs);
        let mut logs = Journal::open(place).unwrap();
        assert_eq!(messages(place, 0, 100).len(), 40, "they survive a reopen");
        assert_eq!(logs.retain(i64::MAX).unwrap(), 40);
        logs.append(&[record(1, "new")]).unwrap();
        assert_eq!(messages(place, 0, 100), ["new"]);
    });
}

/// Beyond the limit of count the oldest go, whatever their age.
#[test]
fn the_number_of_records_is_bounded() {
    let place = Place::memory();
    let mut logs = Journal::open(&place).unwrap();
    logs.append(&[record(1, "oldest"), record(2, "kept")]).unwrap();
    // As if there had been a million since.
    raw(&place)
        .execute("INSERT INTO records VALUES (1000001, 3, 'INFO', 'newest', 'tests')", [])
        .unwrap();
    assert_eq!(logs.retain(0).unwrap(), 1);
    assert_eq!(messages(&place, 0, 100), ["newest", "kept"]);
}

#[test]
fn a_long_message_is_cut_at_a_character_and_says_so() {
    everywhere(|place| {
        let mut logs = Journal::open(place).unwrap();
        let fits = "x".repeat(JOURNAL_MESSAGE_BYTES_MAX);
        // Every character has three bytes, and the limit is no multiple of three.
        let long = "€".repeat(JOURNAL_MESSAGE_BYTES_MAX);
        logs.append(&[record(0, &fits), record(1, &long)]).unwrap();
        let read = messages(place, 0, 2);
        assert_eq!(read[1], fits);
        let kept = JOURNAL_MESSAGE_BYTES_MAX / 3;
        assert_eq!(
            read[0],
            format!("{}… ({} bytes)", "€".repeat(kept), 3 * JOURNAL_MESSAGE_BYTES_MAX)
        );
    });
}

#[test]
fn without_a_log_database_there_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(journal_records(&Place::File(dir.path().join("logs.sqlite")), 0, 1).is_err());
}
