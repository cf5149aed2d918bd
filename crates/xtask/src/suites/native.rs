//! The C program, against the header and a build of the library that can be told to panic.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Session, Suite};
use crate::counts::Counts;
use crate::machine::{self, Program};
use crate::process;

pub(super) const C: Suite = Suite {
    name: "capi",
    what: "the C program",
    here: true,
    needs: &[Program::CCompiler],
    run: |session| {
        let program = compile(session)?;
        run(session.registry()?.describe_to(&mut process::command(program)))
    },
};

pub(super) const VALGRIND: Suite = Suite {
    name: "valgrind",
    what: "the C program under valgrind, no error and nothing lost",
    here: cfg!(target_os = "linux"),
    needs: &[Program::CCompiler, Program::Valgrind],
    run: |session| {
        let program = compile(session)?;
        let mut command = process::command("valgrind");
        command.args([
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect",
            "--error-exitcode=99",
            "--num-callers=40",
        ]);
        // What the tool reports of other people's code and is known to be harmless, each with its reason.
        let known = "tests/capi/valgrind.supp";
        if process::root().join(known).exists() {
            command.arg(format!("--suppressions={known}"));
        }
        // The program leaves out what is a matter of milliseconds.
        command.arg(program).env("WSLIMAGE_TEST_VALGRIND", "1");
        run(session.registry()?.describe_to(&mut command))
    },
};

/// Compiles tests/capi/*.c into one program and returns its path.
fn compile(session: &mut Session) -> Result<PathBuf> {
    let library = session.artifacts()?.dynamic_library("wslimage-capi")?;
    let folder = library.parent().context("the library has no folder")?;
    let program = folder.join(format!("wslimage-capi-test{EXE_SUFFIX}"));
    let mut compile = compiler(machine::C_COMPILER)?;
    process::run(
        compile.arg("-DWSLIMAGE_TEST_PANIC").arg("-o").arg(&program).arg(&library).args(system_libraries(folder)),
    )?;
    Ok(program)
}

const STRICT_C: [&str; 4] = ["-std=c11", "-Wall", "-Wextra", "-Werror"];

/// A call of that compiler with all sources of the program.
pub(super) fn compiler(program: &str) -> Result<Command> {
    let mut compiler = process::command(program);
    compiler.args(STRICT_C).args(["-g", "-pthread", "-Icrates/wslimage-capi/include"]).args(sources("tests/capi")?);
    Ok(compiler)
}

/// Compiles the credential helper that tests of the module start on Windows.
pub(super) fn credential_helper(compiler: &str) -> Result<PathBuf> {
    let program = process::root().join("target/credential-helper.exe");
    let mut compile = process::command(compiler);
    process::run(compile.args(STRICT_C).arg("-o").arg(&program).arg("tests/powershell/windows/credential_helper.c"))?;
    Ok(program)
}

/// The variable that names it to the tests.
pub(super) const CREDENTIAL_HELPER: &str = "WSLIMAGE_TEST_CREDENTIAL_HELPER";

/// Windows looks for the library beside the program, where it is.
fn system_libraries(folder: &Path) -> Vec<String> {
    if cfg!(windows) { vec!["-lws2_32".to_owned()] } else { vec![format!("-Wl,-rpath,{}", folder.display())] }
}

/// The C files in a folder of the repository.
fn sources(folder: &str) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(process::root().join(folder)).with_context(|| folder.to_owned())? {
        let path = Path::new(folder).join(entry?.file_name());
        if path.extension().is_some_and(|end| end == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Runs the program, which knows the registry.
pub(super) fn run(command: &mut Command) -> Result<Counts> {
    let (status, output) = process::run_and_read(command)?;
    let counts = Counts::from_last_line(&output)
        .with_context(|| format!("the C program ended with {status} and without its counts"))?;
    Ok(counts.with_status(status))
}
