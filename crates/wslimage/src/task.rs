//! Work that blocks, on threads that may.

use tokio::task::JoinError;

use crate::error::{Error, ErrorKind, Result};

/// Does `work` on a thread that may block. A panic in it goes on in the caller.
pub(crate) async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)?
}

/// What a task has returned; a panic in it goes on here.
pub(crate) fn joined<T>(ended: Result<T, JoinError>) -> Result<T> {
    ended.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Error::new(ErrorKind::Internal, "A task of the job has ended").caused_by(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_goes_on_in_whoever_waits() {
        let waiting = tokio::spawn(in_thread::<()>(|| panic!("a defect")));
        let panic = waiting.await.expect_err("a panic").into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"a defect"));
    }
}
