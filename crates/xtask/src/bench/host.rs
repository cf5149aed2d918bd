//! The machine and the programs on it, for whoever reads the figures.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::measure::{TICKS_PER_SECOND, own_cpu};
use crate::module;
use crate::process;

/// What the figures were measured on.
pub(super) struct Host {
    pub(super) date: String,
    pub(super) commit: String,
    /// What and how much, in the order in which it is shown.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl Host {
    /// `folder` is where the contenders write; `others` what [`Others::share`] found.
    pub(super) fn describe(folder: &Path, others: f64) -> Result<Self> {
        let cores = cores();
        let cpu = value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let mut facts = vec![
            ("CPU", format!("{cpu}, {cores} cores")),
            ("memory", memory()),
            ("disk", disk(folder)),
            ("system", system()),
            ("CPU time taken by anything else meanwhile", format!("{:.1}%", others * 100.0)),
            ("PowerShell", powershell()),
        ];
        for (name, program, argument) in [
            ("curl", "curl", "--version"),
            ("nginx", "nginx", "-v"),
            ("skopeo", "skopeo", "--version"),
            ("Rust", "rustc", "--version"),
        ] {
            facts.push((name, version(&answer(program, &[argument]).unwrap_or_default())));
        }
        facts.push(("WslImage", module::VERSION.to_owned()));
        Ok(Self { date: answer("date", &["-u", "+%F"]).context("date tells nothing")?, commit: commit(), facts })
    }
}

/// What a program writes, on either stream; none when it is not there or fails.
pub(super) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = process::command(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    output.status.success().then(|| String::from_utf8_lossy(&text).trim().to_owned())
}

/// Watches what else runs on this machine.
pub(super) struct Others {
    server: u32,
    start: Instant,
    all: f64,
    own: f64,
}

impl Others {
    /// `server` is a process that is not counted as one of the others.
    pub(super) fn watch(server: u32) -> Result<Self> {
        Ok(Self { server, start: Instant::now(), all: all_cpu()?, own: own_cpu(server)? })
    }

    /// The share of the CPU time of all cores that others have taken since.
    pub(super) fn share(&self) -> Result<f64> {
        let others = (all_cpu()? - self.all) - (own_cpu(self.server)? - self.own);
        Ok(others.max(0.0) / (self.start.elapsed().as_secs_f64() * cores() as f64))
    }
}

/// CPU seconds of all processes, see proc_stat(5).
fn all_cpu() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    // user nice system
    let times = stat.split_whitespace().skip(1).take(3).map(str::parse::<f64>);
    let ticks: f64 = times.sum::<Result<_, _>>().context("/proc/stat has no CPU times")?;
    Ok(ticks / TICKS_PER_SECOND)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The value of the first line `NAME: VALUE` or `NAME=VALUE` of a file.
fn value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once([':', '=']));
    let (_, value) = pairs.into_iter().find(|(key, _)| key.trim() == name)?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn memory() -> String {
    let total = value("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib: f64 = total.trim_end_matches("kB").trim().parse().unwrap_or(0.0);
    format!("{:.1} GiB", kib / (1024.0 * 1024.0))
}

fn system() -> String {
    let name = value("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{name}, kernel {}", kernel.trim())
}

fn disk(folder: &Path) -> String {
    let folder = folder.display().to_string();
    let Some(mount) = answer("findmnt", &["-no", "FSTYPE,SOURCE", "-T", &folder]) else {
        return "unknown".to_owned();
    };
    let mut words = mount.split_whitespace();
    let (kind, source) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    // From a partition up to the disk; `-s` lists both.
    let device = answer("lsblk", &["-dno", "SIZE,TRAN,ROTA,MODEL", source]);
    let name = source.trim_start_matches("/dev/");
    let bus = if name.starts_with("vd") { "virtio, " } else { "" };
    let Some(device) = device else {
        return format!("{kind} on {source}");
    };
    // Virtual disks call themselves rotational and are asked for nothing.
    let mut words: Vec<&str> = device.split_whitespace().collect();
    let size = if words.is_empty() { "" } else { words.remove(0) };
    let what: Vec<&str> = words
        .into_iter()
        .filter_map(|word| match word {
            "0" => Some("solid state"),
            "1" if bus.is_empty() => Some("rotating"),
            "1" => None,
            other => Some(other),
        })
        .collect();
    format!("{kind} on {name} ({bus}{size}{}{})", if what.is_empty() { "" } else { ", " }, what.join(" "))
}

fn powershell() -> String {
    let line = "\"$($PSVersionTable.PSVersion), .NET $([System.Environment]::Version), host $($Host.Name)\"";
    answer("pwsh", &["-NoProfile", "-Command", line]).unwrap_or_default()
}

/// The first word that begins like a version, and the TLS library where one is named.
fn version(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let number = line.split([' ', '/']).find(is_version).unwrap_or(line);
    match line.split_whitespace().find(|word| word.starts_with("OpenSSL/")) {
        Some(tls) => format!("{number} ({})", tls.replace('/', " ")),
        None => number.to_owned(),
    }
}

fn commit() -> String {
    let Some(commit) = answer("git", &["rev-parse", "--short=12", "HEAD"]) else {
        return "none".to_owned();
    };
    // The document itself is about to change.
    let changes = answer("git", &["status", "--porcelain", "--", ".", ":(exclude)docs/benchmarks.md"]);
    if changes.is_some_and(|changes| !changes.is_empty()) { format!("{commit} with changes") } else { commit }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_found_in_what_programs_write() {
        for (text, expected) in [
            (
                "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13\nmore",
                "7.88.1 (OpenSSL 3.0.19)",
            ),
            ("nginx version: nginx/1.22.1", "1.22.1"),
            ("skopeo version 1.9.3", "1.9.3"),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0"),
        ] {
            assert_eq!(version(text), expected);
        }
    }
}
