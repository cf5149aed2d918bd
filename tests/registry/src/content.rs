//! Bytes to serve, from memory or from a file, and their digest.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ring::digest::{Context as Hash, SHA256};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{Error, Result};

/// How much of a file is read at once: large enough that a download is bound by TLS and not by reading.
const PIECE: usize = 256 * 1024;

/// What is served. A file is read when it is asked for, so that an image may be larger than memory.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    File { path: Arc<Path>, length: u64 },
}

impl Content {
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        // Opening also tells what only reading would tell: a folder, no permission.
        let metadata = File::open(path).and_then(|file| file.metadata()).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("not a regular file")));
        }
        Ok(Self::File { path: path.into(), length: metadata.len() })
    }

    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// `sha256:` and hexadecimal digits. Blocks while a file is read.
    pub(crate) fn digest(&self) -> Result<String> {
        self.open().and_then(hash).map_err(|source| self.failed(source))
    }

    /// The digest of what gzip has compressed in it; `None` when it is no gzip file, or a damaged one. Blocks.
    pub(crate) fn plain_digest(&self) -> Result<Option<String>> {
        let mut reader = BufReader::new(self.open().map_err(|source| self.failed(source))?);
        let is_gzip = reader.fill_buf().map_err(|source| self.failed(source))?.starts_with(&[0x1f, 0x8b]);
        Ok(is_gzip.then(|| hash(MultiGzDecoder::new(reader)).ok()).flatten())
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(&bytes[..])),
            Self::File { path, .. } => Ok(Box::new(File::open(path)?)),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        let path = match self {
            Self::Memory(_) => Path::new("a blob in memory"),
            Self::File { path, .. } => path,
        };
        Error::File { path: path.to_owned(), source }
    }

    /// At most `range` of it, in memory.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(within(bytes, &range))),
            Self::File { path, .. } => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                read_piece(&mut file, (range.end - range.start) as usize)
            }
        }
    }

    pub(crate) fn reader(&self, range: Range<u64>) -> Reader {
        match self {
            Self::Memory(bytes) => Reader { piece: bytes.slice(within(bytes, &range)), rest: Rest::Nothing },
            Self::File { path, .. } => {
                let path = path.clone();
                let opened = spawn_blocking(move || {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(range.start))?;
                    Ok((read_piece(&mut file, PIECE)?, file))
                });
                Reader { piece: Bytes::new(), rest: Rest::File(opened) }
            }
        }
    }
}

fn within(bytes: &Bytes, range: &Range<u64>) -> Range<usize> {
    let end = range.end.min(bytes.len() as u64);
    range.start.min(end) as usize..end as usize
}

fn hash(mut content: impl Read) -> io::Result<String> {
    let mut hash = Hash::new(&SHA256);
    let mut buffer = vec![0; PIECE];
    loop {
        match content.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let digits: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{digits}"))
}

fn read_piece(file: &mut File, length: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

/// Content piece by piece; the next piece of a file is read while the one before is sent.
pub(crate) struct Reader {
    piece: Bytes,
    rest: Rest,
}

enum Rest {
    Nothing,
    File(JoinHandle<io::Result<(Bytes, File)>>),
}

impl Reader {
    pub(crate) fn empty() -> Self {
        Self { piece: Bytes::new(), rest: Rest::Nothing }
    }

    /// The next bytes, at most `limit`, which is not 0; none at the end.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>, limit: u64) -> Poll<io::Result<Option<Bytes>>> {
        if self.piece.is_empty() {
            let Rest::File(reading) = &mut self.rest else { return Poll::Ready(Ok(None)) };
            let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other).flatten();
            self.rest = Rest::Nothing;
            let (piece, mut file) = read?;
            if piece.is_empty() {
                return Poll::Ready(Ok(None));
            }
            self.piece = piece;
            self.rest = Rest::File(spawn_blocking(move || Ok((read_piece(&mut file, PIECE)?, file))));
        }
        let count = limit.min(self.piece.len() as u64) as usize;
        Poll::Ready(Ok(Some(self.piece.split_to(count))))
    }
}
