//! Programs that serve while a test runs.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of them needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(10);

/// Where the program `name` is. Debian keeps servers out of the PATH of users, and squid's helpers in its own folder.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/usr/lib/squid"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Whether one of `names` is not installed, so that a test cannot run. With `CI=true` it fails here instead.
pub(crate) fn is_missing(names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return false;
    }
    let message = format!("not run: needs {}", missing.join(" and "));
    assert!(env::var_os("CI").is_none_or(|value| value != "true"), "{message}");
    let thread = std::thread::current();
    let line = format!("{}: {message}\n", thread.name().unwrap_or_default());
    // The test runner keeps back what tests that pass print by macro; xtask counts these lines.
    let _ = std::io::stdout().write_all(line.as_bytes());
    true
}

/// A running program. Dropped, it ends; it also ends when this process is killed.
pub(crate) struct Program(Child);

impl Program {
    /// Starts `name` for the user who runs the tests, or for `user`, and waits until the file `log` says `sign`. What it
    /// prints goes into the files `NAME.out` and `NAME.err` of `folder`.
    ///
    /// # Errors
    /// What it told, where it has ended before.
    pub(crate) async fn start<A: AsRef<OsStr>>(
        name: &str,
        user: Option<&str>,
        arguments: &[A],
        folder: &Path,
        (log, sign): (&Path, &str),
    ) -> Result<Self, String> {
        let [out, err] = ["out", "err"].map(|kind| folder.join(format!("{name}.{kind}")));
        let create = |path: &Path| File::create(path).expect("a file for what a server prints");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if let Some(user) = user {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(find(name).expect("it is installed")).args(arguments);
        // Variables of this machine can reconfigure servers (REGISTRY_*, NGINX).
        command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        command.current_dir(folder).stdin(Stdio::null()).stdout(create(&out)).stderr(create(&err));
        let mut program = Self(command.spawn().expect("setpriv, which every Debian has"));

        let deadline = Instant::now() + DEADLINE;
        while !read(log).contains(sign) {
            let ended = program.0.try_wait().expect("a child");
            if ended.is_some() || Instant::now() > deadline {
                return Err(format!("{name} does not serve ({ended:?}): {}{}{}", read(&out), read(&err), read(log)));
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(program)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server on `N` ports that are free. Between their choice and their use somebody else may take one.
pub(crate) async fn on_free_ports<T, const N: usize>(start: impl AsyncFn([u16; N]) -> Result<T, String>) -> T {
    const TRIES: usize = 3;
    let mut reasons = Vec::new();
    for _ in 0..TRIES {
        let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
        let ports = listeners.each_ref().map(|listener| listener.local_addr().expect("an address").port());
        drop(listeners);
        match start(ports).await {
            Ok(server) => return server,
            Err(reason) => reasons.push(reason),
        }
    }
    panic!("{}", reasons.join("\n"))
}

/// The lines of `log`, once they are `expected`: servers write them after their answers.
pub(crate) async fn lines_once(log: &Path, expected: impl Fn(&[String]) -> bool) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let lines: Vec<String> = read(log).lines().map(str::to_owned).collect();
        if expected(&lines) {
            return lines;
        }
        assert!(Instant::now() < deadline, "{}: {lines:#?}", log.display());
        tokio::time::sleep(INTERVAL).await;
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
