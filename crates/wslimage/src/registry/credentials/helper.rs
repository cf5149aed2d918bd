//! Credential helpers: programs `docker-credential-NAME` that keep logins in a keychain or make them up.
//!
//! Source: docker/docker-credential-helpers, README ("Development") and `client/client.go`: `get`, the server on
//! standard input, `{"ServerURL", "Username", "Secret"}` or a message on standard output.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::Job;
use crate::registry::options::Credential;

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// How long a killed helper is waited for.
const END_TIMEOUT: Duration = Duration::from_millis(100);
/// What a helper says on standard output, with an exit code other than 0, when it has no login.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// What a helper was asked for.
#[derive(Debug)]
pub(super) enum Answer {
    Login(Credential),
    NoLogin,
    /// No answer; why, in words that hold no secret.
    Failed(String),
}

/// What a helper that has ended has said.
struct Output {
    status: std::process::ExitStatus,
    text: Zeroizing<Vec<u8>>,
}

/// The name of the program of the helper `name`.
pub(super) fn program_name(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// Asks the helper `name` for the login for `server`. It runs with the variables of `environment` and is ended after
/// `timeout`, or when `job` is cancelled.
///
/// # Errors
/// [`ErrorKind::Cancelled`] when `job` is.
pub(super) async fn ask(
    name: &str,
    server: &str,
    environment: &Environment,
    timeout: Duration,
    job: &Job,
) -> Result<Answer> {
    if !is_helper_name(name) {
        let reason = "the names of helpers consist of letters, digits, \".\", \"_\" and \"-\"";
        return Ok(Answer::Failed(reason.to_owned()));
    }
    let program = program_name(name);
    let failed = |reason: String| Answer::Failed(format!("{program} {reason}"));
    let Some(path) = on_path(environment, program.clone(), job).await? else {
        return Ok(failed("is not on the PATH".to_owned()));
    };
    let mut child = match command(&path, environment).spawn() {
        Ok(child) => child,
        Err(error) => return Ok(failed(format!("could not be started ({error})"))),
    };
    let exchange = job.or_cancelled(tokio::time::timeout(timeout, exchange(&mut child, server))).await;
    let answer = match exchange {
        Ok(Ok(Ok(Output { status, text }))) => {
            return Ok(read_answer(status.success(), &text).unwrap_or_else(|reason| {
                failed(if status.success() { reason } else { format!("{reason} ({status})") })
            }));
        }
        Ok(Ok(Err(reason))) => Ok(failed(reason)),
        Ok(Err(_)) => Ok(failed(format!("gave no answer within {timeout:?}"))),
        Err(cancelled) => Err(cancelled),
    };
    // It has ended already or is told to. What does not end by that is the system's to reap.
    let _ = child.start_kill();
    let _ = tokio::time::timeout(END_TIMEOUT, child.wait()).await;
    answer
}

/// Where the program `program` is on the PATH of `environment`.
pub(super) async fn on_path(environment: &Environment, program: String, job: &Job) -> Result<Option<PathBuf>> {
    let Some(folders) = environment.get("PATH").map(ToOwned::to_owned) else { return Ok(None) };
    // The folders may be on a network that does not answer.
    let search = tokio::task::spawn_blocking(move || {
        // A folder relative to the current one is anybody's.
        std::env::split_paths(&folders).filter(|folder| folder.is_absolute()).find_map(|folder| {
            file_names(&program).into_iter().map(|name| folder.join(name)).find(|path| is_executable(path))
        })
    });
    job.or_cancelled(search).await?.map_err(|error| {
        Error::new(ErrorKind::Internal, "The search for a credential helper on the PATH failed").caused_by(error)
    })
}

fn is_helper_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The files that are the program `program`: on Windows by the extensions of PATHEXT in which helpers come.
fn file_names(program: &str) -> Vec<String> {
    const EXTENSIONS: [&str; 3] = [".exe", ".cmd", ".bat"];
    if !cfg!(windows) {
        return vec![program.to_owned()];
    }
    let lower = program.to_ascii_lowercase();
    if EXTENSIONS.iter().any(|extension| lower.ends_with(extension)) {
        return vec![program.to_owned()];
    }
    EXTENSIONS.iter().map(|extension| format!("{program}{extension}")).collect()
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

fn command(program: &Path, environment: &Environment) -> Command {
    let mut command = Command::new(program);
    command.arg("get").env_clear().envs(environment.variables()).kill_on_drop(true);
    // The standard error may hold anything, also secrets (`set -x`), and the terminal is the caller's.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(windows)]
    {
        /// Process Creation Flags of Win32: no console window flashes up.
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    command
}

/// Gives the helper its question and takes its answer.
async fn exchange(child: &mut Child, server: &str) -> Result<Output, String> {
    let mut question = child.stdin.take().expect("standard input is a pipe");
    let answer = child.stdout.take().expect("standard output is a pipe");
    let ask = async move {
        // A helper may know the answer without reading the question; then the pipe is closed.
        let _ = question.write_all(server.as_bytes()).await;
        drop(question);
        Ok(())
    };
    let listen = async {
        let mut text = Zeroizing::new(Vec::new());
        let length = answer.take(LONGEST_ANSWER + 1).read_to_end(&mut text).await;
        match length.map_err(|error| format!("could not be read from ({error})"))? as u64 {
            ..=LONGEST_ANSWER => Ok(text),
            _ => Err(format!("gave an answer of more than {LONGEST_ANSWER} bytes")),
        }
    };
    let ((), text) = tokio::try_join!(ask, listen)?;
    let status = child.wait().await.map_err(|error| format!("could not be waited for ({error})"))?;
    Ok(Output { status, text })
}

/// What `text`, the standard output of a helper, says. The error has no secret in it.
fn read_answer(is_success: bool, text: &[u8]) -> Result<Answer, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Login {
        username: Option<String>,
        secret: Option<SecretString>,
    }
    if !is_success {
        return match String::from_utf8_lossy(text).trim() {
            NOT_FOUND => Ok(Answer::NoLogin),
            "" => Err("failed without a message".to_owned()),
            // Not a message but the beginning of an answer.
            message if message.starts_with('{') => Err("failed after an answer".to_owned()),
            message => Err(format!("failed with the message \"{}\"", printable(message))),
        };
    }
    let login = Login::deserialize(&mut serde_json::Deserializer::from_slice(text)).map_err(|error| {
        format!("gave an answer that is no login (line {}, column {})", error.line(), error.column())
    })?;
    Ok(match login.username {
        Some(username) if !username.is_empty() => {
            Answer::Login(Credential { username, password: login.secret.unwrap_or_default() })
        }
        _ => Answer::NoLogin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn programs_are_looked_for_by_the_names_that_the_system_runs() {
        for (program, windows) in [
            (
                "docker-credential-x",
                &["docker-credential-x.exe", "docker-credential-x.cmd", "docker-credential-x.bat"][..],
            ),
            ("docker-credential-desktop.exe", &["docker-credential-desktop.exe"]),
            ("docker-credential-X.CMD", &["docker-credential-X.CMD"]),
        ] {
            assert_eq!(file_names(program), if cfg!(windows) { windows } else { std::slice::from_ref(&program) });
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            is_success in any::<bool>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = read_answer(is_success, &bytes);
        }

        #[test]
        fn what_a_helper_writes_is_read_back(username in ".{1,20}", secret in ".{0,20}") {
            let answer = serde_json::json!({ "ServerURL": "x", "Username": username, "Secret": secret }).to_string();
            let Ok(Answer::Login(login)) = read_answer(true, answer.as_bytes()) else {
                panic!("a login");
            };
            prop_assert_eq!(login.username, username);
            prop_assert_eq!(login.password.expose_secret(), &secret);
        }
    }
}
