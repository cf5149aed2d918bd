//! What the import of the module adds to a start of PowerShell.

use std::path::Path;

use anyhow::Result;

use super::measure::{capture, limited};
use super::report::Goal;
use super::rounds::median;
use crate::package;

const RUNS: usize = 11;

/// How long the import may take, in seconds.
const GOAL: f64 = 0.3;

/// Two starts after each other, in seconds.
pub(super) struct Start {
    pub(super) bare: f64,
    pub(super) with_import: f64,
}

/// Installs the package below `folder`, and starts PowerShell with and without the import, in turn.
pub(super) fn import(module: &Path, folder: &Path) -> Result<Vec<Start>> {
    let package = package::write(module, &folder.join("package"))?;
    package::install_nupkg(&package.nupkg, &folder.join("modules"))?;
    let module = folder.join("modules/WslImage");
    let import = format!("Import-Module '{}'", module.display().to_string().replace('\'', "''"));
    let seconds = |line: &str| -> Result<f64> {
        let mut command = limited("pwsh");
        command.args(["-NoProfile", "-Command", line]);
        command.env("POWERSHELL_TELEMETRY_OPTOUT", "1").env("POWERSHELL_UPDATECHECK", "Off");
        Ok(capture(command)?.sample.seconds)
    };
    let pair = || -> Result<Start> { Ok(Start { bare: seconds("1")?, with_import: seconds(&import)? }) };
    println!("Starting PowerShell {RUNS} times with and without the module");
    pair()?;
    (0..RUNS).map(|_| pair()).collect()
}

/// Whether the import took no longer than it may.
pub(super) fn goal(starts: &[Start]) -> Goal {
    let cost = cost(starts);
    Goal {
        what: format!("the import costs at most {:.0} ms", GOAL * 1e3),
        result: format!("{:.0} ms", cost * 1e3),
        is_met: cost <= GOAL,
    }
}

/// The two kinds of start and what lies between them.
pub(super) fn table(starts: &[Start]) -> String {
    format!(
        "| | ms, median |\n| --- | --: |\n| bare start | {:.0} |\n| start and import | {:.0} |\n\
         | the import, median of the differences | {:.0} |\n",
        median(starts.iter().map(|start| start.bare)) * 1e3,
        median(starts.iter().map(|start| start.with_import)) * 1e3,
        cost(starts) * 1e3,
    )
}

/// How it was measured.
pub(super) fn method(starts: &[Start]) -> String {
    format!(
        "**Import** is that of the installed package: the whole time of `pwsh -NoProfile -Command 1` and of `pwsh -NoProfile -Command \
         \"Import-Module …\"`, {} times in turn.",
        starts.len()
    )
}

fn cost(starts: &[Start]) -> f64 {
    median(starts.iter().map(|start| start.with_import - start.bare))
}
