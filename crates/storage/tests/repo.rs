//! The directory: one node at a time, keys that stay, and formats that are not ours left alone.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use optimusdb_storage::limits::{FORMAT_VERSION, KEY_FILE_BYTES_MAX};
use optimusdb_storage::{Error, Kind, Repo};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::files;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn key(repo: &Repo, name: &str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    repo.key_file(name, || Ok(bytes.to_vec()))
}

#[test]
fn one_owner_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/down/node");
    let repo = Repo::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(repo.path(), path);
    assert_eq!(repo.database_path(), path.join("optimusdb.sqlite"));
    assert_eq!(repo.journal_path(), path.join("logs.sqlite"));
    let before = files(&path);
    for _ in 0..2 {
        let refused = Repo::open(&path).unwrap_err();
        assert!(matches!(refused, Error::Locked(_)));
        assert_eq!(refused.kind(), Kind::Unavailable);
    }
    drop(repo);
    Repo::open(&path).unwrap();
    assert_eq!(files(&path), before, "opening again writes nothing");
}

#[test]
fn keys_are_private_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let repo = Repo::open(dir.path()).unwrap();
    let made = key(&repo, "signing.key", b"secret").unwrap();
    assert_eq!(made, b"secret");
    let file = dir.path().join("keys/signing.key");
    assert_eq!((mode(&file), mode(&dir.path().join("keys"))), (0o600, 0o700));
    // What is there is never made again.
    for _ in 0..2 {
        let again = repo.key_file("signing.key", || -> Result<_, Error> { panic!("made twice") });
        assert_eq!(again.unwrap(), b"secret");
    }
    drop(repo);
    let repo = Repo::open(dir.path()).unwrap();
    assert_eq!(key(&repo, "signing.key", b"other").unwrap(), b"secret");
    assert_eq!(key(&repo, "peer.key", b"other").unwrap(), b"other");

    // A maker that fails leaves nothing.
    let failed = repo.key_file("third.key", || Err(Error::Corrupt("no randomness".into())));
    assert!(failed.is_err());
    assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), 2);

    // What an interrupted write left aside is not taken for a key.
    fs::write(dir.path().join("keys/third.new"), b"half a k").unwrap();
    assert_eq!(key(&repo, "third.key", b"whole").unwrap(), b"whole");
    assert_eq!(fs::read(dir.path().join("keys/third.key")).unwrap(), b"whole");
    assert_eq!(mode(&dir.path().join("keys/third.key")), 0o600);
}

#[test]
fn a_key_of_any_other_length_is_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let repo = Repo::open(dir.path()).unwrap();
    let most = vec![7; KEY_FILE_BYTES_MAX as usize];
    assert_eq!(key(&repo, "a.key", &most).unwrap(), most);
    assert_eq!(key(&repo, "a.key", b"").unwrap(), most);
    fs::write(dir.path().join("keys/a.key"), [most, vec![7]].concat()).unwrap();
    assert_eq!(key(&repo, "a.key", b"").unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn a_newer_format_is_refused_and_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let repo = Repo::open(dir.path()).unwrap();
    key(&repo, "signing.key", b"secret").unwrap();
    drop(repo);
    assert_eq!(
        fs::read_to_string(dir.path().join("format")).unwrap(),
        format!("{FORMAT_VERSION}\n")
    );
    for found in [FORMAT_VERSION + 1, u32::MAX] {
        fs::write(dir.path().join("format"), format!("{found}\n")).unwrap();
        let before = files(dir.path());
        let refused = Repo::open(dir.path()).unwrap_err();
        match &refused {
            Error::NewerFormat { path, found: f, known } => {
                assert_eq!((path.as_path(), *f, *known), (dir.path(), found, FORMAT_VERSION));
            }
            other => panic!("{other}"),
        }
        assert!(refused.to_string().contains("left untouched"));
        assert_eq!(files(dir.path()), before);
    }
    // The lock was freed by the refusal.
    fs::write(dir.path().join("format"), "1").unwrap();
    Repo::open(dir.path()).unwrap();
}

