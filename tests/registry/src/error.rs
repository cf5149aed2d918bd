//! What can be wrong with what a test asks for.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The registry's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the registry did not do what a test asked for. Over HTTP it is a status and `{"error": "…"}`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry could not be started.
    #[error("the test registry does not start: {0}")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file that is to be served cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file as the test named it.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A description that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The requests that a test waited for have not come.
    #[error("{arrived} of {count} requests to {path} within {timeout:?}")]
    Timeout {
        /// Where the requests should have gone.
        path: String,
        /// How many should have come.
        count: usize,
        /// How many came.
        arrived: usize,
        /// How long the registry waited.
        timeout: Duration,
    },
}

impl Error {
    pub(crate) fn start(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Start(source.into())
    }
}
