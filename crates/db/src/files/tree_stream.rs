//! A file or directory on its way out with all that is below it: each with its path, files with
//! their bytes.
//!
//! Names come from strangers, and whoever unpacks what is made of them trusts their paths. So a path
//! stays below the root's, no part of it is a symbolic link that was told before, and its length and
//! depth are bounded.

use super::fetch::Fetcher;
use super::held::Held;
use super::of_block;
use super::read::{FileStream, FoundFile};
use crate::error::Error;
use crate::limits::{FILE_BLOCK_MS_MAX, TREE_LINKS_MAX, TREE_WAITING_ENTRIES_MAX};
use bytes::Bytes;
use optimusdb_dag::Cid;
use optimusdb_dag::limits::{PATH_BYTES_MAX, PATH_SEGMENTS_MAX};
use optimusdb_dag::unixfs::{Content, content_of};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// What comes next in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeItem {
    /// A directory.
    Directory(String),
    /// A file of this size, whose bytes follow.
    File(String, u64),
    /// Bytes of the file.
    Bytes(Bytes),
    /// A symbolic link with its target, as it was written.
    Symlink(String, Vec<u8>),
}

/// Walks a tree, a directory before what is in it, in the order of names.
#[derive(Debug)]
pub struct TreeStream {
    root: String,
    /// What is still to be told, the next one last.
    waiting: Vec<(Cid, String)>,
    file: Option<FileStream>,
    links: HashSet<String>,
    fetcher: Fetcher,
    held: Held,
}

impl TreeStream {
    pub(super) fn new(cid: Cid, root: String, fetcher: Fetcher, held: Held) -> TreeStream {
        let waiting = vec![(cid, root.clone())];
        TreeStream { root, waiting, file: None, links: HashSet::new(), fetcher, held }
    }

    /// What comes next; nothing at the end.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that leads out of the tree, [`Error::TooLarge`] beyond its limits,
    /// and what is missing or wrong.
    pub async fn next(&mut self) -> Result<Option<TreeItem>, Error> {
        if let Some(file) = &mut self.file {
            if let Some(bytes) = file.next().await? {
                return Ok(Some(TreeItem::Bytes(bytes)));
            }
            self.file = None;
        }
        let Some((cid, path)) = self.waiting.pop() else { return Ok(None) };
        // Links that stand beside it in its directory were told meanwhile.
        self.avoids_links(&path)?;
        let deadline = Instant::now() + Duration::from_millis(FILE_BLOCK_MS_MAX);
        let (fetcher, held) = (self.fetcher.clone(), self.held.clone());
        let (block, _) = fetcher.block(cid.clone(), deadline).await?;
        let content = content_of(&cid, &block).map_err(of_block)?;
        let found = FoundFile::new(cid, content.clone(), fetcher, held);
        Ok(Some(match content {
            Content::File(size) => {
                self.file = Some(found.read(size, 0..size));
                TreeItem::File(path, size)
            }
            Content::Directory => {
                let entries = found.list(deadline).await?;
                if self.waiting.len() + entries.len() > TREE_WAITING_ENTRIES_MAX {
                    return Err(Error::TooLarge(format!(
                        "the tree has more than {TREE_WAITING_ENTRIES_MAX} entries beside one another"
                    )));
                }
                for entry in entries.into_iter().rev() {
                    let below = plain_path(&self.root, &path, &entry.name)?;
                    self.waiting.push((entry.cid, below));
                }
                TreeItem::Directory(path)
            }
            Content::Symlink(target) => {
                if self.links.len() == TREE_LINKS_MAX {
                    return Err(Error::TooLarge(format!(
                        "the tree has more than {TREE_LINKS_MAX} symbolic links"
                    )));
                }
                self.links.insert(path.clone());
                TreeItem::Symlink(path, target)
            }
        }))
    }

    /// Refuses a path that leads through a link, or has its place: who unpacks it would follow the link.
    fn avoids_links(&self, path: &str) -> Result<(), Error> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            if self.links.contains(&path[..end]) {
                return Err(Error::Invalid(format!("{path:?} leads through a symbolic link")));
            }
        }
        Ok(())
    }
}

/// The path of `name` in the directory `path`, below `root`, without `.` and `..`.
fn plain_path(root: &str, path: &str, name: &str) -> Result<String, Error> {
    let leads_out = || Error::Invalid(format!("the name {name:?} leads out of its directory"));
    let inside = path.strip_prefix(root).unwrap_or_default();
    let mut parts: Vec<&str> = inside.split('/').filter(|part| !part.is_empty()).collect();
    if name.starts_with('/') || name.contains(['\0', '\\']) {
        return Err(leads_out());
    }
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(leads_out)?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(leads_out());
    }
    let plain = format!("{root}/{}", parts.join("/"));
    if parts.len() > PATH_SEGMENTS_MAX || plain.len() > PATH_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "a path in the tree has more than {PATH_SEGMENTS_MAX} segments or {PATH_BYTES_MAX} bytes"
        )));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_its_root() {
        let plain = |path: &str, name: &str| plain_path("r", path, name).ok();
        for (path, name, expected) in [
            ("r", "a", "r/a"),
            ("r/a", "b c", "r/a/b c"),
            ("r/a/b", "../c", "r/a/c"),
            ("r/a/b", "./c//d", "r/a/b/c/d"),
            ("r", "…", "r/…"),
        ] {
            assert_eq!(plain(path, name).as_deref(), Some(expected), "{path} {name}");
        }
        for (path, name) in [
            ("r", "../a"),
            ("r", ".."),
            ("r", ""),
            ("r", "/a"),
            ("r/a", "../../a"),
            ("r", "a\\b"),
            ("r", "a\0"),
        ] {
            assert_eq!(plain(path, name), None, "{path} {name:?}");
        }
        let too_large =
            |path: &str, name: &str| matches!(plain_path("r", path, name), Err(Error::TooLarge(_)));
        assert!(too_large("r", &"a/".repeat(PATH_SEGMENTS_MAX + 1)));
        assert!(!too_large("r", &"a/".repeat(PATH_SEGMENTS_MAX)));
        assert!(too_large("r", &"a".repeat(PATH_BYTES_MAX - 1)));
        assert!(!too_large("r", &"a".repeat(PATH_BYTES_MAX - 2)));
    }
}
