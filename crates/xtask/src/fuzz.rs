//! The parsers of what servers send, held against damaged documents for longer than the tests do it.

use anyhow::Result;

use crate::cargo;
use crate::process;

/// How long each parser is tried unless told otherwise.
pub(crate) const SECONDS: u64 = 60;

/// Tries each parser for so long, several at once where there are several cores.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let mut command = cargo::command("test");
    command.args(["--package", "wslimage", "--lib", "--all-features", "--profile", "fuzz"]);
    command.args(["--", "fuzz_", "--nocapture"]);
    process::run(command.env("WSLIMAGE_FUZZ_SECONDS", seconds.to_string()))
}
