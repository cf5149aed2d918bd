//! Names as they stand in archives.

/// A name whose `..` leads out of the root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeavesRoot;

/// Puts `name` into `clean` without `.`, `..`, and superfluous `/`; the root is empty.
pub(super) fn clean(name: &[u8], clean: &mut Vec<u8>) -> Result<(), LeavesRoot> {
    clean.clear();
    for component in components(name) {
        match component {
            b".." if clean.is_empty() => return Err(LeavesRoot),
            b".." => pop(clean),
            _ => push(clean, component),
        }
    }
    Ok(())
}

/// The components of a path but empty ones and `.`.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !matches!(*component, b"" | b"."))
}

pub(super) fn push(path: &mut Vec<u8>, component: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

pub(super) fn pop(path: &mut Vec<u8>) {
    path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
}

/// The folder and the last component of a clean name.
pub(super) fn split(clean: &[u8]) -> (&[u8], &[u8]) {
    match clean.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&clean[..at], &clean[at + 1..]),
        None => (&[], clean),
    }
}

/// Whether an extractor makes `clean` of `written` without being told anything else.
pub(super) fn is_plain(written: &[u8], clean: &[u8], is_folder: bool) -> bool {
    if clean.is_empty() {
        return matches!(written, b"." | b"./");
    }
    let name = written.strip_prefix(b"./").unwrap_or(written);
    let name = if is_folder { name.strip_suffix(b"/").unwrap_or(name) } else { name };
    name == clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_told_from_clean_ones() {
        for (written, cleaned, is_plain_folder, is_plain_file) in [
            ("", "", false, false),
            (".", "", true, true),
            ("./", "", true, true),
            ("/", "", false, false),
            ("a/..", "", false, false),
            ("a", "a", true, true),
            ("a/", "a", true, false),
            ("./a", "a", true, true),
            ("./a/", "a", true, false),
            ("././a", "a", false, false),
            ("/a", "a", false, false),
            (".//a", "a", false, false),
            ("a//", "a", false, false),
            ("a//b", "a/b", false, false),
            ("a/./b", "a/b", false, false),
            ("a/../b", "b", false, false),
            ("a/b/../../c", "c", false, false),
            ("..a/b..", "..a/b..", true, true),
            (".../.b", ".../.b", true, true),
        ] {
            let mut bytes = Vec::new();
            assert_eq!(clean(written.as_bytes(), &mut bytes), Ok(()), "{written}");
            assert_eq!(bytes, cleaned.as_bytes(), "{written}");
            assert_eq!(is_plain(written.as_bytes(), &bytes, true), is_plain_folder, "{written}");
            assert_eq!(is_plain(written.as_bytes(), &bytes, false), is_plain_file, "{written}");
        }
        for written in ["..", "/..", "../a", "a/../..", "a/../../a", "./../a"] {
            assert_eq!(clean(written.as_bytes(), &mut Vec::new()), Err(LeavesRoot), "{written}");
        }
    }
}
