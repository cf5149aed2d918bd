//! What an image is for: operating system, architecture, variant.
//!
//! Names and the meaning of variants follow containerd's `platforms` package (database.go, compare.go), which docker and
//! nerdctl use; the OCI image-spec (image-index.md, "platform") leaves the choice to the implementation. Another
//! architecture is never taken in the place of the one asked for (containerd has 386 for amd64, and arm for arm64): who
//! asks for one means it.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::{Arch, Os};
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result, printable};

/// What stands in the place of a name that is not told; BuildKit marks attestations so.
const UNKNOWN: &str = "unknown";

/// An operating system and a processor, as `linux/amd64` or `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    os: Os,
    architecture: Arch,
    variant: Option<String>,
    /// What the image needs of the operating system (`os.features`); nobody asks for any.
    features: Vec<String>,
}

impl Default for Platform {
    /// `linux/amd64`, whatever this machine is.
    fn default() -> Self {
        Self { os: Os::Linux, architecture: Arch::Amd64, variant: None, features: Vec::new() }
    }
}

impl Platform {
    /// A platform with its names in the usual form: `x86_64` is `amd64`, `aarch64` is `arm64`, and so on.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let given = variant.map(str::to_ascii_lowercase).filter(|variant| !variant.is_empty());
        let (architecture, variant) = match (architecture.to_ascii_lowercase().as_str(), given.as_deref()) {
            ("i386" | "i686" | "x86" | "386", _) => ("386".to_owned(), None),
            ("x86_64" | "x86-64" | "amd64", Some("v1") | None) => ("amd64".to_owned(), None),
            ("x86_64" | "x86-64", _) => ("amd64".to_owned(), given),
            ("aarch64" | "arm64", Some("8" | "v8") | None) => ("arm64".to_owned(), None),
            ("aarch64", _) => ("arm64".to_owned(), given),
            ("armhf", _) => ("arm".to_owned(), Some("v7".to_owned())),
            ("armel", _) => ("arm".to_owned(), Some("v6".to_owned())),
            ("arm", None) => ("arm".to_owned(), Some("v7".to_owned())),
            ("arm", Some(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                ("arm".to_owned(), Some(format!("v{digits}")))
            }
            (other, _) => (other.to_owned(), given),
        };
        Self {
            os: Os::from(os.as_str()),
            architecture: Arch::from(architecture.as_str()),
            variant,
            features: Vec::new(),
        }
    }

    /// The architecture's name in Go's list (GOARCH), such as `amd64`.
    pub fn architecture(&self) -> String {
        self.architecture.to_string()
    }

    /// Whether it is one that WSL runs.
    pub(crate) fn is_linux(&self) -> bool {
        self.os == Os::Linux
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.os == Os::Windows
    }

    /// Whether it says for which processor it is.
    pub(crate) fn is_known(&self) -> bool {
        self.architecture != Arch::from(UNKNOWN)
    }

    /// How well an image for `offered` runs where this platform was asked for: 0 is exact, more is older, `None` is not
    /// at all. A processor runs what was made for the variants before its own.
    pub fn distance(&self, offered: &Self) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        if !offered.features.iter().all(|feature| self.features.contains(feature)) {
            return None;
        }
        if self.variant == offered.variant {
            return Some(0);
        }
        let (wanted, has) = (self.level()?, offered.level()?);
        match (&self.architecture, wanted.major - has.major.min(wanted.major)) {
            (_, 0) if wanted.major < has.major => None,
            (_, 0) => wanted.minor.checked_sub(has.minor),
            // Each version 9.n has what 8.(n+5) has (Arm ARM, "Armv9 architecture extensions").
            (Arch::ARM64, 1) => wanted.minor.checked_add(5)?.checked_sub(has.minor)?.checked_add(wanted.minor + 1),
            (Arch::ARM64, _) => None,
            (_, majors) => majors.checked_mul(STEP)?.checked_add(wanted.minor),
        }
    }

    /// Where its variant stands among those of its architecture; `None` where they are no ladder.
    fn level(&self) -> Option<Level> {
        let (lowest, has_minors) = match self.architecture {
            Arch::Amd64 => (1, false),
            Arch::ARM64 => (8, true),
            Arch::ARM => (5, false),
            _ => return None,
        };
        let Some(variant) = &self.variant else { return Some(Level { major: lowest, minor: 0 }) };
        let number = variant.strip_prefix('v')?;
        let (major, minor) = match number.split_once('.') {
            Some((major, minor)) if has_minors => (major, minor),
            Some(_) => return None,
            None => (number, "0"),
        };
        // `parse` would take a sign.
        let digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
                .filter(|number| *number < STEP)
        };
        let level = Level { major: digits(major)?, minor: digits(minor)? };
        (level.major >= lowest).then_some(level)
    }
}

/// More than any version of an architecture has parts.
const STEP: u32 = 100;

/// A variant's number, as in `v8.1`.
#[derive(Clone, Copy)]
struct Level {
    major: u32,
    minor: u32,
}

impl FromStr for Platform {
    type Err = Error;

