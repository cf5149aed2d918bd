//! What the import of the module adds to a start of PowerShell.

use std::path::Path;

use anyhow::Result;

use super::measure::{capture, limited};

const RUNS: usize = 11;

/// Two starts after each other, in seconds.
pub(super) struct Start {
    pub(super) bare: f64,
    pub(super) with_import: f64,
}

/// Starts PowerShell with and without the import, in turn.
pub(super) fn import(module: &Path) -> Result<Vec<Start>> {
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
