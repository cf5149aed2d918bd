//! The benchmark: images with one large layer, fetched by several programs in turn from a near and from a far server, and images
//! with several, on the disk and on a near server.
//!
//! Everything it makes lies in one folder of the user's cache, so that all programs write to the same disk. The images
//! stay there for the next run, the rest goes.

mod contender;
mod crowd;
mod cut;
mod far;
mod far_server;
mod host;
mod image;
mod layers;
mod measure;
mod memory;
mod near;
mod near_server;
mod report;
mod rounds;
mod startup;
mod together;
mod windows;

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use self::contender::Stage;
use self::host::Host;
use self::image::Image;
use self::report::{Report, Section};
use crate::cargo;
use crate::machine::Program;
use crate::module;
use crate::process;

/// The share of the CPU time that others may take before a run is called doubtful.
const BUSY: f64 = 0.03;

const DOCUMENT: &str = "docs/benchmarks.md";

/// What is measured. Only what was measured with none of these is written to docs/benchmarks.md.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this scenario; may be given more than once
    #[arg(long, value_enum, value_name = "SCENARIO")]
    only: Vec<Scenario>,
    /// Size of the layer, in place of each scenario's own
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    layer_mib: Option<u64>,
    /// How often each program runs, in place of each scenario's own number
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// The programs' own work, beside curl, skopeo and the original script; memory; the import
    Near,
    /// Time beside curl and skopeo when each answer takes a while and each connection has a speed
    Far,
    /// What it costs that the far server cuts each connection
    Cut,
    /// Twenty processes at once with one destination, one cache or both
    Together,
    /// What the archive of several layers costs beside checking them, in time, size and memory
    Layers,
    /// The module for Windows in wine, beside the one for Linux
    Windows,
}

impl Scenario {
    fn measure(self, bench: &Bench<'_>) -> Result<Section> {
        match self {
            Self::Near => near::measure(bench),
            Self::Far => far::measure(bench),
            Self::Cut => cut::measure(bench),
            Self::Together => together::measure(bench),
            Self::Layers => layers::measure(bench),
            Self::Windows => windows::measure(bench),
        }
    }
}

/// What all scenarios need.
struct Bench<'a> {
    options: &'a Options,
    module: &'a Path,
    example: &'a Path,
    /// The example that only checks layers.
    check: &'a Path,
    /// The test registry's program.
    registry: &'a Path,
    cache: &'a Path,
    folder: &'a Path,
}

impl Bench<'_> {
    /// The image with a layer of the size that was asked for, else of `mib` MiB.
    fn image(&self, mib: u64) -> Result<Image> {
        Image::provide(self.cache, self.options.layer_mib.unwrap_or(mib))
    }

    /// The rounds that were asked for, else `rounds`.
    fn rounds(&self, rounds: usize) -> usize {
        self.options.rounds.map_or(rounds, usize::from)
    }

    /// For a server at `HOST:PORT` that has the image.
    fn stage<'a>(&'a self, address: String, ca: PathBuf, image: &'a Image) -> Stage<'a> {
        Stage {
            address,
            ca,
            image,
            module: self.module,
            example: self.example,
            original: contender::original(),
            connections: None,
            folder: self.folder,
        }
    }
}

/// Measures and prints; what was measured in full is also written to docs/benchmarks.md.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("the benchmark runs on Linux only: what is measured is read from /proc");
    }
    expect_programs()?;
    let module = module::build()?;
    let example = cargo::build(["--release", "--package", "wslimage", "--example", "pull"])?.program("pull")?;
    let check = cargo::build(["--release", "--package", "wslimage", "--example", "check"])?.program("check")?;
    let registry = cargo::build(["--release", "--package", "wslimage-test-registry"])?;
    let registry = registry.program("wslimage-test-registry")?;

    let cache = cache()?;
    let _lock = lock(&cache)?;
    let folder = RunFolder::new(&cache)?;
    let bench = Bench {
        options,
        module,
        example: &example,
        check: &check,
        registry: &registry,
        cache: &cache,
        folder: folder.path(),
    };
    let chosen = |scenario: &&Scenario| options.only.is_empty() || options.only.contains(scenario);
    let mut sections = Vec::new();
    for scenario in Scenario::value_variants().iter().filter(chosen) {
        let section = scenario.measure(&bench)?;
        println!("\n{}", section.tables());
        if section.others > BUSY {
            let percent = section.others * 100.0;
            println!("Something else took {percent:.0}% of the CPU time: these figures say little.\n");
        }
        sections.push(section);
    }
    let others = sections.iter().map(|section| section.others).fold(0.0, f64::max);
    let report = Report { sections, host: Host::describe(&cache, others)? };
    println!("{}", report.goals());
    if options.only.is_empty() && options.layer_mib.is_none() && options.rounds.is_none() {
        let file = process::root().join(DOCUMENT);
        fs::create_dir_all(file.parent().context("a file in no folder")?)?;
        fs::write(&file, report.document()).with_context(|| file.display().to_string())?;
        println!("Written to {DOCUMENT}");
    } else {
        println!("Not written to {DOCUMENT}: that is for all scenarios with their own sizes and rounds.");
    }
    Ok(())
}

fn expect_programs() -> Result<()> {
    let of_module = [Program::DotnetSdk, Program::PowerShell, Program::WindowsPowerShell, Program::MinGw];
    let mut missing: Vec<&str> =
        of_module.into_iter().filter(|program| !program.is_available()).map(Program::name).collect();
    missing.extend(
        [
            ("curl", "--version"),
            ("nginx", "-v"),
            ("skopeo", "--version"),
            ("openssl", "version"),
            ("gzip", "--version"),
            ("sha256sum", "--version"),
            ("timeout", "--version"),
            ("setpriv", "--version"),
            ("script", "--version"),
            ("tar", "--version"),
            ("umoci", "--version"),
            ("pigz", "--version"),
            ("wine", "--version"),
        ]
        .into_iter()
        .filter(|(program, argument)| host::answer(program, &[argument]).is_none())
        .map(|(program, _)| program),
    );
    if !missing.is_empty() {
        bail!("the benchmark needs {}", missing.join(", "));
    }
    Ok(())
}

fn cache() -> Result<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .context("there is no cache folder: set HOME or XDG_CACHE_HOME")?
        .join("wslimage-bench");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Two at a time would measure each other.
fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another benchmark is running"),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// What one run makes and its end removes; what a killed run has left goes at the next one's start.
struct RunFolder(PathBuf);

impl RunFolder {
    fn new(cache: &Path) -> Result<Self> {
        let folder = Self(cache.join("run"));
        folder.remove();
        fs::create_dir(&folder.0).with_context(|| folder.0.display().to_string())?;
        Ok(folder)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        self.remove();
    }
}
