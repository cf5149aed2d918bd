//! What a whole archive may be compressed with.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// How many bytes at the beginning of a file tell what it is.
pub(super) const BEGINNING: usize = 6;

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// That of a file that begins so, if it has one.
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The plain bytes of `file`.
    pub(super) fn reader(self, file: impl Read + 'static) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file))),
            Self::Zstd => Box::new(zstd::Decoder::new(file)?),
        })
    }
}

/// The name of a form that is not read, if a file that begins so has one.
pub(super) fn foreign(beginning: &[u8]) -> Option<&'static str> {
    match beginning {
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some("xz"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [b'P', b'K', 3 | 5, ..] => Some("zip"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some("7-Zip"),
        _ => None,
    }
}
