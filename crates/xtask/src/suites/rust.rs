//! The workspace's own checks and tests.

use std::env::consts::EXE_SUFFIX;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Suite, Unavailable};
use crate::cargo::{self, MEMBERS, XTASK};
use crate::counts::Counts;
use crate::header;
use crate::machine::{self, Program};
use crate::process;

pub(super) const FORMAT: Suite = Suite {
    name: "fmt",
    what: "cargo fmt finds nothing to change",
    here: true,
    needs: &[Program::Rustfmt],
    run: |_| check(cargo::command("fmt").args(["--all", "--check"])),
};

pub(super) const HEADER: Suite = Suite {
    name: "header",
    what: "the committed wslimage.h is what the source says",
    here: true,
    needs: &[],
    run: |_| header::check().map(|()| Counts::PASSED),
};

pub(super) const CLIPPY: Suite = Suite {
    name: "clippy",
    what: "clippy has no warning",
    here: true,
    needs: &[Program::Clippy],
    run: |_| {
        Ok(both(|members| {
            check(cargo::command("clippy").args(members).args(["--all-targets", "--", "--deny", "warnings"]))
        }))
    },
};

pub(super) const TEST: Suite = Suite {
    name: "test",
    what: "cargo test, with the examples in the documentation",
    here: true,
    needs: &[],
    // Without a choice of targets: only then does cargo build the example programs that tests start.
    run: |_| Ok(both(test)),
};

pub(super) const DOC: Suite = Suite {
    name: "doc",
    what: "cargo doc has no warning",
    here: true,
    needs: &[],
    run: |_| check(cargo::command("doc").args(MEMBERS).arg("--no-deps").env("RUSTDOCFLAGS", "--deny warnings")),
};

pub(super) const DENY: Suite = Suite {
    name: "deny",
    what: "licences and sources of the dependencies",
    here: true,
    needs: &[],
    // Advisories are a matter of the day and of a network, not of the source: the workflow looks at them.
    run: |_| check(process::command(cargo_deny()?).args(["check", "bans", "licenses", "sources"])),
};

/// The installed cargo-deny, or one of our own: compiled without optimisation, which costs a minute, and only where
/// no check may be left out.
fn cargo_deny() -> Result<PathBuf> {
    if Program::CargoDeny.is_available() {
        return Ok("cargo-deny".into());
    }
    let folder = process::root().join(".tools/cargo-deny");
    let program = folder.join("bin").join(format!("cargo-deny{EXE_SUFFIX}"));
    if !program.exists() {
        if !machine::is_ci() {
            return Err(Unavailable("needs cargo-deny (cargo install --locked cargo-deny)".to_owned()).into());
        }
        let mut install = cargo::command("install");
        install.args(["cargo-deny", "--locked", "--version", machine::pinned("CARGO_DENY")?]);
        install.args(["--profile", "dev", "--config", "profile.dev.debug=false", "--root"]).arg(&folder);
        process::run(&mut install)?;
    }
    Ok(program)
}

/// The same for the workspace and for this program, see [`MEMBERS`]; a failure of one does not keep the other from running.
fn both(mut check: impl FnMut(&[&str]) -> Result<Counts>) -> Counts {
    let mut counts = Counts::default();
    for members in [&MEMBERS[..], &XTASK] {
        counts += check(members).unwrap_or_else(|error| {
            println!("{error:#}");
            Counts::failure(format!("{error:#}"))
        });
    }
    counts
}

/// A command that passes or fails as a whole.
fn check(command: &mut Command) -> Result<Counts> {
    process::run(command).map(|()| Counts::PASSED)
}

fn test(members: &[&str]) -> Result<Counts> {
    let mut command = cargo::command("test");
    command.args(members).arg("--no-fail-fast");
    let (status, output) = process::run_and_read(&mut command)?;
    match Counts::from_cargo(&output) {
        Some(counts) => Ok(counts.with_status(status)),
        None => process::check(&command, status).map(|()| Counts::default()),
    }
}
