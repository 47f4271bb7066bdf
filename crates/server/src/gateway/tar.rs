//! TARs: a file or directory with all that is below it.
//!
//! In the format that all read (ustar), with GNU's entry for a long name before one that does not fit. All
//! have one time, so that the same content gives the same bytes.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use optimusdb_db::{Error, TreeItem, TreeStream};
use tar::{EntryType, Header};

use super::describe::{Description, Disposition};
use super::format::Format;
use super::found::{Failed, Found};
use super::limits::TAR_PIECE_BYTES;
use super::refusal::not_acceptable;
use crate::http::pieces::{self, Pieces};
use crate::http::range::is_known;

/// What a TAR is made of.
const BLOCK_BYTES: usize = 512;
/// The name of the entry that holds the name of the next one.
const LONG_NAME: &str = "././@LongLink";

/// A TAR, streamed.
pub(super) async fn answer(found: Found<'_>) -> Result<Response, Failed> {
    if let Err(error) = found.located.content() {
        return Err(not_acceptable(format!("It is neither file nor directory: {error}")).into());
    }
    let cid = found.located.cid.to_string();
    let mut description = Description::new(format!("W/\"{cid}.x-tar\""), Format::Tar.media_type());
    let name = found.asked.filename.clone().unwrap_or_else(|| format!("{cid}.tar"));
    description.disposition = Some((Disposition::Attachment, name));
    let mut response = if is_known(found.headers, description.tag.trim_start_matches("W/")) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if found.head_only {
        Response::new(Body::empty())
    } else {
        let root = found.path.last_name().map_or(cid, str::to_owned);
        let tree = found.located.into_tree(root);
        let tar = TarPieces { tree, padding: 0, held: Vec::new(), ended: false };
        Response::new(pieces::body(tar, found.turn).await?)
    };
    description.write(response.headers_mut());
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    Ok(response)
}

/// The bytes of a TAR.
struct TarPieces {
    tree: TreeStream,
    /// What the bytes of the file lack to a whole block.
    padding: usize,
    held: Vec<u8>,
    ended: bool,
}

impl Pieces for TarPieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while self.held.len() < TAR_PIECE_BYTES && !self.ended {
            let item = self.tree.next().await?;
            if !matches!(item, Some(TreeItem::Bytes(_))) {
                let padded = self.held.len() + std::mem::take(&mut self.padding);
                self.held.resize(padded, 0);
            }
            match item {
                Some(TreeItem::Bytes(bytes)) => self.held.extend_from_slice(&bytes),
                Some(TreeItem::Directory(path)) => {
                    put(&mut self.held, EntryType::Directory, &format!("{path}/"), b"", 0);
                }
                Some(TreeItem::Symlink(path, target)) => {
                    put(&mut self.held, EntryType::Symlink, &path, &target, 0);
                }
                Some(TreeItem::File(path, size)) => {
                    put(&mut self.held, EntryType::Regular, &path, b"", size);
                    self.padding = to_whole_block(size);
                }
                None => {
                    // Two empty blocks end it.
                    let ended = self.held.len() + 2 * BLOCK_BYTES;
                    self.held.resize(ended, 0);
                    self.ended = true;
                }
            }
        }
        let piece = std::mem::take(&mut self.held);
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}

fn to_whole_block(size: u64) -> usize {
    let over = (size % BLOCK_BYTES as u64) as usize;
    (BLOCK_BYTES - over) % BLOCK_BYTES
}

/// Writes the head of an entry.
fn put(out: &mut Vec<u8>, kind: EntryType, path: &str, target: &[u8], size: u64) {
    let mut header = Header::new_gnu();
    let names = header.as_old();
    if path.len() > names.name.len() {
        put_long(out, EntryType::GNULongName, path.as_bytes());
    }
    if target.len() > names.linkname.len() {
        put_long(out, EntryType::GNULongLink, target);
    }
    fill(&mut header.as_old_mut().name, path.as_bytes());
    fill(&mut header.as_old_mut().linkname, target);
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    finish(header, size, out);
}

/// Writes an entry that holds a name, which ends with a zero byte.
fn put_long(out: &mut Vec<u8>, kind: EntryType, name: &[u8]) {
    let mut header = Header::new_gnu();
    fill(&mut header.as_old_mut().name, LONG_NAME.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let size = name.len() + 1;
    finish(header, size as u64, out);
    out.extend_from_slice(name);
    out.resize(out.len() + 1 + to_whole_block(size as u64), 0);
}

fn finish(mut header: Header, size: u64, out: &mut Vec<u8>) {
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

/// As much of a name as fits.
fn fill(field: &mut [u8], name: &[u8]) {
    let length = name.len().min(field.len());
    field[..length].copy_from_slice(&name[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_others() {
        let long = format!("r/{}.txt", "ą".repeat(120));
        let mut out = Vec::new();
        put(&mut out, EntryType::Directory, "r/", b"", 0);
        put(&mut out, EntryType::Regular, &long, b"", 3);
        out.extend_from_slice(b"abc");
        out.resize(out.len() + to_whole_block(3), 0);
        put(&mut out, EntryType::Symlink, "r/l", &[b'x'; 200], 0);
        put(&mut out, EntryType::Regular, &"n".repeat(100), b"", 0);
        out.resize(out.len() + 2 * BLOCK_BYTES, 0);
        assert_eq!(out.len() % BLOCK_BYTES, 0);
        let mut archive = tar::Archive::new(out.as_slice());
        let read: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let link = entry.link_name_bytes().map_or(0, |name| name.len());
                (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), entry.size(), link)
            })
            .collect();
        let expected = [
            ("r/".to_owned(), 0, 0),
            (long, 3, 0),
            ("r/l".to_owned(), 0, 200),
            ("n".repeat(100), 0, 0),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn files_are_filled_up_to_whole_blocks() {
        for (size, padding) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(to_whole_block(size), padding);
        }
    }
}
