//! Running a program and what it took.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// After so long a program is not slow but stuck.
const LIMIT_SECONDS: &str = "900";

/// The kernel's unit of CPU time in /proc (`USER_HZ`; proc_pid_stat(5)), the same on every architecture in question.
pub(super) const TICKS_PER_SECOND: f64 = 100.0;

/// One measurement.
#[derive(Debug)]
pub(super) struct Sample {
    /// Wall-clock time.
    pub(super) seconds: f64,
    /// CPU time in user mode, seconds.
    pub(super) user: f64,
    /// CPU time in the kernel, seconds.
    pub(super) system: f64,
    /// Of a shell only.
    pub(super) memory: Option<Memory>,
}

/// VmHWM of a process, in kB (of 1024 bytes) as /proc/PID/status has it.
#[derive(Debug)]
pub(super) struct Memory {
    /// Before the call, since the process began.
    pub(super) before: i64,
    /// Before the call, after the kernel was told to forget the peak: what is resident; none where it may not be told.
    pub(super) resident: Option<i64>,
    /// After the call.
    pub(super) after: i64,
}

/// What a program wrote and took.
pub(super) struct Captured {
    /// Its standard output.
    pub(super) text: String,
    /// What it took.
    pub(super) sample: Sample,
}

/// A command that ends when it takes too long, with nothing that would lead it away from loopback.
pub(super) fn limited(program: impl AsRef<OsStr>) -> Command {
    let mut command = process::command("timeout");
    command.args(["--foreground", "--kill-after=10", LIMIT_SECONDS]).arg(program);
    const HERE: &str = "127.0.0.1,localhost";
    command.env("NO_PROXY", HERE).env("no_proxy", HERE);
    // What lies there would not be fetched.
    command.env_remove("WSLIMAGE_CACHE");
    command
}

/// Runs a command without showing it; what it wrote to standard error goes into the error.
pub(super) fn capture(command: Command) -> Result<Captured> {
    capture_and_watch(command, |_| ())
}

/// The same, with the program's VmHWM, in bytes.
pub(super) fn capture_with_peak(command: Command) -> Result<(Captured, u64)> {
    let is_limited = command.get_program() == "timeout";
    let mut watch = None;
    let captured = capture_and_watch(command, |process| {
        watch = Some(thread::spawn(move || peak(process, is_limited)));
    })?;
    let peak = watch.context("nothing was started")?.join().unwrap_or_default();
    Ok((captured, peak))
}

/// The last VmHWM of a process, or of its child, before it ends.
fn peak(process: u32, of_child: bool) -> u64 {
    let children = format!("/proc/{process}/task/{process}/children");
    let (mut watched, mut peak) = (if of_child { None } else { Some(process) }, 0);
    while Path::new(&children).exists() {
        if watched.is_none() {
            let child = fs::read_to_string(&children).ok();
            watched = child.and_then(|children| children.split_whitespace().next()?.parse().ok());
        }
        if let Some(process) = watched {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()) else {
                // It has ended.
                break;
            };
            // A child that has not begun its program yet has this one's peak.
            if status.lines().next() != own_name().as_deref() {
                peak = kib * 1024;
            }
        }
        thread::sleep(Duration::from_millis(3));
    }
    peak
}

fn own_name() -> Option<String> {
    fs::read_to_string("/proc/self/status").ok()?.lines().next().map(str::to_owned)
}

fn capture_and_watch(mut command: Command, started: impl FnOnce(u32)) -> Result<Captured> {
    if command.get_program() == "timeout" {
        command.stdin(Stdio::null());
    }
    let (user, system) = children_cpu()?;
    let start = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("cannot start {}", process::line(&command)))?;
    started(child.id());
    let output = child.wait_with_output()?;
    let seconds = start.elapsed().as_secs_f64();
    let (user_after, system_after) = children_cpu()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        // What runs in a terminal has one stream only.
        let told = if errors.trim().is_empty() { text } else { errors.into_owned() };
        bail!("{} ended with {}: {}", process::line(&command), output.status, told.trim());
    }
    let sample = Sample { seconds, user: user_after - user, system: system_after - system, memory: None };
    Ok(Captured { text, sample })
}

/// CPU seconds in user mode and in the kernel of all children that have ended, and of theirs.
fn children_cpu() -> Result<(f64, f64)> {
    let [_, _, user, system] = cpu_times("self")?;
    Ok((user, system))
}

/// All CPU seconds of this process and its children, and of the process `server`.
pub(super) fn own_cpu(server: u32) -> Result<f64> {
    let here: f64 = cpu_times("self")?.iter().sum();
    let there: f64 = cpu_times(&server.to_string())?.iter().sum();
    Ok(here + there)
}

/// CPU seconds of a process in user mode and in the kernel, and the same of its children that have ended.
fn cpu_times(process: &str) -> Result<[f64; 4]> {
    let file = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&file).with_context(|| file.clone())?;
    // The name before the last parenthesis may have blanks; the third field follows.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let seconds = |number: usize| {
        let ticks: Option<f64> = fields.get(number - 3).and_then(|field| field.parse().ok());
        ticks.map(|ticks| ticks / TICKS_PER_SECOND).with_context(|| format!("{file} has no CPU times"))
    };
    Ok([seconds(14)?, seconds(15)?, seconds(16)?, seconds(17)?])
}
