//! What users of Windows get, on Linux under wine: the C program and the module in the real engine, both with the DLL of
//! the package.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Session, Suite, native, test_files};
use crate::counts::Counts;
use crate::machine::{self, Program};
use crate::module;
use crate::process;
use crate::server::Server;
use crate::wine::{self, Wine};

pub(super) const WINDOWS: Suite = Suite {
    name: "windows",
    what: "the C program and the module with the DLL for Windows, under wine",
    here: cfg!(target_os = "linux"),
    needs: &[Program::MinGw, Program::Wine, Program::DotnetSdk, Program::PowerShell, Program::WindowsPowerShell],
    run: |session| {
        let wine = Wine::start()?;
        let mut counts = c(session, &wine)?;
        counts += pester(session, &wine)?;
        Ok(counts)
    },
};

fn c(session: &mut Session, wine: &Wine) -> Result<Counts> {
    let library = session.library("win-x64")?.path;
    let folder = folder().join("capi");
    fs::create_dir_all(&folder)?;
    // Windows looks beside the program.
    fs::copy(&library, folder.join("wslimage.dll"))?;
    let program = folder.join("wslimage-capi-test.exe");
    let mut compile = native::compiler(machine::MINGW)?;
    process::run(compile.arg("-o").arg(&program).arg(&library).arg("-lws2_32"))?;
    let mut command = wine.command("wine");
    native::run(session.registry()?.describe_to(command.arg(program)).env(CA, wine::path(session.registry()?.ca())))
}

fn pester(session: &mut Session, wine: &Wine) -> Result<Counts> {
    let library = session.library("win-x64")?;
    let module = folder().join("WslImage");
    module::build_in(&module, &[library])?;
    run_pester(session, wine, &module, &test_files::all()?)
}

/// Runs the test files of these names on the module in a folder.
pub(super) fn run_on(session: &mut Session, module: &Path, names: &[String]) -> Result<Counts> {
    run_pester(session, &Wine::start()?, module, names)
}

fn run_pester(session: &mut Session, wine: &Wine, module: &Path, names: &[String]) -> Result<Counts> {
    let real = if names.iter().any(|name| name == RealRegistry::TESTS) { RealRegistry::start()? } else { None };
    let helper = native::credential_helper(machine::MINGW)?;
    test_files::run(session, names, &|registry| {
        let mut command = wine.command("pwsh-windows");
        command.args(["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass"]);
        registry.describe_to(&mut command).env(CA, wine::path(registry.ca()));
        command.env("WSLIMAGE_MODULE", wine::path(module));
        command.env(native::CREDENTIAL_HELPER, wine::path(&helper));
        if let Some(real) = &real {
            command.env("WSLIMAGE_TEST_REAL_REGISTRY", &real.description);
        }
        command
    })
}

/// Debian's registry with a real image, which tests in wine cannot start. Dropped, it ends.
struct RealRegistry {
    _server: Server,
    /// What its script tells, for RealRegistry.Tests.ps1.
    description: String,
}

impl RealRegistry {
    const TESTS: &str = "RealRegistry";
    /// Its two registries end first, and a Debian in each is removed.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// `None` where this machine lacks what it takes and need not have it.
    fn start() -> Result<Option<Self>> {
        let mut command = process::command("pwsh");
        command.args(["-NoLogo", "-NoProfile", "-NonInteractive", "-File", "tests/powershell/ServeRealRegistry.ps1"]);
        process::announce(&command);
        let server = Server::start(&mut command, Self::PATIENCE)?;
        if server.line().is_empty() {
            if machine::is_ci() {
                bail!("the real registry did not start");
            }
            return Ok(None);
        }
        let mut told: Value = serde_json::from_str(server.line())
            .with_context(|| format!("the real registry began with {:?}", server.line()))?;
        let authority = told["authority"].as_str().context("the real registry does not tell its authority")?;
        told["authority"] = wine::path(Path::new(authority)).into();
        Ok(Some(Self { _server: server, description: told.to_string() }))
    }
}

/// The variable that names a file, which Windows knows by another path.
const CA: &str = "WSLIMAGE_TEST_REGISTRY_CA";

/// Where everything lies that these suites make.
fn folder() -> PathBuf {
    process::root().join("target/windows")
}
