//! Structs whose first field is their size, so that they can grow.
//!
//! As with Linux's openat2 and clone3: a caller compiled against an older header gives a smaller struct, whose missing
//! fields are zero; one compiled against a newer header may give a larger one as long as it does not use what is
//! beyond.

use std::mem::MaybeUninit;
use std::ptr;

use crate::error::Failure;

/// Larger than any version of a struct will be.
const LARGEST: usize = 4096;

/// A `repr(C)` struct of the ABI.
///
/// # Safety
/// The first field is a `usize`, the size of the struct as its maker knows it, and no field is made invalid by zeros.
pub(crate) unsafe trait Sized {
    /// The name in C.
    const NAME: &'static str;
}

/// The size that the struct at `pointer` says it has, when a version of it can have that size.
///
/// # Safety
/// `pointer` is NULL or points to as many readable bytes as the `usize` at its beginning says.
pub(crate) unsafe fn size_of_given<T: Sized>(pointer: *const T, name: &str) -> Result<usize, Failure> {
    if pointer.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: not NULL, and the struct begins with its size.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    if size < size_of::<usize>() || size > LARGEST || !size.is_multiple_of(align_of::<T>()) {
        return Err(Failure::argument(format!(
            "{name}->size is {size}, which no version of {} has; this library's has {}",
            T::NAME,
            size_of::<T>()
        )));
    }
    Ok(size)
}

/// A copy of the struct at `pointer`. Its bytes are initialised, but not checked.
///
/// # Safety
/// As for [`size_of_given`].
pub(crate) unsafe fn read<T: Sized>(pointer: *const T, name: &str) -> Result<MaybeUninit<T>, Failure> {
    // SAFETY: the caller of this function promises what `size_of_given` asks for.
    let size = unsafe { size_of_given(pointer, name) }?;
    let known = size.min(size_of::<T>());
    // SAFETY: `size` bytes are readable.
    let beyond = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>().add(known), size - known) };
    if beyond.iter().any(|&byte| byte != 0) {
        return Err(Failure::argument(format!(
            "{name} uses fields that this version of the library does not know: {} has {} bytes here, {size} given",
            T::NAME,
            size_of::<T>()
        )));
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are readable there and writable here, and the copy is new.
    unsafe { ptr::copy_nonoverlapping(pointer.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known) };
    Ok(copy)
}

/// Gives the struct at `pointer` the fields of `value` for which there is room; what is beyond becomes zero. The
/// caller's `size` stays.
///
/// # Safety
/// As for [`size_of_given`], and the bytes are writable.
pub(crate) unsafe fn write<T: Sized>(pointer: *mut T, value: &T, name: &str) -> Result<(), Failure> {
    // SAFETY: the caller of this function promises what `size_of_given` asks for.
    let size = unsafe { size_of_given(pointer, name) }?;
    let known = size.min(size_of::<T>());
    let first = size_of::<usize>();
    let (from, to) = (ptr::from_ref(value).cast::<u8>(), pointer.cast::<u8>());
    // SAFETY: `known`, at least `first`, bytes are readable at `from`, `size` writable at `to`, and `value` is ours.
    unsafe {
        ptr::copy_nonoverlapping(from.add(first), to.add(first), known - first);
        ptr::write_bytes(to.add(known), 0, size - known);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    struct Known {
        size: usize,
        first: u64,
        second: u64,
    }

    // SAFETY: `size` is the first field, and all are integers.
    unsafe impl Sized for Known {
        const NAME: &'static str = "known";
    }

    fn read_words(words: &[u64]) -> Result<(u64, u64), Failure> {
        // SAFETY: each test gives as many words as it says bytes, or a size that is refused before they are read.
        let known = unsafe { read(words.as_ptr().cast::<Known>(), "given") }?;
        // SAFETY: any bytes are integers.
        let known = unsafe { known.assume_init() };
        Ok((known.first, known.second))
    }

    #[test]
    fn older_and_newer_structs_are_read_as_far_as_both_sides_know_them() {
        assert_eq!(read_words(&[24, 1, 2]).ok(), Some((1, 2)));
        assert_eq!(read_words(&[16, 1, 2]).ok(), Some((1, 0)), "an older caller knows no second field");
        assert_eq!(read_words(&[8, 1, 2]).ok(), Some((0, 0)));
        assert_eq!(read_words(&[40, 1, 2, 0, 0]).ok(), Some((1, 2)), "a newer caller that asks for nothing new");
        assert!(read_words(&[40, 1, 2, 0, 1]).is_err(), "a newer caller that asks for something unknown");
        for size in [0, 7, 12, 4104, u64::MAX] {
            assert!(read_words(&[size, 1, 2]).is_err(), "{size}");
        }
    }

    #[test]
    fn a_struct_is_written_as_far_as_the_caller_knows_it() {
        let value = Known { size: 24, first: 7, second: 8 };
        for (size, expected) in [(8, [8, 9, 9, 9]), (16, [16, 7, 9, 9]), (24, [24, 7, 8, 9]), (32, [32, 7, 8, 0])] {
            let mut words: [u64; 4] = [size, 9, 9, 9];
            // SAFETY: no size is larger than the array.
            unsafe { write(words.as_mut_ptr().cast::<Known>(), &value, "given") }.expect("a good size");
            assert_eq!(words, expected);
        }
    }
}
