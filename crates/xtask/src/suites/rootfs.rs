//! Images turned into archives, and the archives extracted as WSL extracts them.

use anyhow::{Context, Result};

use super::{Session, Suite, Unavailable};
use crate::counts::Counts;
use crate::machine::Program;
use crate::process;

pub(super) const LAYERS: Suite = Suite {
    name: "rootfs",
    what: "layer stacks become archives that WSL extracts as they should be",
    here: cfg!(target_os = "linux"),
    needs: &[Program::Python, Program::Bsdtar, Program::Umoci, Program::Zstd, Program::Busybox, Program::SevenZip],
    run: |session| {
        expect_root()?;
        let mut counts = python(session, &["tests/rootfs/test_oracle.py"], false)?;
        counts += python(session, &["tests/rootfs/run.py", "--umoci", "--jobs", "2"], true)?;
        Ok(counts)
    },
};

pub(super) const REAL: Suite = Suite {
    name: "real",
    what: "a Debian of many layers becomes an archive in which dpkg works",
    here: cfg!(target_os = "linux"),
    needs: &[Program::Python, Program::Bsdtar, Program::Umoci, Program::Buildah, Program::DockerRegistry],
    run: |session| {
        expect_root()?;
        python(session, &["tests/rootfs/real.py"], true)
    },
};

/// Only root can extract owners, devices and attributes.
fn expect_root() -> Result<()> {
    let output = process::command("id").arg("-u").output().context("cannot start id")?;
    match output.stdout.trim_ascii() {
        b"0" => Ok(()),
        _ => Err(Unavailable("needs root".to_owned()).into()),
    }
}

/// Runs a script, with the example program where it wants one.
fn python(session: &mut Session, arguments: &[&str], with_program: bool) -> Result<Counts> {
    let mut command = process::command("python3");
    command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    if with_program {
        command.arg("--pull").arg(session.artifacts()?.program("pull")?);
    }
    let (status, output) = process::run_and_read(&mut command)?;
    let counts = Counts::from_last_line(&output)
        .with_context(|| format!("{} ended with {status} and without its counts", arguments[0]))?;
    Ok(counts.with_status(status))
}
