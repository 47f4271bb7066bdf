//! How far the database was when it last said that a commit is on the disk, in a file beside it.
//!
//! SQLite reads its write-ahead log up to the first frame that is not as it was written, and takes what is
//! before it for all there is. A log that was cut off, or lost a byte, so loses commits without a word. The
//! number in this file tells of it. The file is written after a commit and never synced: it may say less
//! than there was, and never more.

use crate::connection::Place;
use crate::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};

/// Digits of the number, so that it is always written over.
const DIGITS: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Acked {
    file: Option<File>,
    said: i64,
    /// The number that is missing, until it is let go.
    lost: i64,
}

impl Acked {
    /// Reads what was said of the database at `place`, which has come to `next_seq`.
    pub(crate) fn open(place: &Place, next_seq: i64) -> Result<Acked, Error> {
        let Place::File(database) = place else {
            return Ok(Acked { file: None, said: next_seq, lost: 0 });
        };
        let mut path = database.clone().into_os_string();
        path.push("-acked");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&path).map_err(|e| Error::io("cannot open", &path, e))?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file)
            .take(DIGITS as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io("cannot read", &path, e))?;
        // A file that is new, or damaged itself, accuses nobody.
        let said = str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
        let said: i64 = said.unwrap_or(next_seq);
        Ok(Acked { file: Some(file), said, lost: (said - next_seq).max(0) })
    }

    /// How many rows of entries are missing that were said to be on the disk.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.cast_unsigned()
    }

    /// What is missing is missed no more.
    pub(crate) fn let_go(&mut self, next_seq: i64) {
        if self.lost > 0 {
            self.lost = 0;
            self.said = 0;
            self.say(next_seq);
        }
    }

    /// Everything before `next_seq` is on the disk. Never in the way of the commit: what cannot be written
    /// is not said.
    pub(crate) fn say(&mut self, next_seq: i64) {
        if next_seq <= self.said {
            return;
        }
        if let Some(file) = &mut self.file {
            let text = format!("{next_seq:0DIGITS$}\n");
            let written =
                file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(text.as_bytes()));
            if written.is_err() {
                return;
            }
        }
        (self.said, self.lost) = (next_seq, 0);
    }
}
