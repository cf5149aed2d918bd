//! zlib's inflate as the index and the cursor need it: raw deflate that stops at block boundaries and starts at any bit.
//!
//! `zlib-rs` has both behind zlib's own interface only: its safe one tells no bit positions and takes no bits in advance.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::mem::MaybeUninit;

use libz_rs_sys::{
    Z_BLOCK, Z_BUF_ERROR, Z_OK, Z_STREAM_END, inflate, inflateEnd, inflateInit2_, inflateMark, inflatePrime,
    inflateReset, inflateSetDictionary, z_stream, z_streamp, zlibVersion,
};

use super::Damaged;

/// No header and no trailer, and the largest window (zlib.h, inflateInit2).
const RAW: c_int = -15;
/// In `data_type`, zlib.h: how many bits of the last byte are not used, the last block is being read, the position is
/// between blocks.
const UNUSED_BITS: c_int = 63;
const IN_LAST_BLOCK: c_int = 64;
const AT_BOUNDARY: c_int = 128;

/// Where a step has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// More input or more room is needed.
    Starved,
    /// Between two blocks. So many bits of the last byte belong to the next one.
    Boundary { unused_bits: u8 },
    /// After the last block. So many bits of the last byte belong to none.
    End { unused_bits: u8 },
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) stop: Stop,
}

/// A raw deflate stream that is being read.
pub(super) struct Inflate {
    // zlib keeps the stream's address.
    stream: Box<z_stream>,
}

// SAFETY: the stream owns its state, which is tied to no thread.
unsafe impl Send for Inflate {}

impl Inflate {
    pub(super) fn new() -> Self {
        // SAFETY: all zeros is the state that zlib.h asks for before inflateInit2.
        let mut stream: Box<z_stream> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        let size = size_of::<z_stream>() as c_int;
        // SAFETY: the stream is zeroed, and version and size are those of this library.
        let status = unsafe { inflateInit2_(&raw mut *stream, RAW, zlibVersion(), size) };
        assert_eq!(status, Z_OK, "memory for inflate");
        Self { stream }
    }

    fn pointer(&mut self) -> z_streamp {
        &raw mut *self.stream
    }

    /// Begins anew, at the block that the `bits` lowest of `byte` and then the input begin with, after the plain bytes
    /// of `window`.
    pub(super) fn restart(&mut self, byte: u8, bits: u8, window: &[u8]) {
        debug_assert!(bits < 8 && window.len() <= super::WINDOW);
        let stream = self.pointer();
        // SAFETY: the stream is initialised; zlib copies what it takes of the window during the call.
        unsafe {
            inflateReset(stream);
            if bits > 0 {
                inflatePrime(stream, bits.into(), byte.into());
            }
            if !window.is_empty() {
                inflateSetDictionary(stream, window.as_ptr(), window.len() as u32);
            }
        }
    }

    /// Reads on, to the next block boundary.
    pub(super) fn until_boundary(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Damaged> {
        let (given, room) = (input.len().min(u32::MAX as usize), output.len().min(u32::MAX as usize));
        // zlib does not write to its input.
        self.stream.next_in = input.as_ptr().cast_mut();
        self.stream.avail_in = given as u32;
        self.stream.next_out = output.as_mut_ptr();
        self.stream.avail_out = room as u32;
        // SAFETY: the stream is initialised, and both buffers are as long as is said and live through the call.
        let status = unsafe { inflate(self.pointer(), Z_BLOCK) };
        let consumed = given - self.stream.avail_in as usize;
        let produced = room - self.stream.avail_out as usize;
        let data_type = self.stream.data_type;
        let unused_bits = u8::try_from(data_type & UNUSED_BITS).map_err(|_| Damaged::Deflate)?;
        let stop = match status {
            Z_STREAM_END => Stop::End { unused_bits: 0 },
            Z_OK | Z_BUF_ERROR if data_type & AT_BOUNDARY == 0 => Stop::Starved,
            // Only the rest of the last byte is left to be read.
            Z_OK | Z_BUF_ERROR if data_type & IN_LAST_BLOCK != 0 => Stop::End { unused_bits },
            Z_OK | Z_BUF_ERROR => Stop::Boundary { unused_bits },
            _ => return Err(Damaged::Deflate),
        };
        Ok(Step { consumed, produced, stop })
    }

    /// How many bits of the input that was taken are not read yet.
    pub(super) fn unused_bits(&self) -> u64 {
        (self.stream.data_type & UNUSED_BITS) as u64
    }

    /// How many bytes were made of the code that was read last (zlib.h, inflateMark); `None` outside of a block.
    pub(super) fn made_of_code(&self) -> Option<u64> {
        // SAFETY: the stream is initialised, and only looked at.
        let mark = unsafe { inflateMark(&raw const *self.stream) };
        u64::try_from(mark).ok().map(|mark| mark & 0xffff)
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        let stream = self.pointer();
        // SAFETY: the stream was initialised, and nobody uses it any more.
        unsafe { inflateEnd(stream) };
    }
}
