//! The project's own commands, which need no PowerShell to start: `cargo xtask TASK`.
//!
//! `build.sh` and `build.ps1` find or install the toolchain, then call this with the same task.

mod bench;
mod cargo;
mod counts;
mod demo;
mod fuzz;
mod header;
mod libraries;
mod machine;
mod module;
mod package;
mod process;
mod registry;
mod rootfs;
mod server;
mod suites;
mod symlink;
mod wine;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the module, ready to import, in out/WslImage
    Build,
    /// Run every suite, or the named ones, and count
    Test {
        /// Names of suites
        suites: Vec<String>,
        /// List the suites and run none
        #[arg(long)]
        list: bool,
    },
    /// Try each parser with damaged documents, longer than the tests do
    Fuzz {
        /// How long each parser is tried
        #[arg(default_value_t = fuzz::SECONDS)]
        seconds: u64,
    },
    /// Get an image as a user would: from the project's own registry, or REFERENCE from the real one
    Demo {
        /// For example ghcr.io/owner/name:tag
        reference: Option<String>,
    },
    /// Measure Get-DockerImage beside curl and skopeo, and write docs/benchmarks.md
    Bench(bench::Options),
    /// Put the module into what the PowerShell Gallery takes and a zip file, in out/package
    Package(package::Options),
    /// Build the native library alone, into out/libraries/RID
    Library {
        /// .NET's names of systems, such as win-x64; all that this machine can build for when none is given
        rids: Vec<String>,
    },
    /// Write crates/wslimage-capi/include/wslimage.h from the C ABI's source
    Header {
        /// Write nothing, fail when the committed header differs
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Build => module::build().map(drop),
        Task::Test { list: true, .. } => {
            suites::list();
            Ok(())
        }
        Task::Test { suites, .. } => suites::run(&suites),
        Task::Fuzz { seconds } => fuzz::run(seconds),
        Task::Demo { reference } => demo::run(reference.as_deref()),
        Task::Bench(options) => bench::run(&options),
        Task::Package(options) => package::build(&options).map(drop),
        Task::Library { rids } => package::build_libraries(&rids),
        Task::Header { check: true } => header::check(),
        Task::Header { check: false } => header::write(),
    }
}
