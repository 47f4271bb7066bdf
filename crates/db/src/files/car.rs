//! A CAR on its way in. As with files, all of it is kept or nothing.

use super::Files;
use super::add::{Failed, put};
use super::feed::Feed;
use crate::error::Error;
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::car::CarReader;
use optimusdb_storage::Adding;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// What was in a CAR, and is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedCar {
    /// Its roots, as they were written. They are pinned.
    pub roots: Vec<Cid>,
    /// Its sections, without those of identities.
    pub blocks: u64,
    /// Bytes of the blocks in them.
    pub bytes: u64,
}

/// A CAR that is being added.
#[derive(Debug)]
pub struct CarAdd {
    feed: Feed<CarStep, AddedCar>,
    files: Arc<Files>,
}

#[derive(Debug)]
enum CarStep {
    Bytes(Bytes),
    Finish { now_ms: u64 },
}

impl CarAdd {
    /// Begins an add.
    pub(crate) fn start(files: &Arc<Files>) -> Result<CarAdd, Error> {
        let turn = Files::turn(&files.adds, "added")?;
        let (adding, theirs) = (files.blocks.add(), Arc::clone(files));
        let feed = Feed::start(move |steps| run(&theirs, adding, steps, turn))?;
        Ok(CarAdd { feed, files: Arc::clone(files) })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// What is wrong with them so far, or with the disk.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.feed.send(CarStep::Bytes(bytes)).await
    }

    /// Ends the add: everything is on the disk when this returns, and the roots are pinned.
    ///
    /// # Errors
    /// What is wrong with the CAR; nothing is left of it then.
    pub async fn finish(self, now_ms: u64) -> Result<AddedCar, Error> {
        let added = self.feed.finish(CarStep::Finish { now_ms }).await?;
        self.files.told(&added.roots);
        self.files.keeping.wake();
        Ok(added)
    }
}

/// Nothing when who sent the bytes hung up before the end.
fn run(
    files: &Files,
    mut adding: Adding,
    mut steps: mpsc::Receiver<CarStep>,
    _turn: OwnedSemaphorePermit,
) -> Result<Option<AddedCar>, Error> {
    let mut reader = CarReader::default();
    let (mut blocks, mut bytes) = (0, 0);
    while let Some(step) = steps.blocking_recv() {
        match step {
            CarStep::Bytes(piece) => {
                let mut put = put(files, &mut adding);
                let mut count = |cid: &Cid, block: &[u8]| {
                    blocks += 1;
                    bytes += block.len() as u64;
                    put(cid, block)
                };
                reader.read(&piece, &mut count).map_err(Failed::into_error)?;
            }
            CarStep::Finish { now_ms } => {
                let roots = reader.finish().map_err(super::of_block)?;
                adding.finish_in_part(&roots, "", now_ms)?;
                return Ok(Some(AddedCar { roots, blocks, bytes }));
            }
        }
    }
    Ok(None)
}
