//! Whether what was contributed is as it should be: all of it is here, every block hashes to its address, sizes are
//! what they are said to be, and what calls itself TOSCA can be read.
//!
//! Nothing is fetched for that.

use super::gather::{Found, look};
use super::walk::{Place, Walk};
use super::{Files, Located, Reach, of_block, off_task};
use crate::error::Error;
use crate::limits::{
    CHECK_STEP_BLOCKS, CHECKED_BYTES_MIN, CHECKED_REPEATS_MAX, DAG_BYTES_MAX, FILE_FIND_MS_MAX,
    TOSCA_BYTES_MAX, TOSCA_HEAD_BYTES,
};
use crate::tosca;
use optimusdb_dag::unixfs::{Content, content_of};
use optimusdb_dag::{Cid, Codec};
use optimusdb_storage::Contributed;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What came of a look at a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Not all of it is here.
    Missing,
    /// It is as it should be.
    Valid,
    /// It is not, for this reason.
    Invalid(String),
}

impl Files {
    /// Looks at a file.
    ///
    /// # Errors
    /// When the disk cannot be read; that says nothing about the file.
    pub(crate) async fn check(self: &Arc<Self>, file: &Contributed) -> Result<Finding, Error> {
        match self.check_all(file).await {
            Err(Error::Invalid(why) | Error::TooLarge(why)) => Ok(Finding::Invalid(why)),
            checked => checked,
        }
    }

    async fn check_all(self: &Arc<Self>, file: &Contributed) -> Result<Finding, Error> {
        let Some((content, bytes)) = self.check_blocks(&file.cid).await? else {
            return Ok(Finding::Missing);
        };
        let Some(Content::File(size)) = content else { return Ok(Finding::Valid) };
        if let Some(claimed) = file.size.filter(|claimed| *claimed != size) {
            return Err(Error::Invalid(format!(
                "it has {size} bytes, and its contribution says {claimed}"
            )));
        }
        let read_max = bytes.saturating_mul(CHECKED_REPEATS_MAX).max(CHECKED_BYTES_MIN);
        if size > read_max {
            return Err(Error::TooLarge(format!(
                "its {bytes} bytes are repeated until they are {size}, and {read_max} are read of such"
            )));
        }
        let head = self.check_bytes(&file.cid, size).await?;
        let says_tosca = head[..head.len().min(TOSCA_HEAD_BYTES)]
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"tosca_definitions_version"));
        if says_tosca && size > TOSCA_BYTES_MAX as u64 {
            return Err(Error::TooLarge(format!(
                "it calls itself TOSCA and has {size} bytes; {TOSCA_BYTES_MAX} are allowed"
            )));
        }
        if says_tosca {
            off_task(move || tosca::read(&head, None, false).map(drop)).await?;
        }
        Ok(Finding::Valid)
    }

    /// Reads every block but the leaves of a file, which are read in their order later. Answers what the root is,
    /// if it is a file or directory; nothing when a block is missing.
    async fn check_blocks(&self, root: &Cid) -> Result<Option<(Option<Content>, u64)>, Error> {
        let hold = Arc::new(self.blocks.add());
        let mut walk = Walk::new(root.clone(), DAG_BYTES_MAX);
        let (mut content, mut is_file) = (None, false);
        loop {
            let places: Vec<Place> =
                std::iter::from_fn(|| walk.next()).take(CHECK_STEP_BLOCKS).collect();
            if places.is_empty() {
                return Ok(Some((content, walk.bytes())));
            }
            for (place, found) in look(self.blocks(), Arc::clone(&hold), places, !is_file).await? {
                let block = match found {
                    Found::Missing => return Ok(None),
                    Found::Leaf(bytes) => {
                        walk.pass(bytes)?;
                        continue;
                    }
                    Found::Block(block) => block,
                };
                if matches!(place.cid.codec(), Codec::DAG_PB | Codec::RAW) && !is_file {
                    let is = content_of(&place.cid, &block).map_err(of_block)?;
                    if place.cid == *root {
                        is_file = matches!(is, Content::File(_));
                        content = Some(is);
                    }
                }
                walk.take(&place, &block)?;
            }
        }
    }

    /// Reads a file from one end to the other. Answers as much of it as a TOSCA file may have.
    async fn check_bytes(self: &Arc<Self>, root: &Cid, size: u64) -> Result<Vec<u8>, Error> {
        let deadline = Instant::now() + Duration::from_millis(FILE_FIND_MS_MAX);
        let found =
            Located::find(self, root.clone(), "", Reach::Here, deadline).await?.into_file()?;
        let mut stream = found.read(size, 0..u64::MAX);
        let (mut head, mut read) = (Vec::new(), 0_u64);
        while let Some(bytes) = stream.next().await? {
            read += bytes.len() as u64;
            let room = (TOSCA_BYTES_MAX + 1).saturating_sub(head.len());
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if read == size {
            Ok(head)
        } else {
            Err(Error::Invalid(format!("it ends after {read} bytes")))
        }
    }
}
