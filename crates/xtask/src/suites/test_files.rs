//! The files of Pester tests, each in a PowerShell of its own, as many at a time as there are processors.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::{Session, Unavailable, native};
use crate::counts::Counts;
use crate::machine::{self, Program};
use crate::process;
use crate::registry::Registry;

const FOLDER: &str = "tests/powershell";
const END: &str = ".Tests.ps1";

/// One that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(400);

/// The names of all, without what they end in; the largest first, because it takes longest.
pub(super) fn all() -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(process::root().join(FOLDER)).context(FOLDER)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(|name| name.strip_suffix(END)) {
            files.push((entry.metadata()?.len(), name.to_owned()));
        }
    }
    files.sort_by(|one, other| other.cmp(one));
    Ok(files.into_iter().map(|(_, name)| name).collect())
}

/// Runs them with that PowerShell on the module in a folder.
pub(super) fn run_in(session: &mut Session, engine: &str, module: &Path, names: &[String]) -> Result<Counts> {
    let modules = process::root().join(".tools/modules");
    provide_pester(&modules)?;
    let path = if modules.is_dir() {
        let mut path = modules.into_os_string();
        if let Some(rest) = std::env::var_os("PSModulePath") {
            path.push(if cfg!(windows) { ";" } else { ":" });
            path.push(rest);
        }
        Some(path)
    } else {
        None
    };
    let has_helper = cfg!(windows) && Program::CCompiler.is_available();
    let helper = if has_helper { Some(native::credential_helper(machine::C_COMPILER)?) } else { None };
    run(session, names, &|registry| {
        let mut command = process::command(engine);
        command.args(["-NoLogo", "-NoProfile", "-NonInteractive"]);
        if cfg!(windows) {
            command.args(["-ExecutionPolicy", "Bypass"]);
        }
        registry
            .describe_to(&mut command)
            .env("WSLIMAGE_MODULE", module)
            .envs(path.iter().map(|path| ("PSModulePath", path)))
            .envs(helper.iter().map(|helper| (native::CREDENTIAL_HELPER, helper)));
        command
    })
}

/// Runs them with the PowerShell that `shell` describes, up to the script; it is told the registry that it has for itself.
pub(super) fn run(
    session: &mut Session,
    names: &[String],
    shell: &(dyn Fn(&Registry) -> Command + Sync),
) -> Result<Counts> {
    let program = session.artifacts()?.program("wslimage-test-registry")?;
    let waiting = Mutex::new(names.iter().collect::<VecDeque<_>>());
    let lane = || -> Result<Counts> {
        let registry = Registry::start(&program)?;
        let mut counts = Counts::default();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(name) = next else { return Ok(counts) };
            let mut command = shell(&registry);
            command.args(["-File", "tests/powershell/run.ps1", "-Name", name]);
            counts += run_one(name, &mut command).unwrap_or_else(|error| {
                let failure = format!("{name}{END} {error:#}");
                println!("{failure}");
                Counts::failure(failure)
            });
        }
    };
    let lanes = thread::available_parallelism().map_or(1, usize::from).min(names.len());
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_fold(Counts::default(), |mut sum, lane| {
            sum += lane.join().map_err(|_| anyhow!("a thread that runs test files panicked"))??;
            Ok(sum)
        })
    })
}

/// Runs one file and shows what it printed when it is over.
fn run_one(name: &str, command: &mut Command) -> Result<Counts> {
    process::announce(command);
    let start = Instant::now();
    // A file and no pipe: what a PowerShell that hangs has started may hold a pipe open.
    let output = tempfile::NamedTempFile::new()?;
    let mut child = command.stdout(output.reopen()?).spawn().with_context(|| process::line(command))?;
    let status = process::wait_until(&mut child, start + LIMIT)?;
    let text = String::from_utf8_lossy(&fs::read(output.path())?).into_owned();
    let seconds = start.elapsed().as_secs_f64();
    println!("{text}{name}{END} took {seconds:.1} s");
    let Some(status) = status else {
        bail!("did not end and was ended after {} s", LIMIT.as_secs());
    };
    let mut counts =
        Counts::from_last_line(&text).with_context(|| format!("ended with {status} and without its counts"))?;
    if counts.failed > 0 && counts.failures.is_empty() {
        counts.failures.push(format!("{name}{END}: {} not named, see what it printed", counts.failed));
    }
    Ok(counts.with_status(status))
}

/// Saves Pester under `folder` where PowerShell has none of version 5 or later.
fn provide_pester(folder: &Path) -> Result<()> {
    let version = machine::pinned("PESTER")?;
    process::run(
        process::command("pwsh")
            .args(["-NoProfile", "-NonInteractive", "-File", "crates/xtask/src/suites/pester.ps1"])
            .args(["-Version", version, "-Folder"])
            .arg(folder),
    )
    .map_err(|_| Unavailable(format!("needs Pester {version}, which could not be installed")).into())
}
