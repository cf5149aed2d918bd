//! Processes that begin at the same moment.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process;

/// What several processes took together, and what each wrote or why it failed.
pub(super) struct Crowd {
    /// From the moment at which they began to the end of the last one.
    pub(super) seconds: f64,
    pub(super) outcomes: Vec<Result<String>>,
}

/// When a process begins with its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// When it is started.
    AtStart,
    /// When its standard input closes, after it has written a line.
    WhenInputCloses,
}

/// Runs all of them at once.
pub(super) fn run(commands: Vec<Command>, begin: Begin) -> Crowd {
    let gate = Barrier::new(commands.len() + 1);
    thread::scope(|scope| {
        let gate = &gate;
        let members: Vec<_> =
            commands.into_iter().map(|command| scope.spawn(move || member(command, begin, gate))).collect();
        gate.wait();
        let start = Instant::now();
        let outcomes = members
            .into_iter()
            .map(|member| member.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        Crowd { seconds: start.elapsed().as_secs_f64(), outcomes }
    })
}

fn member(mut command: Command, begin: Begin, gate: &Barrier) -> Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = match begin {
        Begin::AtStart => {
            gate.wait();
            spawn(command.stdin(Stdio::null()))?
        }
        Begin::WhenInputCloses => {
            let child = spawn(command.stdin(Stdio::piped())).and_then(until_it_is_ready);
            // One that failed is not waited for either.
            gate.wait();
            child?
        }
    };
    // Closes its standard input.
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", process::line(&command), output.status, told.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("cannot start {}", process::line(command)))
}

/// Reads the first line and nothing of what follows.
fn until_it_is_ready(mut child: Child) -> Result<Child> {
    let output = child.stdout.as_mut().context("a process has no standard output")?;
    let mut byte = [0];
    while byte != *b"\n" {
        if output.read(&mut byte)? == 0 {
            let output = child.wait_with_output()?;
            let told = String::from_utf8_lossy(&output.stderr);
            bail!("it ended with {} before it began: {}", output.status, told.trim());
        }
    }
    Ok(child)
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::{Begin, run};

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    #[test]
    fn each_tells_what_it_wrote_after_the_gate_and_one_that_fails_holds_up_nobody() {
        let commands = vec![
            shell("echo ready; cat; echo first"),
            shell("echo told >&2; exit 3"),
            shell("echo ready; cat; echo told >&2; exit 4"),
        ];
        let outcomes = run(commands, Begin::WhenInputCloses).outcomes;
        assert_eq!(outcomes[0].as_ref().expect("the first ends well"), "first");
        for (outcome, status) in [(&outcomes[1], "3"), (&outcomes[2], "4")] {
            let error = outcome.as_ref().expect_err("it fails").to_string();
            assert!(error.contains(status) && error.contains("told"), "{error}");
        }
    }
}
