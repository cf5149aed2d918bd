//! Hashing by the algorithm that a digest names (OCI image-spec, descriptor.md, "Digests").

use std::fmt::Write as _;
use std::str::FromStr;

use oci_spec::image::{Digest, DigestAlgorithm};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::error::{Error, ErrorKind, Result, printable};

/// Twice what the longest algorithm in use needs: a digest becomes part of addresses and messages.
const LONGEST: usize = 255;

/// A digest of a document, of any algorithm, but of a length that can be one.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let digest = Digest::deserialize(deserializer)?;
    if digest.as_ref().len() > LONGEST {
        return Err(de::Error::custom(format_args!("a digest of more than {LONGEST} bytes")));
    }
    Ok(digest)
}

/// Fails where `digest` is of an algorithm that is not known here.
pub(crate) fn expect_known(digest: &Digest) -> Result<()> {
    Hasher::for_digest(digest).map(drop)
}

/// A hash in the making.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    /// A hasher whose result can be compared with `digest`.
    pub(crate) fn for_digest(digest: &Digest) -> Result<Self> {
        match digest.algorithm() {
            DigestAlgorithm::Sha256 => Ok(Self::Sha256(Sha256::new())),
            DigestAlgorithm::Sha384 => Ok(Self::Sha384(Sha384::new())),
            DigestAlgorithm::Sha512 => Ok(Self::Sha512(Sha512::new())),
            other => Err(Error::new(
                ErrorKind::InvalidResponse,
                format!(
                    "the digest {} is of the algorithm {}, which cannot be verified",
                    printable(digest.as_ref()),
                    printable(other.as_ref())
                ),
            )),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The hash in hexadecimal digits, lower case.
    pub(crate) fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => hexadecimal(&hash.finalize()),
            Self::Sha384(hash) => hexadecimal(&hash.finalize()),
            Self::Sha512(hash) => hexadecimal(&hash.finalize()),
        }
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The SHA-256 digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let text = format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)));
    Digest::from_str(&text).expect("64 hexadecimal digits are a digest")
}

/// Fails unless `bytes` hash to `expected`.
pub(crate) fn verify(bytes: &[u8], expected: &Digest) -> Result<()> {
    let mut hasher = Hasher::for_digest(expected)?;
    hasher.update(bytes);
    let actual = hasher.finish();
    if actual == expected.digest() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DigestMismatch,
        format!("what was sent does not match its digest. Expected: {}, Actual: {actual}", expected.digest()),
    ))
}
