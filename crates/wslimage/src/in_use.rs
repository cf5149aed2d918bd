//! Files that somebody else has open. On Windows whoever does, such as a virus scanner, forbids to rename or remove them
//! unless they gave leave to: it is tried again for a moment.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How long is waited between the tries, in milliseconds: a scanner that looks at a new file is done in less than all of them.
const PAUSES: [u64; 7] = [10, 20, 50, 100, 200, 400, 800];

/// Renames `from` to `to`, in the place of what was there.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    retry_for_a_moment(|| fs::rename(from, to), is_in_use)
}

/// Removes a file.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    retry_for_a_moment(|| fs::remove_file(path), is_in_use)
}

/// Makes an attempt again that failed in a way that passes, for less than two seconds.
pub(crate) fn retry_for_a_moment(
    attempt: impl FnMut() -> io::Result<()>,
    is_retried: impl Fn(&io::Error) -> bool,
) -> io::Result<()> {
    retry(attempt, is_retried, thread::sleep)
}

/// Whether Windows may have refused because somebody has the file open.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    /// What it says of a file that was opened without leave to delete it, and what a scanner's driver says.
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    const LOCK_VIOLATION: i32 = 33;
    cfg!(windows) && matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION | LOCK_VIOLATION))
}

fn retry(
    mut attempt: impl FnMut() -> io::Result<()>,
    is_retried: impl Fn(&io::Error) -> bool,
    mut pause: impl FnMut(Duration),
) -> io::Result<()> {
    for milliseconds in PAUSES {
        match attempt() {
            Err(error) if is_retried(&error) => pause(Duration::from_millis(milliseconds)),
            result => return result,
        }
    }
    attempt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lets_go_within_a_moment_is_waited_for_and_nobody_longer() {
        let in_use = || io::Error::from(io::ErrorKind::PermissionDenied);
        let is_in_use = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        for (refusals, is_renamed) in [(0, true), (3, true), (PAUSES.len(), true), (PAUSES.len() + 1, false)] {
            let (mut attempts, mut waited) = (0, Duration::ZERO);
            let attempt = || {
                attempts += 1;
                if attempts <= refusals { Err(in_use()) } else { Ok(()) }
            };
            assert_eq!(retry(attempt, is_in_use, |pause| waited += pause).is_ok(), is_renamed, "{refusals}");
            assert!(waited < Duration::from_secs(2), "{waited:?}");
        }
    }

    #[test]
    fn what_waiting_cannot_change_is_said_at_once() {
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            Err(io::Error::from(io::ErrorKind::NotFound))
        };
        assert!(retry(attempt, is_in_use, |_| panic!("it waits")).is_err());
        assert_eq!(attempts, 1);
    }

    #[test]
    #[cfg(windows)]
    fn a_file_that_somebody_reads_for_a_moment_is_renamed_when_they_are_done() {
        use std::os::windows::fs::OpenOptionsExt as _;

        let folder = tempfile::TempDir::new().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").expect("written");
        fs::write(&to, "old").expect("written");
        for held in [&from, &to] {
            // As a scanner that shares nothing but reading.
            let mut reader = Some(fs::OpenOptions::new().read(true).share_mode(1).open(held).expect("opened"));
            let rename = || fs::rename(&from, &to);
            let refused = rename().expect_err("it is open");
            assert!(is_in_use(&refused), "{refused:?}");
            retry(rename, is_in_use, |_| drop(reader.take())).expect("renamed");
            assert_eq!(fs::read_to_string(&to).expect("read"), "new");
            fs::write(&from, "new").expect("written");
        }
    }
}