    /// Reads `OS/ARCHITECTURE[/VARIANT]`.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_name = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        match parts.as_slice() {
            [os, architecture] if parts.iter().all(is_name) => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] if parts.iter().all(is_name) => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(Error::new(
                ErrorKind::InvalidReference,
                format!(
                    "Invalid platform \"{}\": it is not OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT",
                    printable(text)
                ),
            )
            .advice("Name it as in linux/amd64 or linux/arm64/v8.")
            .target(printable(text))),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(formatter, "/{variant}")?;
        }
        match self.features.as_slice() {
            [] => Ok(()),
            features => write!(formatter, " with {}", features.join("+")),
        }
    }
}

impl<'de> Deserialize<'de> for Platform {
    /// Takes what real indexes and configs hold: members may be missing. No operating system is Linux, as docker has it.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(expecting = "an object")]
        struct Fields {
            os: Option<String>,
            architecture: Option<String>,
            variant: Option<String>,
            #[serde(rename = "os.features")]
            features: Option<Vec<String>>,
        }
        let fields = Fields::deserialize(deserializer)?;
        let name = |field: Option<String>, otherwise: &str| {
            field.filter(|name| !name.is_empty()).unwrap_or_else(|| otherwise.to_owned())
        };
        let named =
            Self::new(&name(fields.os, "linux"), &name(fields.architecture, UNKNOWN), fields.variant.as_deref());
        // `os.version` is Windows' alone, whose images are not taken anyway.
        Ok(Self { features: fields.features.unwrap_or_default(), ..named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_and_shown_in_the_usual_form() {
        for (text, shown) in [
            ("linux/amd64", "linux/amd64"),
            ("Linux/AMD64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/v9", "linux/arm64/v9"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/i686", "linux/386"),
            ("windows/amd64", "windows/amd64"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            let platform: Platform = text.parse().expect(text);
            assert_eq!(platform.to_string(), shown);
        }
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/amd 64", "linux\\amd64"] {
            let error = text.parse::<Platform>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidReference);
        }
    }

    #[test]
    fn a_processor_runs_images_for_older_variants_of_its_kind() {
        for (wanted, offered, distance) in [
            ("linux/amd64", "linux/amd64", Some(0)),
            ("linux/amd64", "linux/amd64/v1", Some(0)),
            ("linux/amd64", "linux/amd64/v2", None),
            ("linux/amd64/v3", "linux/amd64/v4", None),
            ("linux/amd64/v3", "linux/amd64/v2.1", None),
            ("linux/amd64", "windows/amd64", None),
            ("linux/amd64", "unknown/unknown", None),
            ("linux/amd64", "linux/386", None),
            ("linux/amd64", "linux/amd64/v-1", None),
            ("linux/amd64/v3", "linux/amd64/v0", None),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm64/v8.0", "linux/arm64", Some(0)),
            ("linux/arm64", "linux/arm64/v8.1", None),
            ("linux/arm64", "linux/arm64/v9", None),
            ("linux/arm64", "linux/arm/v7", None),
            ("linux/arm64/v9", "linux/arm64/v8.6", None),
            ("linux/arm64/v8.9", "linux/arm64/v9", None),
            ("linux/arm/v7", "linux/arm/v7", Some(0)),
            ("linux/arm/v7", "linux/arm", Some(0)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/arm/v7", "linux/arm/v4", None),
            ("linux/riscv64/rva22", "linux/riscv64/rva22", Some(0)),
            ("linux/riscv64", "linux/riscv64/rva22", None),
            ("linux/ppc64le/v2", "linux/ppc64le/v1", None),
        ] {
            let (wanted, offered): (Platform, Platform) =
                (wanted.parse().expect(wanted), offered.parse().expect(offered));
            assert_eq!(wanted.distance(&offered), distance, "{wanted} <- {offered}");
        }
        // The nearest first.
        for (wanted, offered) in [
            ("linux/arm/v7", &["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"][..]),
            ("linux/amd64/v3", &["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]),
            ("linux/arm64/v8.2", &["linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"]),
            ("linux/arm64/v9.1", &["linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64"]),
        ] {
            let wanted: Platform = wanted.parse().expect(wanted);
            let distance = |offered: &&str| wanted.distance(&offered.parse().expect(offered)).expect("a distance");
            assert!(offered.iter().map(distance).is_sorted_by(|a, b| a < b), "{wanted} <- {offered:?}");
        }
    }

    #[test]
    fn what_an_image_needs_of_the_operating_system_has_to_be_asked_for() {
        for (document, shown, distance) in [
            (r#"{"os":"linux","architecture":"amd64","os.version":"10.0.1"}"#, "linux/amd64", Some(0)),
            (r#"{"os":"linux","architecture":"amd64","os.features":[]}"#, "linux/amd64", Some(0)),
            (r#"{"os":"linux","architecture":"amd64","os.features":["erofs"]}"#, "linux/amd64 with erofs", None),
        ] {
            let offered: Platform = serde_json::from_str(document).expect(document);
            assert_eq!(offered.to_string(), shown);
            assert_eq!(Platform::default().distance(&offered), distance, "{document}");
        }
    }
}
