//! The bytes of an archive as its reader takes them: plain or decompressed, forwards only.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::progress::Job;
use crate::rootfs::Compression;

/// How many bytes may be read for now: the reader of the archive keeps headers in memory, however long they say they are.
pub(super) type Allowance = Rc<Cell<u64>>;

pub(super) struct Outer {
    bytes: Bytes,
    position: u64,
    allowance: Allowance,
    job: Job,
}

enum Bytes {
    Plain(BufReader<File>),
    Decompressed(Box<dyn Read>),
}

impl Outer {
    pub(super) fn new(file: File, compression: Compression, allowance: Allowance, job: &Job) -> io::Result<Self> {
        let bytes = match compression {
            Compression::Gzip => {
                Bytes::Decompressed(Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file))))
            }
            Compression::Zstd => Bytes::Decompressed(Box::new(zstd::Decoder::new(file)?)),
            Compression::None => Bytes::Plain(BufReader::new(file)),
        };
        Ok(Self { bytes, position: 0, allowance, job: job.clone() })
    }
}

impl Read for Outer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.job.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let allowed = self.allowance.get();
        if allowed == 0 && !into.is_empty() {
            return Err(io::Error::other("a header is longer than any that is needed"));
        }
        let most = into.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let read = match &mut self.bytes {
            Bytes::Plain(file) => file.read(&mut into[..most])?,
            Bytes::Decompressed(reader) => reader.read(&mut into[..most])?,
        };
        self.allowance.set(allowed - read as u64);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Outer {
    /// Forwards from where it is, which is all that the reader of an archive asks for.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(distance @ 0..) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        let allowed = self.allowance.replace(u64::MAX);
        match &mut self.bytes {
            Bytes::Plain(file) => {
                file.seek_relative(distance)?;
                self.position += distance.unsigned_abs();
            }
            Bytes::Decompressed(_) => {
                let passed = io::copy(&mut self.by_ref().take(distance.unsigned_abs()), &mut io::sink())?;
                if passed != distance.unsigned_abs() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        self.allowance.set(allowed);
        Ok(self.position)
    }
}
