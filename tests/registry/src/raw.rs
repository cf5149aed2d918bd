//! Bytes that are written as they are, where an answer should be.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::error::{Error, Result};

/// How much is written at once.
const SLICE: usize = 64 * 1024;
/// How often a slow answer is written to in a second.
const WRITES_PER_SECOND: u64 = 20;

/// A whole answer as bytes, with its status line, its headers and whatever is wrong with them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Raw {
    /// The bytes in standard base64.
    Whole(String),
    /// One part after the other.
    Parts(Vec<RawPart>),
}

impl Raw {
    /// An answer of these bytes.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::Whole(STANDARD.encode(bytes))
    }
}

/// A part of a raw answer; exactly one of `text` and `base64` is set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RawPart {
    /// The bytes as text, in UTF-8.
    pub text: Option<String>,
    /// The bytes in standard base64.
    pub base64: Option<String>,
    /// How often they come, which takes no memory. Default: once.
    pub repeat: u64,
}

impl Default for RawPart {
    fn default() -> Self {
        Self { text: None, base64: None, repeat: 1 }
    }
}

impl RawPart {
    /// This text so many times.
    pub fn text(text: &str, repeat: u64) -> Self {
        Self { text: Some(text.to_owned()), repeat, ..Self::default() }
    }
}

/// A raw answer that was found to make sense.
#[derive(Debug)]
pub(crate) struct ReadyRaw {
    /// Bytes and how often they come.
    parts: Vec<(Bytes, u64)>,
    bytes_per_second: Option<u64>,
}

impl ReadyRaw {
    pub(crate) fn new(raw: &Raw, bytes_per_second: Option<u64>) -> Result<Self> {
        let decode = |base64: &str| match STANDARD.decode(base64) {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            Err(error) => Err(Error::Invalid(format!("raw: base64: {error}"))),
        };
        let parts = match raw {
            Raw::Whole(base64) => vec![(decode(base64)?, 1)],
            Raw::Parts(parts) => parts
                .iter()
                .map(|part| match (&part.text, &part.base64) {
                    (Some(text), None) => Ok((Bytes::from(text.clone()), part.repeat)),
                    (None, Some(base64)) => Ok((decode(base64)?, part.repeat)),
                    _ => Err(Error::Invalid("a raw part has one of text and base64".to_owned())),
                })
                .collect::<Result<_>>()?,
        };
        Ok(Self { parts: parts.into_iter().filter(|(bytes, _)| !bytes.is_empty()).collect(), bytes_per_second })
    }

    /// Writes all of it, as long as the client takes something within `patience`.
    pub(crate) async fn write(&self, to: &mut (impl AsyncWrite + Unpin), patience: Duration) -> std::io::Result<()> {
        for (bytes, repeat) in &self.parts {
            // Many short ones are written as few long ones.
            let together = (SLICE / bytes.len()).clamp(1, usize::try_from(*repeat).unwrap_or(usize::MAX).max(1));
            let block = bytes.repeat(together);
            let (blocks, rest) = (repeat / together as u64, (repeat % together as u64) as usize);
            for _ in 0..blocks {
                self.write_slices(&block, to, patience).await?;
            }
            self.write_slices(&block[..rest * bytes.len()], to, patience).await?;
        }
        Ok(())
    }

    async fn write_slices(
        &self,
        bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        patience: Duration,
    ) -> std::io::Result<()> {
        let slice = self.bytes_per_second.map_or(SLICE, |speed| (speed / WRITES_PER_SECOND).max(1) as usize);
        for slice in bytes.chunks(slice) {
            let written = async {
                to.write_all(slice).await?;
                to.flush().await
            };
            tokio::time::timeout(patience, written).await??;
            if let Some(speed) = self.bytes_per_second {
                tokio::time::sleep(Duration::from_secs_f64(slice.len() as f64 / speed as f64)).await;
            }
        }
        Ok(())
    }
}
