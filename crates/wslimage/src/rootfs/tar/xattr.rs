//! Extended attributes: how records have them, and which of them the archive keeps.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::rootfs::entry::Kind;

/// As libarchive writes it, without padding, and as others may.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Newer libarchive warns about a longer name, which fails an import.
const LONGEST_NAME: usize = 128;
/// Linux has none that are longer (XATTR_SIZE_MAX).
const LONGEST_VALUE: usize = 64 * 1024;

/// An extended attribute as a record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Xattr {
    pub(super) name: Vec<u8>,
    /// `None` if it cannot be decoded.
    pub(super) value: Option<Vec<u8>>,
    /// Of a record `SCHILY.xattr`; else of `LIBARCHIVE.xattr`, which libarchive writes beside it.
    pub(super) is_schily: bool,
}

impl Xattr {
    /// Of a record `SCHILY.xattr.NAME`.
    pub(super) fn schily(name: &[u8], value: &[u8]) -> Self {
        Self { name: name.to_vec(), value: Some(value.to_vec()), is_schily: true }
    }

    /// Of a record `LIBARCHIVE.xattr.NAME`, which has the name percent-encoded and the value in base64.
    pub(super) fn libarchive(name: &[u8], value: &[u8]) -> Self {
        let name = percent_encoding::percent_decode(name).collect();
        Self { name, value: BASE64.decode(value).ok(), is_schily: false }
    }

    /// Whether an entry of `kind` keeps it: in the namespaces of users and of the administrator, and capabilities. What
    /// belongs to the system that the image was built on (SELinux, IMA, overlayfs) stays there.
    pub(super) fn is_kept(&self, kind: Kind) -> bool {
        let can_have_users = matches!(kind, Kind::File | Kind::Folder);
        let within = |namespace: &[u8]| self.name.strip_prefix(namespace).is_some_and(|name| !name.is_empty());
        let is_wanted = if within(b"user.") {
            can_have_users && !self.name.starts_with(b"user.overlay.")
        } else if within(b"trusted.") {
            // A hard link has those of its file.
            kind != Kind::HardLink && !self.name.starts_with(b"trusted.overlay.")
        } else {
            self.name == b"security.capability" && kind == Kind::File
        };
        let is_possible = self.name.len() <= LONGEST_NAME
            // The first one would end the name in the record.
            && !self.name.iter().any(|byte| matches!(byte, b'=' | 0))
            && self.value.as_ref().is_some_and(|value| value.len() <= LONGEST_VALUE);
        is_wanted && is_possible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_kept() {
        use Kind::{CharacterDevice, File, Folder, HardLink, Symlink};
        let table: &[(&str, Kind, bool)] = &[
            ("user.a", File, true),
            ("user.a", Folder, true),
            ("user.a", Symlink, false),
            ("user.a", CharacterDevice, false),
            ("user.a", HardLink, false),
            ("user.", File, false),
            ("user.overlay.opaque", Folder, false),
            ("user.a=b", File, false),
            ("trusted.a", File, true),
            ("trusted.a", Symlink, true),
            ("trusted.a", HardLink, false),
            ("trusted.overlay.opaque", Folder, false),
            ("security.capability", File, true),
            ("security.capability", Folder, false),
            ("security.selinux", File, false),
            ("security.ima", File, false),
            ("system.posix_acl_access", File, false),
            ("unknown", File, false),
        ];
        for (name, kind, kept) in table {
            assert_eq!(Xattr::schily(name.as_bytes(), b"v").is_kept(*kind), *kept, "{name} of {kind:?}");
        }
        let long = format!("user.{}", "x".repeat(124));
        assert!(Xattr::schily(&long.as_bytes()[..128], b"").is_kept(File));
        assert!(!Xattr::schily(long.as_bytes(), b"").is_kept(File));
        assert!(!Xattr::schily(b"user.a", &[0; LONGEST_VALUE + 1]).is_kept(File));
    }

    #[test]
    fn attributes_as_libarchive_writes_them() {
        let xattr = Xattr::libarchive(b"user.%C3%A4", b"dmFsdWU");
        assert_eq!((xattr.name.as_slice(), xattr.value.as_deref()), ("user.ä".as_bytes(), Some(b"value".as_slice())));
        assert_eq!(Xattr::libarchive(b"user.a", b"dmFsdQ==").value.as_deref(), Some(b"valu".as_slice()));
        assert_eq!(Xattr::libarchive(b"user.a", b"!").value, None);
    }
}
