//! Names that say what is not there (OCI image-spec, layer.md, "Whiteouts").

const PREFIX: &[u8] = b".wh.";
const META_PREFIX: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What the last component of a name says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// That the lower layers' file or folder of this name is gone.
    Whiteout(&'a [u8]),
    /// That all of the lower layers in its folder is gone.
    Opaque,
    /// Something that only aufs understands.
    Aufs,
    /// That something is gone which cannot be.
    Nameless,
}

impl<'a> Marker<'a> {
    /// `None` for the name of a file.
    pub(super) fn of(component: &'a [u8]) -> Option<Self> {
        let name = component.strip_prefix(PREFIX)?;
        Some(match name {
            _ if component == OPAQUE => Self::Opaque,
            _ if component.starts_with(META_PREFIX) => Self::Aufs,
            b"" | b"." | b".." => Self::Nameless,
            _ => Self::Whiteout(name),
        })
    }
}

/// Whether one of the folders of the path has a whiteout's name, so that it cannot be a folder.
pub(super) fn is_in_path(folders: &[u8]) -> bool {
    folders.split(|byte| *byte == b'/').any(|component| component.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_told_from_names() {
        for (component, marker) in [
            ("a", None),
            ("", None),
            (".wh", None),
            ("a.wh.b", None),
            (".wh.a", Some(Marker::Whiteout(b"a"))),
            (".wh..a", Some(Marker::Whiteout(b".a"))),
            (".wh....", Some(Marker::Whiteout(b"..."))),
            (".wh..wh", Some(Marker::Whiteout(b".wh"))),
            (".wh.", Some(Marker::Nameless)),
            (".wh..", Some(Marker::Nameless)),
            (".wh...", Some(Marker::Nameless)),
            (".wh..wh..opq", Some(Marker::Opaque)),
            (".wh..wh.", Some(Marker::Aufs)),
            (".wh..wh.plnk", Some(Marker::Aufs)),
            (".wh..wh..opq2", Some(Marker::Aufs)),
        ] {
            assert_eq!(Marker::of(component.as_bytes()), marker, "{component}");
        }
        for (path, expected) in [("", false), ("a/b", false), ("a.wh.b", false), (".wh.a", true), ("a/.wh.b/c", true)] {
            assert_eq!(is_in_path(path.as_bytes()), expected, "{path}");
        }
    }
}
