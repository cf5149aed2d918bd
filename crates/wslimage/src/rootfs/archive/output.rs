//! The archive as its format has it.

use std::io::{self, Write};
use std::num::NonZeroU64;

use lzma_rust2::{XzOptions, XzWriterMt};
use oci_spec::image::Digest;

use super::work::Bytes;
use super::{Format, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::rootfs::blob::OpenBlob;
use crate::rootfs::gzip::{self, CopyError, Cut, Splice};
use crate::rootfs::layer::Content;

/// xz's own default.
const XZ_PRESET: u32 = 6;
/// What one processor compresses at a time, in plain bytes: twice the window of the preset.
const XZ_BLOCK: NonZeroU64 = NonZeroU64::new(16 * 1024 * 1024).expect("not zero");

/// Takes the next bytes, and gives a buffer back.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<Vec<u8>>;

/// What the archive's bytes go through.
pub(super) enum Output<'a> {
    Gzip(Box<Splice<Sink<'a>>>),
    Plain { sink: Sink<'a>, length: u64 },
    Xz { writer: Box<XzWriterMt<SinkWriter<'a>>>, length: u64 },
}

impl<'a> Output<'a> {
    /// An archive of the image whose manifest has `digest`.
    pub(super) fn new(format: Format, digest: &Digest, workers: usize, sink: Sink<'a>) -> Result<Self> {
        match format {
            Format::TarGz => Ok(Self::Gzip(Box::new(Splice::new(&gzip::header(digest), sink)))),
            Format::Tar => Ok(Self::Plain { sink, length: 0 }),
            Format::TarXz => {
                let mut options = XzOptions::with_preset(XZ_PRESET);
                options.set_block_size(Some(XZ_BLOCK));
                let workers = u32::try_from(workers).unwrap_or(u32::MAX);
                let writer = XzWriterMt::new(SinkWriter { sink }, options, workers);
                Ok(Self::Xz { writer: Box::new(writer.map_err(not_compressed)?), length: 0 })
            }
            Format::Original => Err(Error::new(ErrorKind::Internal, "An original is not written anew")),
        }
    }

    /// Blocks of a layer as they are.
    pub(super) fn copy(&mut self, source: &Source, blob: &OpenBlob, cut: &Cut) -> Result<(), CopyError> {
        match (self, &source.content) {
            (Self::Gzip(splice), Content::Gzip(index)) => splice.copy(index, blob, cut),
            _ => Err(CopyError::Write(Error::new(ErrorKind::Internal, "There are blocks for gzip only"))),
        }
    }

    pub(super) fn put(&mut self, bytes: Bytes) -> Result<()> {
        match (self, bytes) {
            (Self::Gzip(splice), Bytes::Compressed(compressed)) => splice.append(&compressed),
            (Self::Plain { sink, length }, Bytes::Plain(plain)) => {
                *length += plain.len() as u64;
                sink(plain).map(drop)
            }
            (Self::Xz { writer, length }, Bytes::Plain(plain)) => {
                *length += plain.len() as u64;
                writer.write_all(&plain).map_err(not_compressed)
            }
            _ => Err(Error::new(ErrorKind::Internal, "Plain and compressed bytes do not go together")),
        }
    }

    /// Ends the archive and says how many plain bytes it has.
    pub(super) fn finish(self) -> Result<u64> {
        match self {
            Self::Gzip(splice) => splice.finish(),
            Self::Plain { length, .. } => Ok(length),
            Self::Xz { writer, length } => {
                writer.finish().map_err(not_compressed)?;
                Ok(length)
            }
        }
    }
}

/// A failure of the sink is passed on as it is.
fn not_compressed(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(failure) => failure,
        Err(error) => Error::new(ErrorKind::Internal, format!("xz has failed: {error}")).caused_by(error),
    }
}

/// A sink to which a library writes.
pub(super) struct SinkWriter<'a> {
    sink: Sink<'a>,
}

impl Write for SinkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.sink)(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
