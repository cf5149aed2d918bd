//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of the ABI that this header describes. It grows when a function or a type changes its meaning; what is
/// only added does not change it.
pub const WSLIMAGE_ABI_VERSION: u32 = 3;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no NUL inside"),
};

/// The version of the ABI that the library has. Compare it with WSLIMAGE_ABI_VERSION before anything else is called,
/// and do not use a library with another one. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wslimage_abi_version() -> u32 {
    WSLIMAGE_ABI_VERSION
}

/// The version of the product, such as "0.1.0". Static: never freed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn wslimage_version() -> *const c_char {
    VERSION.as_ptr()
}
