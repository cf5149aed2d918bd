//! Plain bytes of a layer, whatever it is compressed with: its content decides, not its media type.

use std::fmt;
use std::sync::Arc;

use super::Content;
use super::zstd::{ZstdDecoder, ZstdFailure};
use crate::error::{Error, ErrorKind, Result};
use crate::rootfs::gzip::{self, Indexer, PlainSink, Windows};

/// Enough to know every magic number.
const LONGEST_MAGIC: usize = 6;
const PIECE: usize = 256 * 1024;

/// What a layer is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    None,
}

impl Compression {
    /// What a media type says (OCI image-spec, layer.md; Docker's schema 2 has gzip only); `None` where it says nothing.
    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.rsplit(['.', '+']).next()? {
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "tar" => Some(Self::None),
            _ => None,
        }
    }

    /// That of bytes that begin so, as far as it is one that layers have.
    pub(crate) fn of(beginning: &[u8]) -> Self {
        // RFC 1952 section 2.3.1; RFC 8878 sections 3.1.1 and 3.1.2.
        match beginning {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn of_content(beginning: &[u8]) -> Result<Self> {
        // As file(1) knows them.
        match beginning {
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Err(unsupported("xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Err(unsupported("bzip2")),
            _ => Ok(Self::of(beginning)),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::None => "no compression",
        })
    }
}

fn unsupported(name: &str) -> Error {
    Error::new(ErrorKind::UnsupportedImage, format!("it is compressed with {name}, and layers are gzip, zstd or plain"))
}

/// A layer whose compressed bytes are pushed.
pub(super) struct Decompressor {
    windows: Option<Arc<Windows>>,
    state: State,
}

enum State {
    Beginning(Vec<u8>),
    Gzip(Box<Indexer>),
    Zstd { decoder: ZstdDecoder, buffer: Vec<u8> },
    Plain,
}

impl Decompressor {
    pub(super) fn new(windows: Option<Arc<Windows>>) -> Self {
        Self { windows, state: State::Beginning(Vec::with_capacity(LONGEST_MAGIC)) }
    }

    pub(super) fn push(&mut self, mut input: &[u8], sink: &mut dyn PlainSink) -> Result<()> {
        if let State::Beginning(beginning) = &mut self.state {
            let wanted = (LONGEST_MAGIC - beginning.len()).min(input.len());
            beginning.extend_from_slice(&input[..wanted]);
            input = &input[wanted..];
            if beginning.len() < LONGEST_MAGIC {
                return Ok(());
            }
            self.begin(sink)?;
        }
        self.decompress(input, sink)
    }

    /// What the layer is, when all of it was pushed.
    pub(super) fn finish(mut self, sink: &mut dyn PlainSink) -> Result<Content> {
        if let State::Beginning(_) = self.state {
            self.begin(sink)?;
        }
        match self.state {
            State::Gzip(indexer) => match indexer.finish(sink) {
                Ok(index) => Ok(Content::Gzip(Arc::new(index))),
                Err(failure) => Err(of_gzip(failure)),
            },
            State::Zstd { decoder, .. } => decoder.finish().map(|()| Content::Zstd).map_err(of_zstd),
            State::Plain | State::Beginning(_) => Ok(Content::Plain),
        }
    }

    fn begin(&mut self, sink: &mut dyn PlainSink) -> Result<()> {
        let State::Beginning(beginning) = &mut self.state else { return Ok(()) };
        let beginning = std::mem::take(beginning);
        self.state = match Compression::of_content(&beginning)? {
            Compression::Gzip => State::Gzip(Box::new(Indexer::new(self.windows.clone()))),
            Compression::Zstd => State::Zstd { decoder: ZstdDecoder::new().map_err(of_zstd)?, buffer: vec![0; PIECE] },
            Compression::None => State::Plain,
        };
        self.decompress(&beginning, sink)
    }

    fn decompress(&mut self, input: &[u8], sink: &mut dyn PlainSink) -> Result<()> {
        match &mut self.state {
            State::Gzip(indexer) => indexer.push(input, sink).map_err(of_gzip),
            State::Zstd { decoder, buffer } => {
                let mut rest = input;
                while !rest.is_empty() || decoder.has_more() {
                    let produced = decoder.step(&mut rest, buffer).map_err(of_zstd)?;
                    if produced > 0 {
                        let mut piece = std::mem::take(buffer);
                        piece.truncate(produced);
                        *buffer = sink.put(piece)?;
                        buffer.resize(PIECE, 0);
                    }
                }
                Ok(())
            }
            State::Plain => {
                if !input.is_empty() {
                    sink.put(input.to_vec())?;
                }
                Ok(())
            }
            State::Beginning(_) => Ok(()),
        }
    }
}

fn of_gzip(failure: gzip::Failure) -> Error {
    match failure {
        gzip::Failure::Sink(error) => error,
        gzip::Failure::Windows(error) => {
            Error::new(ErrorKind::File, format!("the windows of its blocks cannot be kept: {error}")).caused_by(error)
        }
        gzip::Failure::Damaged(damaged) => not_decompressed(damaged),
    }
}

fn of_zstd(failure: ZstdFailure) -> Error {
    not_decompressed(failure)
}

fn not_decompressed(reason: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::UnsupportedImage, reason.to_string()).caused_by(reason)
}
