//! Which image of an index: operating system, architecture, variant.
//!
//! Names and the meaning of variants follow containerd's `platforms` package (database.go, compare.go), which docker and
//! nerdctl use; the OCI image-spec (image-index.md, "platform") leaves the choice to the implementation.

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
}

impl Default for Platform {
    /// `linux/amd64`, whatever this machine is.
    fn default() -> Self {
        Self { os: Os::Linux, architecture: Arch::Amd64, variant: None }
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
        Self { os: Os::from(os.as_str()), architecture: Arch::from(architecture.as_str()), variant }
    }

    /// The architecture's name in Go's list (GOARCH), such as `amd64`.
    pub fn architecture(&self) -> String {
        self.architecture.to_string()
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
        let (wanted, has) = (self.variant_level()?, offered.variant_level()?);
        wanted.checked_sub(has)
    }

    fn variant_level(&self) -> Option<u32> {
        let lowest = match self.architecture {
            Arch::Amd64 => 1,
            Arch::ARM64 => 8,
            _ => 0,
        };
        match &self.variant {
            None => Some(lowest),
            Some(variant) => {
                let number = variant.strip_prefix('v')?;
                // arm64 v8.1 and later come after v8 and before v9.
                let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
                // `parse` would take a sign.
                let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
                let level = digits(major)?.checked_mul(100)?.checked_add(digits(minor)?)?;
                Some(if level == lowest * 100 { lowest } else { level })
            }
        }
    }
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
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
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
        }
        let fields = Fields::deserialize(deserializer)?;
        let name = |field: Option<String>, otherwise: &str| {
            field.filter(|name| !name.is_empty()).unwrap_or_else(|| otherwise.to_owned())
        };
        Ok(Self::new(&name(fields.os, "linux"), &name(fields.architecture, UNKNOWN), fields.variant.as_deref()))
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
            ("linux/amd64", "linux/amd64/v2", None),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm64", "linux/arm64/v9", None),
            ("linux/arm/v7", "linux/arm/v7", Some(0)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/amd64", "windows/amd64", None),
            ("linux/amd64", "unknown/unknown", None),
            ("linux/amd64", "linux/386", None),
            ("linux/amd64", "linux/amd64/v-1", None),
        ] {
            let (wanted, offered): (Platform, Platform) =
                (wanted.parse().expect(wanted), offered.parse().expect(offered));
            assert_eq!(wanted.distance(&offered), distance, "{wanted} <- {offered}");
        }
        let arm = |variant| Platform::new("linux", "arm", Some(variant));
        assert!(arm("v7").distance(&arm("v6")) < arm("v7").distance(&arm("v5")));
        assert!(arm("v7").distance(&arm("v6")).is_some());
        let amd64 = |variant| Platform::new("linux", "amd64", Some(variant));
        assert!(amd64("v3").distance(&amd64("v2")) < amd64("v3").distance(&amd64("v1")));
    }
}
