//! What is made of an image, from C to Rust.

use library::{Format, PullOptions};

use crate::error::Failure;
use crate::sized::{self, Sized};

/// What an archive is written as: one of the WSLIMAGE_FORMAT_ constants. The values never change their meaning.
pub type wslimage_format = u32;

/// A tar archive, compressed with gzip: what WSL recommends. The only layer of an image becomes the file byte for byte
/// where wsl --import takes it as it is.
pub const WSLIMAGE_FORMAT_TAR_GZ: wslimage_format = 0;
/// A tar archive as it is.
pub const WSLIMAGE_FORMAT_TAR: wslimage_format = 1;
/// A tar archive, compressed with xz. WSL 2 of Windows 10 may not read it.
pub const WSLIMAGE_FORMAT_TAR_XZ: wslimage_format = 2;
/// The blob of the only layer, whatever it is; an image of several layers is refused.
pub const WSLIMAGE_FORMAT_ORIGINAL: wslimage_format = 3;

const _: () = {
    assert!(WSLIMAGE_FORMAT_TAR_GZ == Format::TarGz as u32);
    assert!(WSLIMAGE_FORMAT_TAR == Format::Tar as u32);
    assert!(WSLIMAGE_FORMAT_TAR_XZ == Format::TarXz as u32);
    assert!(WSLIMAGE_FORMAT_ORIGINAL == Format::Original as u32);
};

/// What is made of an image. All zero but the size is the default.
#[repr(C)]
pub struct wslimage_pull_options {
    /// sizeof(wslimage_pull_options).
    pub size: usize,
    /// One of the WSLIMAGE_FORMAT_ constants; 0: tar, compressed with gzip.
    pub format: wslimage_format,
    /// How many bytes all layers may have together when they are decompressed; 0: the default, 256 GiB.
    pub maximum_plain_size: u64,
}

// SAFETY: `size` is the first field, and all are integers.
unsafe impl Sized for wslimage_pull_options {
    const NAME: &'static str = "wslimage_pull_options";
}

/// Reads the caller's options; NULL is the defaults.
///
/// # Safety
/// `options` is NULL or a struct as its documentation says.
pub(super) unsafe fn read(options: *const wslimage_pull_options) -> Result<PullOptions, Failure> {
    let default = PullOptions::default();
    if options.is_null() {
        return Ok(default);
    }
    // SAFETY: not NULL, and the caller of this function promises the rest; any bytes are integers.
    let given = unsafe { sized::read(options, "options")?.assume_init() };
    let format = match given.format {
        WSLIMAGE_FORMAT_TAR_GZ => Format::TarGz,
        WSLIMAGE_FORMAT_TAR => Format::Tar,
        WSLIMAGE_FORMAT_TAR_XZ => Format::TarXz,
        WSLIMAGE_FORMAT_ORIGINAL => Format::Original,
        unknown => return Err(Failure::argument(format!("options->format is {unknown}, which is no format"))),
    };
    let maximum_plain_size = match given.maximum_plain_size {
        0 => default.maximum_plain_size,
        size => size,
    };
    Ok(PullOptions { format, maximum_plain_size })
}
