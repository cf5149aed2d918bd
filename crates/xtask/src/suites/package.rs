//! The package, installed as a user installs it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::{Session, Suite, test_files, windows};
use crate::counts::Counts;
use crate::libraries;
use crate::machine::Program;
use crate::module;
use crate::package;
use crate::process;

/// What a user of the replaced script calls, and what only an installed module shows.
const FILES: [&str; 6] =
    ["GetDockerImage", "GetDockerAuthToken", "GetDockerImageManifest", "Original", "Package", "Provisioning"];

pub(super) const INSTALLED: Suite = Suite {
    name: "package",
    what: "the package, installed into an empty module path, takes the original's place",
    here: true,
    needs: &[Program::DotnetSdk, Program::PowerShell],
    run: |session| {
        let installed = Installed::new("package", &[libraries::build_own()?])?;
        let mut counts = Counts::PASSED;
        for engine in if cfg!(windows) { &["pwsh", "powershell"][..] } else { &["pwsh"] } {
            counts += test_files::run_in(session, engine, &installed.from_nupkg, &FILES.map(str::to_owned))?;
            counts += test_files::run_in(session, engine, &installed.from_zip, &["Package".to_owned()])?;
        }
        Ok(counts)
    },
};

pub(super) const INSTALLED_ON_WINDOWS: Suite = Suite {
    name: "package-wine",
    what: "the same on Windows, under wine",
    here: cfg!(target_os = "linux"),
    needs: &[Program::MinGw, Program::Wine, Program::DotnetSdk, Program::WindowsPowerShell],
    run: |session: &mut Session| {
        let installed = Installed::new("package-wine", &[session.library("win-x64")?])?;
        windows::run_on(session, &installed.from_nupkg, &FILES.map(str::to_owned))
    },
};

/// Modules in folders for `$env:PSModulePath` that had nothing before.
struct Installed {
    from_nupkg: PathBuf,
    from_zip: PathBuf,
}

impl Installed {
    /// Packs twice, which must give the same and be told from a release, and installs.
    fn new(name: &str, libraries: &[libraries::Library]) -> Result<Self> {
        let folder = process::root().join("target/installed").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        let module = folder.join("built/WslImage");
        module::build_in(&module, libraries)?;
        let package = package::write(&module, &folder.join("package"))?;
        if package.bytes()? != package::write(&module, &folder.join("again"))?.bytes()? {
            bail!("the same module gave two different packages");
        }
        let name = package.nupkg.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with("-local.nupkg") {
            bail!("a package without the libraries of some systems is called {name}, as a release is");
        }
        let (of_nupkg, of_zip) = (folder.join("modules"), folder.join("modules of the zip"));
        package::install_nupkg(&package.nupkg, &of_nupkg)?;
        package::install_zip(&package.zip, &of_zip)?;
        Ok(Self { from_nupkg: of_nupkg.join("WslImage"), from_zip: of_zip.join("WslImage") })
    }
}
