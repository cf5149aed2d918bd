//! CRC-32 (RFC 1952 section 8) of bytes that stand behind one another, from those of the parts.

/// The CRC-32 of bytes whose first part has `first` and whose second part, of `length` bytes, has `second`.
pub(super) fn joined(first: u32, second: u32, length: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(first);
    hasher.combine(&crc32fast::Hasher::new_with_initial_len(second, length));
    hasher.finalize()
}

/// The CRC-32 of the last `length` bytes of some that have `whole`, when those before them have `first`.
pub(super) fn behind(first: u32, whole: u32, length: u64) -> u32 {
    // Joining is linear: what the first part contributes is what it gives before a second one whose CRC is 0.
    whole ^ joined(first, 0, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_parts_give_the_whole_and_the_whole_gives_the_parts(first: Vec<u8>, second: Vec<u8>) {
            let (a, b) = (crc32fast::hash(&first), crc32fast::hash(&second));
            let whole = crc32fast::hash(&[first, second.clone()].concat());
            prop_assert_eq!(joined(a, b, second.len() as u64), whole);
            prop_assert_eq!(behind(a, whole, second.len() as u64), b);
        }
    }
}
