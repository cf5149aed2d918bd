//! Windows under wine, for tests and figures that are about Windows.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine;
use crate::process;
use crate::symlink;

/// What wine 8 lacks of Windows and Rust's standard library imports (ProcessPrng); a stand-in lies beside PowerShell.
const SYSTEM_LIBRARY: &str = "bcryptprimitives.dll";

/// A path of Linux as programs of Windows see it under wine.
pub(crate) fn path(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// A Windows of our own. Dropped, its processes end.
pub(crate) struct Wine {
    prefix: PathBuf,
}

impl Wine {
    pub(crate) fn start() -> Result<Self> {
        let wine = Self { prefix: process::root().join("target/windows/wine") };
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
        symlink::replace(Path::new("../../../drive_c"), &host.join("C$"))
    }

    /// What a program is to be told so that it runs in there.
    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all").env_remove("DISPLAY");
        // Under wine 8, not on Windows, .NET dies when it frees code that it has mapped twice; that it collects garbage
        // beside other threads is suspected when it hangs.
        command.env("DOTNET_EnableWriteXorExecute", "0").env("DOTNET_gcConcurrent", "0")
    }

    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
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
