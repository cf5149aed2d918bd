//! Numbers in fields of headers and in records.

/// The number in a field of a header: octal digits, or base-256 (GNU tar and star) where the first bit is set. Nothing at
/// all is 0.
pub(super) fn field(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(begin) = field.iter().position(|byte| !is_filler(byte)) else { return Some(0) };
    let digits = field[begin..].split(is_filler).next().unwrap_or_default();
    digits.iter().try_fold(0_i64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Two's complement, the bit after the mark being that of the sign.
fn base_256(field: &[u8]) -> Option<i64> {
    // At most twelve bytes, which do not fill an i128.
    let (first, rest) = field.split_first()?;
    let sign = if first & 0x40 != 0 { -1_i128 } else { 0 };
    let number = rest.iter().try_fold((sign << 7) | i128::from(first & 0x7f), |number, byte| {
        Some(number.checked_mul(256)? | i128::from(*byte))
    })?;
    i64::try_from(number).ok()
}

/// Whether libarchive takes `field` for a number when it asks itself whether the first block begins a tar archive.
pub(super) fn is_plain(field: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'7');
    match field.first() {
        Some(0x80 | 0xff) => true,
        // Not a number to libarchive, whatever follows, so there must be none.
        Some(0) => field.iter().all(|byte| *byte == 0 || *byte == b' '),
        _ => {
            let behind_spaces = field.iter().skip_while(|byte| **byte == b' ');
            behind_spaces.skip_while(|byte| is_digit(byte)).all(|byte| matches!(byte, b' ' | 0))
        }
    }
}

/// Writes `number` as octal digits and a NUL, or base-256 where it is negative or has more digits than fit.
pub(super) fn write(number: i64, field: &mut [u8]) {
    if fits_octal(number, field.len()) {
        let width = field.len() - 1;
        let digits = format!("{number:0width$o}\0");
        field.copy_from_slice(digits.as_bytes());
        return;
    }
    let bytes = number.to_be_bytes();
    let filler = if number < 0 { 0xff } else { 0 };
    let mut from_the_end = bytes.iter().rev().copied().chain(std::iter::repeat(filler));
    for byte in field.iter_mut().rev() {
        *byte = from_the_end.next().unwrap_or(filler);
    }
    if let Some(first) = field.first_mut() {
        *first |= 0x80;
    }
}

/// Whether `number` is octal digits in a field of `length` bytes, its NUL included.
pub(super) fn fits_octal(number: i64, length: usize) -> bool {
    number >= 0 && number.checked_ilog(8).is_none_or(|digits| (digits as usize) < length - 1)
}

/// The number that decimal digits are.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// The number that decimal digits are, or its negative behind a `-`.
pub(super) fn signed_decimal(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => i64::try_from(decimal(digits)?).ok()?.checked_neg(),
        None => i64::try_from(decimal(text)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_fields() {
        let table: &[(&[u8], Option<i64>, bool)] = &[
            (b"0000644\0", Some(0o644), true),
            (b"   644 \0", Some(0o644), true),
            (b"00000644", Some(0o644), true),
            (b"\0\0\0\0\0\0\0\0", Some(0), true),
            (b"        ", Some(0), true),
            (b"\0\0\x30644 \0", Some(0o644), false),
            (b"644\0junk", Some(0o644), false),
            (b"0000648\0", None, false),
            (b"-000001\0", None, false),
            (b"\x80\0\0\0\0\x20\0\0", Some(0x20_0000), true),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2), true),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(1 << 33), true),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1), true),
            (b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None, false),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None, true),
            (b"777777777777", Some(0o777_777_777_777), true),
        ];
        for (bytes, number, plain) in table {
            assert_eq!((field(bytes), is_plain(bytes)), (*number, *plain), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 1, 7, 8, 0o7777777, 0o10000000, 0o77777777777, 0o100000000000, i64::MAX, -1, -2, i64::MIN] {
            let mut bytes = [0x55; 12];
            write(number, &mut bytes);
            assert_eq!((field(&bytes), is_plain(&bytes)), (Some(number), true), "{number}");
        }
        let mut bytes = [0; 8];
        write(0o7777777, &mut bytes);
        assert_eq!(&bytes, b"7777777\0");
        write(0o10000000, &mut bytes);
        assert_eq!(field(&bytes), Some(0o10000000));
    }

    #[test]
    fn decimal_numbers() {
        let table: &[(&[u8], Option<i64>)] = &[
            (b"0", Some(0)),
            (b"0012", Some(12)),
            (b"-1", Some(-1)),
            (b"", None),
            (b"-", None),
            (b"+1", None),
            (b"1.5", None),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"9223372036854775808", None),
            (b"99999999999999999999999", None),
        ];
        for (text, number) in table {
            assert_eq!(signed_decimal(text), *number, "{}", text.escape_ascii());
        }
    }
}