#[test]
fn an_older_format_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("format"), "1\n").unwrap();
    Repo::open(dir.path()).unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join("format")).unwrap(),
        format!("{FORMAT_VERSION}\n")
    );
}

#[test]
fn garbage_in_format_is_refused_and_left_untouched() {
    let dir = tempfile::tempdir().unwrap();
    Repo::open(dir.path()).unwrap();
    for garbage in [&b""[..], b"one", b"-1", b"1.0", b"99999999999999999999", b"1 2", &[0xff, 0xfe]]
    {
        fs::write(dir.path().join("format"), garbage).unwrap();
        let before = files(dir.path());
        assert_eq!(Repo::open(dir.path()).unwrap_err().kind(), Kind::Corrupt, "{garbage:?}");
        assert_eq!(files(dir.path()), before);
    }
}

#[test]
fn what_cannot_be_a_directory_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = Repo::open(&path).unwrap_err();
        assert_eq!(refused.kind(), Kind::Internal);
        assert!(refused.to_string().contains("file"), "{refused}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

/// The administrator may write everywhere; then only the system's own directories refuse.
#[test]
fn an_unwritable_directory_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let permissions_bind = fs::write(dir.path().join("probe"), b"").is_err();
    let refusing = if permissions_bind { dir.path() } else { Path::new("/proc/self") };
    for path in [refusing.to_owned(), refusing.join("node")] {
        let refused = Repo::open(&path).unwrap_err();
        assert_eq!(refused.kind(), Kind::Internal);
        assert!(refused.to_string().contains(&*path.to_string_lossy()), "{refused}");
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

/// Puts the key aside if it is a copy, and takes note of what is there then: what a start does.
fn start(dir: &Path, bytes: &[u8]) -> (bool, Vec<u8>) {
    let repo = Repo::open(dir).unwrap();
    let copied = repo.put_copied_key_aside("peer.key").unwrap();
    let found = key(&repo, "peer.key", bytes).unwrap();
    repo.note_key("peer.key").unwrap();
    (copied, found)
}

/// Copies a directory, with its modes and times. Not by another program: a child of this process has
/// the locks of the tests beside this one, until it is that program.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let to = to.join(name);
        if from.is_dir() {
            copy_all(&from, &to);
            continue;
        }
        fs::copy(&from, &to).unwrap();
        let modified = fs::metadata(&from).and_then(|it| it.modified()).unwrap();
        let times = fs::FileTimes::new().set_modified(modified);
        fs::File::open(&to).and_then(|file| file.set_times(times)).unwrap();
    }
}

#[test]
fn a_copied_key_is_put_aside_and_a_moved_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (original, moved, copy) =
        (dir.path().join("original"), dir.path().join("moved"), dir.path().join("copy"));
    assert_eq!(start(&original, b"first"), (false, b"first".to_vec()));
    let before = files(&original);
    assert_eq!(start(&original, b"other"), (false, b"first".to_vec()));
    assert_eq!(files(&original), before, "starting again writes nothing");

    fs::rename(&original, &moved).unwrap();
    let file = moved.join("keys/peer.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(start(&moved, b"other"), (false, b"first".to_vec()));

    // With the times of the original, as a backup keeps them.
    copy_all(&moved, &copy);
    assert_eq!(start(&copy, b"second"), (true, b"second".to_vec()));
    assert_eq!(fs::read(copy.join("keys/peer.key.copied")).unwrap(), b"first");
    assert_eq!(start(&copy, b"other"), (false, b"second".to_vec()));
    assert_eq!(start(&moved, b"other"), (false, b"first".to_vec()));

    // A note that is none accuses nobody.
    fs::write(copy.join("keys/peer.key.place"), b"\xff here").unwrap();
    assert_eq!(start(&copy, b"other"), (false, b"second".to_vec()));
}
