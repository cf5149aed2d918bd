//! Programs that serve the tests: each writes one line when it is ready, and ends when its standard input closes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process;

/// A program that serves. Dropped, it ends.
pub(crate) struct Server {
    child: Child,
    line: String,
    patience: Duration,
}

impl Server {
    /// Starts the program and waits for its line. One that does not end by itself is ended after `patience`.
    pub(crate) fn start(command: &mut Command, patience: Duration) -> Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", process::line(command)))?;
        let mut server = Self { child, line: String::new(), patience };
        let output = server.child.stdout.as_mut().context("a program has no standard output")?;
        BufReader::new(output).read_line(&mut server.line)?;
        Ok(server)
    }

    /// What it wrote; nothing when it ended before it was ready.
    pub(crate) fn line(&self) -> &str {
        self.line.trim()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It takes its files along when it ends by itself.
        drop(self.child.stdin.take());
        let _ = process::wait_until(&mut self.child, Instant::now() + self.patience);
    }
}
