//! What Windows takes as the name of a file, which would otherwise be a device, a stream of another file or another name.

/// So many UTF-16 units a name may have.
const LONGEST: usize = 255;

/// Why Windows has no file or folder of that `name`; `None` where it can have one.
pub(super) fn why_impossible(name: &str) -> Option<String> {
    if let Some(bad) = name.chars().find(|character| is_forbidden(*character)) {
        return Some(match bad {
            bad if bad.is_control() => {
                format!("Windows allows no control character (U+{:04X}) in a name", u32::from(bad))
            }
            bad => format!("Windows allows no {bad} in a name, as in \"{name}\""),
        });
    }
    if let Some(end) = name.chars().next_back().filter(|end| matches!(end, '.' | ' ')) {
        let end = if end == '.' { "dot" } else { "space" };
        return Some(format!("Windows drops the {end} at the end of \"{name}\""));
    }
    if name.encode_utf16().count() > LONGEST {
        return Some(format!("Windows allows no name of more than {LONGEST} characters"));
    }
    // Also with an extension: con.tar.gz is the console.
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    is_reserved(stem).then(|| format!("\"{stem}\" is the name of a device of Windows, whatever stands behind a dot"))
}

/// Why Windows has no room for `suffix` behind `name`; `None` where it has.
pub(super) fn why_too_long(name: &str, suffix: &str) -> Option<String> {
    let most = LONGEST - suffix.len();
    (name.encode_utf16().count() > most).then(|| {
        format!("Its name is too long: Windows allows {LONGEST} characters, and {suffix} needs room behind it")
    })
}

fn is_forbidden(character: char) -> bool {
    character < ' ' || matches!(character, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

/// The names of "Naming Files, Paths, and Namespaces", in any case.
fn is_reserved(stem: &str) -> bool {
    let upper = stem.to_ascii_uppercase();
    if matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = upper.strip_prefix("COM").or_else(|| upper.strip_prefix("LPT"));
    port.is_some_and(|port| matches!(port, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_has_no_file_of_are_refused_with_what_is_wrong() {
        for (name, reason) in [
            ("nul", "device"),
            ("NUL", "device"),
            ("con.tar.gz", "device"),
            ("aux .txt", "device"),
            ("COM1", "device"),
            ("lpt9.gz", "device"),
            ("com¹", "device"),
            ("CONIN$", "device"),
            ("a<b", "no < in"),
            ("file.tar.gz:stream", "no : in"),
            ("what?", "no ? in"),
            ("*.gz", "no * in"),
            ("a|b", "no | in"),
            ("a\"b", "no \" in"),
            ("tab\there", "U+0009"),
            ("rootfs.", "dot at the end"),
            ("rootfs ", "space at the end"),
        ] {
            let why = why_impossible(name).unwrap_or_else(|| panic!("{name:?} is taken"));
            assert!(why.contains(reason), "{name:?}: {why}");
        }
    }

    #[test]
    fn names_are_not_too_long() {
        // Each animal is two units of UTF-16.
        for (letter, most) in [("n", 255), ("\u{e4}", 255), ("\u{1f427}", 127)] {
            assert_eq!(why_impossible(&letter.repeat(most)), None);
            let why = why_impossible(&letter.repeat(most + 1)).expect("it is too long");
            assert!(why.contains("more than 255 characters"), "{why}");
        }
        assert_eq!(why_too_long(&"n".repeat(247), ".partial"), None);
        assert!(why_too_long(&"n".repeat(248), ".partial").is_some());
    }

    #[test]
    fn other_names_are_taken() {
        for name in
            ["rootfs.tar.gz", "null", "con-fig", "com10", "COM", "lpt0", ".hidden", " a", "äöü€", "日本.tar.gz", "~"]
        {
            assert_eq!(why_impossible(name), None, "{name:?}");
        }
    }
}
