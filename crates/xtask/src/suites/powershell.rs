//! The module: its C# source, and its commands in the real engine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Session, Suite, Unavailable};
use crate::counts::Counts;
use crate::machine::{self, Program};
use crate::module;
use crate::process;

pub(super) const MODULE: Suite = Suite {
    name: "module",
    what: "the module builds",
    here: true,
    needs: &[Program::DotnetSdk],
    run: |session| session.module().map(|_| Counts::PASSED),
};

pub(super) const FORMAT: Suite = Suite {
    name: "format",
    what: "dotnet format finds nothing to change",
    here: true,
    needs: &[Program::DotnetSdk],
    run: |_| {
        for project in [module::PROJECT, FRAMEWORK_TEST] {
            process::run(process::command("dotnet").args(["format", project, "--verify-no-changes"]))?;
        }
        Ok(Counts::PASSED)
    },
};

pub(super) const PESTER: Suite = Suite {
    name: "pester",
    what: "the module in PowerShell 7",
    here: true,
    needs: &[Program::DotnetSdk, Program::PowerShell],
    run: |session| pester(session, "pwsh"),
};

pub(super) const PESTER_51: Suite = Suite {
    name: "pester51",
    what: "the module in Windows PowerShell 5.1",
    here: cfg!(windows),
    needs: &[Program::DotnetSdk, Program::PowerShell],
    run: |session| pester(session, "powershell"),
};

fn pester(session: &mut Session, engine: &str) -> Result<Counts> {
    let module = session.module()?;
    pester_files(session, engine, module, &[])
}

pub(super) const FRAMEWORK: Suite = Suite {
    name: "framework",
    what: "the build for .NET Framework with the native library, in mono where there is no Windows",
    here: !cfg!(target_os = "macos"),
    needs: if cfg!(windows) { &[Program::DotnetSdk] } else { &[Program::DotnetSdk, Program::Mono] },
    run: |session| {
        let module = session.module()?;
        process::run(process::command("dotnet").args(["build", FRAMEWORK_TEST, "--configuration", "Release"]).args([
            "--nologo",
            "--verbosity",
            "quiet",
            "--disable-build-servers",
        ]))?;
        let program = process::root().join("tests/framework/bin/Release/net472/WslImage.FrameworkTest.exe");
        let mut command = if cfg!(windows) {
            process::command(program)
        } else {
            let mut command = process::command("mono");
            command.arg(program);
            command
        };
        command.arg(module);
        let (status, output) = process::run_and_read(session.registry()?.describe_to(&mut command))?;
        let counts = Counts::from_last_line(&output)
            .with_context(|| format!("the program ended with {status} and without its counts"))?;
        Ok(counts.with_status(status.success()))
    },
};

const FRAMEWORK_TEST: &str = "tests/framework/WslImage.FrameworkTest.csproj";

/// Runs the test files of these names, or all, on the module in a folder.
pub(super) fn pester_files(session: &mut Session, engine: &str, module: &Path, names: &[&str]) -> Result<Counts> {
    let modules = process::root().join(".tools/modules");
    provide_pester(&modules)?;
    let mut command = process::command(engine);
    command.args(["-NoLogo", "-NoProfile", "-NonInteractive"]);
    if cfg!(windows) {
        command.args(["-ExecutionPolicy", "Bypass"]);
    }
    command.args(["-File", "tests/powershell/run.ps1"]).env("WSLIMAGE_MODULE", module);
    if !names.is_empty() {
        command.args(["-Name", &names.join(",")]);
    }
    if modules.is_dir() {
        let mut path = modules.into_os_string();
        if let Some(rest) = std::env::var_os("PSModulePath") {
            path.push(if cfg!(windows) { ";" } else { ":" });
            path.push(rest);
        }
        command.env("PSModulePath", path);
    }
    run(session.registry()?.describe_to(&mut command))
}

/// Runs the tests by a command that knows the registry.
pub(super) fn run(command: &mut Command) -> Result<Counts> {
    let (status, output) = process::run_and_read(command)?;
    let counts = Counts::from_last_line(&output)
        .with_context(|| format!("the Pester run ended with {status} and without its counts"))?;
    Ok(counts.with_status(status.success()))
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
