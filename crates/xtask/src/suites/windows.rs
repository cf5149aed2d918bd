//! What users of Windows get, on Linux under wine: the C program and the module in the real engine, both with the DLL of
//! the package.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use super::{Session, Suite, native, test_files};
use crate::counts::Counts;
use crate::machine::{self, Program};
use crate::module;
use crate::process;

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
    native::run(session.registry()?.describe_to(command.arg(program)).env(CA, windows_path(session.registry()?.ca())))
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
        registry.describe_to(&mut command).env(CA, windows_path(registry.ca()));
        command.env("WSLIMAGE_MODULE", windows_path(module));
        command.env(native::CREDENTIAL_HELPER, windows_path(&helper));
        if let Some(real) = &real {
            command.env("WSLIMAGE_TEST_REAL_REGISTRY", &real.description);
        }
        command
    })
}

/// Debian's registry with a real image, which tests in wine cannot start. Dropped, it ends.
struct RealRegistry {
    process: Child,
    /// What its script tells, for RealRegistry.Tests.ps1.
    description: String,
}

impl RealRegistry {
    const TESTS: &str = "RealRegistry";

    /// `None` where this machine lacks what it takes and need not have it.
    fn start() -> Result<Option<Self>> {
        let mut command = process::command("pwsh");
        command.args(["-NoLogo", "-NoProfile", "-NonInteractive", "-File", "tests/powershell/ServeRealRegistry.ps1"]);
        process::announce(&command);
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut running = Self { process, description: String::new() };
        let output = running.process.stdout.as_mut().context("no standard output")?;
        BufReader::new(output).read_line(&mut running.description)?;
        match running.description.trim() {
            "" if machine::is_ci() => bail!("the real registry did not start"),
            "" => Ok(None),
            _ => Ok(Some(running)),
        }
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The variable that names a file, which Windows knows by another path.
const CA: &str = "WSLIMAGE_TEST_REGISTRY_CA";

/// What wine 8 lacks of Windows and Rust's standard library imports (ProcessPrng); a stand-in lies beside PowerShell.
const SYSTEM_LIBRARY: &str = "bcryptprimitives.dll";

/// Where everything lies that these suites make.
fn folder() -> PathBuf {
    process::root().join("target/windows")
}

/// A path of Linux as programs of Windows see it under wine.
fn windows_path(path: &Path) -> OsString {
    format!("Z:{}", path.display()).replace('/', "\\").into()
}

/// A Windows of our own. Dropped, its processes end.
pub(crate) struct Wine {
    prefix: PathBuf,
}

impl Wine {
    pub(crate) fn start() -> Result<Self> {
        let wine = Self { prefix: folder().join("wine") };
        fs::create_dir_all(&wine.prefix)?;
        process::run(wine.command("wineboot").arg("--init"))?;
        fs::copy(system_library()?, wine.prefix.join("drive_c/windows/system32").join(SYSTEM_LIBRARY))?;
        wine.share()?;
        Ok(wine)
    }

    /// Shares drive C as Windows does with administrators, `\\localhost\C$`.
    fn share(&self) -> Result<()> {
        let host = self.prefix.join("dosdevices/unc/localhost");
        fs::create_dir_all(&host)?;
        process::run(process::command("ln").args(["-sfn", "../../../drive_c"]).arg(host.join("C$")))
    }

    /// What a program is to be told so that it runs in there.
    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env_remove("DISPLAY");
        // Under wine 8, not on Windows, .NET dies when it frees code that it has mapped twice; that it collects garbage
        // beside other threads is suspected when it hangs.
        command.env("DOTNET_EnableWriteXorExecute", "0").env("DOTNET_gcConcurrent", "0")
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = process::command(program);
        self.describe_to(&mut command);
        command
    }
}

/// Where the toolchain of PowerShell for Windows has the stand-in.
fn system_library() -> Result<PathBuf> {
    let program = machine::find("pwsh-windows").context("no pwsh-windows")?.canonicalize()?;
    let output = process::command(program.with_file_name("unpack")).arg("win-x64").output()?;
    let folder = String::from_utf8(output.stdout)?;
    Ok(Path::new(folder.trim()).join(SYSTEM_LIBRARY))
}

impl Drop for Wine {
    fn drop(&mut self) {
        let _ = self.command("wineserver").arg("--kill").status();
    }
}
