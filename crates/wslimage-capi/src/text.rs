//! Strings on their way in and out.

use std::ffi::{CStr, CString, c_char};

use crate::error::Failure;

/// A string of the caller; NULL is `None`.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string that lives for `'a`.
pub(crate) unsafe fn optional<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller of this function promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    match text.to_str() {
        Ok(text) => Ok(Some(text)),
        // The text itself is not shown: it may be a password.
        Err(_) => Err(Failure::argument(format!("{name} is not UTF-8"))),
    }
}

/// A string of the caller that must be there.
///
/// # Safety
/// As for [`optional`].
pub(crate) unsafe fn required<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    // SAFETY: the caller of this function promises what `optional` asks for.
    unsafe { optional(pointer, name) }?.ok_or_else(|| Failure::null(name))
}

/// A list of strings of the caller that ends with NULL; NULL itself is `None`.
///
/// # Safety
/// `pointer` is NULL or an array whose elements are NUL-terminated strings that live for `'a`, with NULL after the last.
pub(crate) unsafe fn list<'a>(pointer: *const *const c_char, name: &str) -> Result<Option<Vec<&'a str>>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    let mut list = Vec::new();
    loop {
        // SAFETY: not NULL, and the caller of this function promises elements up to one that is NULL, which ends the
        // loop.
        let element = unsafe { optional(pointer.add(list.len()).read(), &format!("{name}[{}]", list.len())) }?;
        match element {
            Some(text) => list.push(text),
            None => return Ok(Some(list)),
        }
    }
}

/// A string for the caller. A NUL inside, which a server may have sent, would end it there: it becomes U+FFFD.
pub(crate) fn output(text: impl Into<String>) -> CString {
    let text: String = text.into();
    CString::new(text).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(&error.into_vec()).replace('\0', "\u{fffd}");
        CString::new(text).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_inside_does_not_end_a_string() {
        assert_eq!(output("a\0b\0").to_str(), Ok("a\u{fffd}b\u{fffd}"));
        assert_eq!(output("ä").to_str(), Ok("ä"));
        assert_eq!(output("").to_str(), Ok(""));
    }
}
