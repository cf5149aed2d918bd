//! What the first bytes of a file tell of it.

/// How many bytes at the beginning of a file tell what it is.
pub(super) const BEGINNING: usize = 6;

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
