//! Programs that the tasks start: shown before they run, failures said with the command.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The variable in which `cargo run` names its folders to the system's loader.
const LOADER_PATH: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest)
}

/// A command that runs in the repository's folder.
///
/// It does not inherit what `cargo run` has added for this program. With its folders of libraries, a module without its
/// native library would find the one that cargo built; with its description of this package, a build script that asks
/// for such variables (ring's does) would run again after each call of cargo from a shell.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    if let Some(list) = env::var_os(LOADER_PATH) {
        let of_cargo = folders_of_cargo();
        let kept: Vec<PathBuf> = env::split_paths(&list)
            .filter(|folder| !of_cargo.iter().any(|parent| folder.starts_with(parent)))
            .collect();
        match env::join_paths(kept) {
            Ok(kept) if !kept.is_empty() => command.env(LOADER_PATH, kept),
            _ => command.env_remove(LOADER_PATH),
        };
    }
    command
}

/// The folder in which cargo builds, told from where this program lies in it, and Rust's own libraries.
fn folders_of_cargo() -> Vec<PathBuf> {
    let above = |file: PathBuf| file.ancestors().nth(2).map(Path::to_path_buf);
    let target = env::current_exe().ok().and_then(above);
    let rust = env::var_os("CARGO").and_then(|cargo| above(cargo.into()));
    target.into_iter().chain(rust.map(|rust| rust.join("lib"))).collect()
}

/// Runs a command with this process's output; an exit status other than zero is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    check(command, status)
}

/// Runs a command, shows its standard output line by line and returns it with the exit status.
pub(crate) fn run_and_read(command: &mut Command) -> Result<(ExitStatus, String)> {
    announce(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", line(command)))?;
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut bytes = Vec::new();
        while output.read_until(b'\n', &mut bytes)? > 0 {
            let _ = std::io::stdout().write_all(&bytes);
            text.push_str(&String::from_utf8_lossy(&bytes));
            bytes.clear();
        }
    }
    Ok((child.wait()?, text))
}

/// How the process ended by itself; `None` when it had not at the deadline and was ended.
pub(crate) fn wait_until(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Turns an exit status other than zero into an error that names the command.
pub(crate) fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Shows a command that is about to run.
pub(crate) fn announce(command: &Command) {
    println!("+ {}", line(command));
    let _ = std::io::stdout().flush();
}

/// A command as it would be typed.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        let _ = if argument.is_empty() || argument.contains(char::is_whitespace) {
            write!(line, " '{argument}'")
        } else {
            write!(line, " {argument}")
        };
    }
    line
}
