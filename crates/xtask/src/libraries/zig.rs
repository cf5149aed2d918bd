//! zig as the linker, by cargo-zigbuild: it knows the symbols of older C libraries and brings what other processors need.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine;
use crate::process;
use crate::symlink;

fn folder() -> PathBuf {
    process::root().join(".tools/zig")
}

/// cargo-zigbuild's program.
pub(super) fn program() -> PathBuf {
    folder().join("bin/cargo-zigbuild")
}

/// A call of `cargo zigbuild`, which takes the options of `cargo build`. Installs it from PyPI where it is missing.
pub(super) fn cargo_build() -> Result<Command> {
    let wanted = format!("ziglang {} cargo-zigbuild {}\n", machine::pinned("ZIG")?, machine::pinned("CARGO_ZIGBUILD")?);
    let mark = folder().join("installed");
    if std::fs::read_to_string(&mark).ok().as_ref() != Some(&wanted) {
        install().context("cannot install zig from PyPI (python3 with pip does that)")?;
        std::fs::write(&mark, wanted)?;
    }
    let mut command = process::command(program());
    command.arg("zigbuild").env("CARGO_ZIGBUILD_ZIG_PATH", folder().join("ziglang/zig"));
    if machine::is_ci() {
        command.arg("--locked");
    }
    Ok(command)
}

/// LLVM's compiler of resources for Windows on ARM64: it goes by the name under which it is called.
pub(super) fn resource_compiler() -> Result<PathBuf> {
    let compiler = machine::find("llvm-rc").context("needs llvm-rc (on Debian the package llvm)")?.canonicalize()?;
    let name = folder().join("bin/aarch64-w64-mingw32-windres");
    symlink::replace(&compiler, &name)?;
    Ok(name)
}

fn install() -> Result<()> {
    if folder().exists() {
        std::fs::remove_dir_all(folder())?;
    }
    process::run(
        process::command("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(folder())
            .arg(format!("ziglang=={}", machine::pinned("ZIG")?))
            .arg(format!("cargo-zigbuild=={}", machine::pinned("CARGO_ZIGBUILD")?)),
    )
}
