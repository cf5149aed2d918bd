//! Calls of cargo, in one style, so that nothing is compiled twice for a difference in features.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::machine;
use crate::process;

/// The workspace without this program.
///
/// Cargo would otherwise write this program's file while it runs, which Windows refuses.
pub(crate) const MEMBERS: [&str; 4] = ["--workspace", "--exclude", "xtask", "--all-features"];

/// This program.
pub(crate) const XTASK: [&str; 2] = ["--package", "xtask"];

/// `cargo SUBCOMMAND`.
pub(crate) fn command(subcommand: &str) -> Command {
    let mut command = process::command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand);
    if machine::is_ci() && !matches!(subcommand, "fmt" | "install") {
        command.arg("--locked");
    }
    command
}

/// What a build has made.
pub(crate) struct Artifacts(Vec<Value>);

impl Artifacts {
    /// The dynamic library of the named package.
    pub(crate) fn dynamic_library(&self, package: &str) -> Result<PathBuf> {
        self.0
            .iter()
            .filter(|artifact| has_kind(artifact, "cdylib") && manifest_folder(artifact) == Some(package))
            .flat_map(|artifact| artifact["filenames"].as_array().into_iter().flatten())
            .filter_map(|file| file.as_str().map(PathBuf::from))
            // Of the target's system, which need not be this one.
            .find(|file| file.extension().is_some_and(|end| end == "dll" || end == "so" || end == "dylib"))
            .with_context(|| format!("cargo built no dynamic library of {package}"))
    }

    /// The program or the example of that name.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        self.0
            .iter()
            .filter(|artifact| artifact["target"]["name"] == name)
            .filter(|artifact| has_kind(artifact, "bin") || has_kind(artifact, "example"))
            .find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from))
            .with_context(|| format!("cargo built no program {name}"))
    }
}

/// `cargo build ARGUMENTS`.
pub(crate) fn build<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Artifacts> {
    let mut command = command("build");
    command.args(arguments);
    build_with(command)
}

/// A call of cargo that builds, made elsewhere.
pub(crate) fn build_with(mut command: Command) -> Result<Artifacts> {
    process::announce(&command);
    let output = command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo build ended with {}", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact");
    Ok(Artifacts(artifacts.collect()))
}

fn has_kind(artifact: &Value, kind: &str) -> bool {
    artifact["target"]["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == kind))
}

/// The name of the folder of an artifact's package, which in this workspace is the package's name.
fn manifest_folder(artifact: &Value) -> Option<&str> {
    artifact["manifest_path"].as_str()?.rsplit(['/', '\\']).nth(1)
}
