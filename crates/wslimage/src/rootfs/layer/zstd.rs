//! Zstandard layers (RFC 8878): any number of frames.

use std::io;
use std::ops::Range;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use crate::rootfs::blob::OpenBlob;

/// Frames with a larger window are refused, as by zstd(1) without `--long` or `--memory`: 128 MiB, in powers of two.
const WINDOW_LOG: u32 = 27;
const INPUT: usize = 128 * 1024;
const OUTPUT: usize = 128 * 1024;

/// Why bytes are not zstd frames.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZstdFailure {
    #[error("its compressed bytes are damaged or need more than 128 MiB at once: {0}")]
    Damaged(#[from] io::Error),
    #[error("it ends too early")]
    Truncated,
}

/// Decompresses frame after frame.
pub(super) struct ZstdDecoder {
    decoder: Decoder<'static>,
    /// Whether the last frame is whole.
    is_between_frames: bool,
    /// Whether it has more for a buffer that was too small.
    has_more: bool,
}

impl ZstdDecoder {
    pub(super) fn new() -> Result<Self, ZstdFailure> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self { decoder, is_between_frames: true, has_more: false })
    }

    /// Takes of `input`, fills `output` and says how far.
    pub(super) fn step(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<usize, ZstdFailure> {
        let (mut source, mut target) = (InBuffer::around(input), OutBuffer::around(output));
        let hint = self.decoder.run(&mut source, &mut target)?;
        let (taken, filled) = (source.pos(), target.pos());
        if taken > 0 || filled > 0 {
            self.is_between_frames = hint == 0;
        }
        *input = &input[taken..];
        self.has_more = filled == output.len() && hint != 0;
        Ok(filled)
    }

    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    pub(super) fn finish(&self) -> Result<(), ZstdFailure> {
        if self.is_between_frames { Ok(()) } else { Err(ZstdFailure::Truncated) }
    }
}

/// Reads ranges of the plain bytes, best in their order: what lies before the last one means to begin anew.
pub(crate) struct ZstdCursor {
    blob: OpenBlob,
    decoder: ZstdDecoder,
    position: u64,
    input: Vec<u8>,
    taken: usize,
    output: Vec<u8>,
    /// The plain bytes in the output, and where they begin.
    filled: usize,
    plain: u64,
}

impl ZstdCursor {
    pub(crate) fn new(blob: OpenBlob) -> io::Result<Self> {
        Ok(Self {
            blob,
            decoder: ZstdDecoder::new().map_err(io::Error::other)?,
            position: 0,
            input: Vec::new(),
            taken: 0,
            output: vec![0; OUTPUT],
            filled: 0,
            plain: 0,
        })
    }

    /// Appends the plain bytes of `range` to `plain`.
    pub(crate) fn read(&mut self, range: Range<u64>, plain: &mut Vec<u8>) -> io::Result<()> {
        if range.start < self.plain {
            self.decoder = ZstdDecoder::new().map_err(io::Error::other)?;
            (self.position, self.taken, self.filled, self.plain) = (0, 0, 0, 0);
            self.input.clear();
        }
        loop {
            let end = self.plain + self.filled as u64;
            let wanted = |offset: u64| (offset.clamp(self.plain, end) - self.plain) as usize;
            plain.extend_from_slice(&self.output[wanted(range.start)..wanted(range.end)]);
            if end >= range.end {
                return Ok(());
            }
            self.plain = end;
            self.filled = self.next()?;
        }
    }

    fn next(&mut self) -> io::Result<usize> {
        loop {
            if self.taken == self.input.len() && !self.decoder.has_more() {
                self.input.resize(INPUT, 0);
                let count = self.blob.read_at(&mut self.input, self.position)?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.input.truncate(count);
                self.position += count as u64;
                self.taken = 0;
            }
            let mut rest = &self.input[self.taken..];
            let filled = self.decoder.step(&mut rest, &mut self.output).map_err(io::Error::other)?;
            self.taken = self.input.len() - rest.len();
            if filled > 0 {
                return Ok(filled);
            }
        }
    }
}
