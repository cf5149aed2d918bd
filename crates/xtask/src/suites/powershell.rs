//! The module: its C# source, and its commands in the real engine.

use anyhow::{Context, Result};

use super::{Session, Suite, test_files};
use crate::counts::Counts;
use crate::machine::Program;
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
    test_files::run_in(session, engine, module, &test_files::all()?)
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
        Ok(counts.with_status(status))
    },
};

const FRAMEWORK_TEST: &str = "tests/framework/WslImage.FrameworkTest.csproj";
