//! How far an operation is.

use std::ffi::c_void;

use crate::sized::Sized;
use crate::status::wslimage_stage;

/// How far an operation is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct wslimage_progress {
    /// sizeof(wslimage_progress): set by the caller for wslimage_operation_progress, by the library for a callback.
    pub size: usize,
    /// One of the WSLIMAGE_STAGE_ constants.
    pub stage: wslimage_stage,
    /// 0 while unknown.
    pub layer_count: u32,
    /// The index of the layer that moved last.
    pub layer: u32,
    /// Of all layers together; wslimage_operation_layer_bytes tells them apart.
    pub bytes_done: u64,
    /// 0 while unknown.
    pub bytes_total: u64,
    /// How many notices there are so far, see wslimage_operation_notice.
    pub notice_count: u64,
    /// So much of the archive is written; 0 before that begins, and where the file is a blob as it came.
    pub bytes_written: u64,
    /// About so much of the archive is to be written; 0 as long as bytes_written counts nothing.
    pub bytes_to_write: u64,
}

// SAFETY: `size` is the first field, and all are integers.
unsafe impl Sized for wslimage_progress {
    const NAME: &'static str = "wslimage_progress";
}

/// Is told how far an operation is; returns nonzero to cancel it, and is then not called again.
///
/// It is called on the thread that called wslimage_operation_run, never on another: at once, at each change of stage,
/// at each new notice, else ten times a second, and after the end when something has changed since. What changes while
/// it runs is told in one call after it. progress lives for the call. It may call any function with the operation but
/// wslimage_operation_run and wslimage_operation_free, and must return: no exception and no longjmp may leave it.
pub type wslimage_progress_callback =
    Option<unsafe extern "C" fn(userdata: *mut c_void, progress: *const wslimage_progress) -> i32>;

/// What a notice is: one of the WSLIMAGE_NOTICE_KIND_ constants. The values never change their meaning.
pub type wslimage_notice_kind = u32;

/// A step, for those who ask for details.
pub const WSLIMAGE_NOTICE_KIND_VERBOSE: wslimage_notice_kind = 1;
/// Something that may surprise.
pub const WSLIMAGE_NOTICE_KIND_WARNING: wslimage_notice_kind = 2;
