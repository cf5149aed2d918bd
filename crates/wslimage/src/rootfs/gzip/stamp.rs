//! The header of an archive, which says of which image it was made: a later run knows its own work again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use oci_spec::image::Digest;

use super::index::Member;
use super::{Failure, Indexer};
use crate::digest::Hasher;
use crate::error::Result;
use crate::progress::Job;

/// With a comment, no name and no time, so that the same image gives the same bytes; from an unknown system (RFC 1952
/// section 2.3.1).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 16, 0, 0, 0, 0, 0, 255];
/// Counts whenever the same image begins to give other bytes.
const VERSION: u32 = 1;
const PIECE: usize = 1024 * 1024;

/// The header of an archive that is made of the image whose manifest has `digest`.
pub(crate) fn header(digest: &Digest) -> Vec<u8> {
    let comment = format!("WslImage {VERSION} {digest}\0");
    [&HEADER, comment.as_bytes()].concat()
}

/// CRC-32 and length (RFC 1952 section 2.3.1).
const TRAILER: u64 = 8;

/// Where the member ends in the file.
fn ends(member: &Member) -> u64 {
    member.end_bit.div_ceil(8) + TRAILER
}

/// An archive that is there, and whole.
pub(crate) struct Stamped {
    /// Its SHA-256.
    pub(crate) hash: String,
    pub(crate) size: u64,
}

/// The archive at `path`, if it was made of the image whose manifest has `digest` and its checksum is right.
pub(crate) fn stamped(path: &Path, digest: &Digest, job: &Job) -> Result<Option<Stamped>> {
    let header = header(digest);
    let mut beginning = vec![0; header.len()];
    let mut open = || -> io::Result<Option<File>> {
        let mut file = File::open(path)?;
        file.read_exact(&mut beginning)?;
        Ok((beginning == header).then_some(file))
    };
    // What cannot be read is replaced.
    let Ok(Some(mut file)) = open() else { return Ok(None) };
    job.verbose(format!("Checking {}, which says that it was made of {digest}...", path.display()));
    let mut hasher = Hasher::sha256();
    let mut indexer = Indexer::new(None);
    let mut size = 0;
    let mut piece = header;
    loop {
        job.expect_not_cancelled()?;
        hasher.update(&piece);
        size += piece.len() as u64;
        match indexer.push(&piece, &mut Ok) {
            Ok(()) => {}
            Err(Failure::Sink(error)) => return Err(error),
            Err(_) => return Ok(None),
        }
        piece.resize(PIECE, 0);
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => piece.truncate(count),
            Err(_) => return Ok(None),
        }
    }
    // Whatever follows the end, as zeros do in a file that was filled up, was not written here.
    let is_whole = indexer.finish(&mut Ok).is_ok_and(|index| matches!(&index.members[..], [one] if ends(one) == size));
    Ok(is_whole.then(|| Stamped { hash: hasher.finish(), size }))
}
