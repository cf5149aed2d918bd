//! The benchmark: an image with one large layer, over TLS from nginx on loopback, fetched by several programs in turn.
//!
//! Everything it makes lies in one folder of the user's cache, so that all programs write to the same disk. The image
//! stays there for the next run, the rest goes.

mod contender;
mod host;
mod image;
mod measure;
mod report;
mod server;
mod startup;

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::contender::{Contender, Stage};
use self::host::{Host, Others};
use self::image::Image;
use self::measure::Sample;
use self::report::{Report, Row};
use self::server::Server;
use crate::cargo;
use crate::machine::Program;
use crate::module;
use crate::process;

/// Size of the layer when nothing is said.
pub(crate) const LAYER_MIB: u64 = 700;
/// Rounds when nothing is said.
pub(crate) const ROUNDS: usize = 5;

/// The share of the CPU time that others may take before a run is called doubtful.
const BUSY: f64 = 0.03;

const DOCUMENT: &str = "docs/benchmarks.md";

/// Measures and prints; what was measured with the default size and rounds is also written to docs/benchmarks.md.
pub(crate) fn run(layer_mib: u64, rounds: usize) -> Result<()> {
    if layer_mib == 0 || rounds == 0 {
        bail!("there must be something to measure");
    }
    if !cfg!(target_os = "linux") {
        bail!("the benchmark runs on Linux only: what is measured is read from /proc");
    }
    expect_programs()?;
    let module = module::build()?;
    let example = cargo::build(["--release", "--package", "wslimage", "--example", "pull"])?.program("pull")?;

    let cache = cache()?;
    let _lock = lock(&cache)?;
    let image = Image::provide(&cache, layer_mib)?;
    let folder = RunFolder::new(&cache)?;
    let server = Server::start(folder.path(), &image)?;
    let stage = Stage {
        server: &server,
        image: &image,
        module,
        example: &example,
        original: contender::original(),
        folder: folder.path(),
    };
    let others = Others::watch(server.id())?;
    let rows = in_turn(&stage, rounds)?;
    let others = others.share()?;
    let imports = startup::import(module)?;
    let report = Report {
        rows,
        imports,
        layer_size: image.layer_size(),
        rounds,
        transports: server.transports()?,
        host: Host::describe(&cache, others)?,
    };
    println!("\n{}", report.tables());
    if others > BUSY {
        println!("Something else took {:.0}% of the CPU time: these figures say little.", others * 100.0);
    }
    if (layer_mib, rounds) == (LAYER_MIB, ROUNDS) {
        let file = process::root().join(DOCUMENT);
        fs::create_dir_all(file.parent().context("a file in no folder")?)?;
        fs::write(&file, report.document()).with_context(|| file.display().to_string())?;
        println!("Written to {DOCUMENT}");
    } else {
        println!("Not written to {DOCUMENT}: that is for {LAYER_MIB} MiB and {ROUNDS} rounds.");
    }
    Ok(())
}

/// Each contender once a round.
fn in_turn(stage: &Stage<'_>, rounds: usize) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Contender::ALL
        .into_iter()
        .filter(|&contender| contender != Contender::Original || stage.original.is_some())
        .map(Row::new)
        .collect();
    let count = rows.len();
    for round in 0..rounds {
        for position in 0..count {
            let row = &mut rows[turn(position, round, count)];
            let sample = if round < row.contender.rounds() {
                let sample = measure(stage, row.contender)
                    .with_context(|| format!("{} in round {}", row.contender.name(), round + 1))?;
                println!(
                    "{}/{rounds}  {:6.2} s, CPU {:5.2} + {:5.2} s  {}",
                    round + 1,
                    sample.seconds,
                    sample.user,
                    sample.system,
                    row.contender.name()
                );
                Some(sample)
            } else {
                None
            };
            row.samples.push(sample);
        }
    }
    Ok(rows)
}

/// Whose turn it is, of `count`: every time after another one, because what one leaves behind (in the caches, in the
/// allocators, on the disk) may be worth something to the next. It is the order of E. J. Williams (1949).
fn turn(position: usize, round: usize, count: usize) -> usize {
    let first = if position % 2 == 1 { position.div_ceil(2) } else { count - position / 2 };
    (first + round) % count
}

/// One measurement, with the file checked afterwards.
fn measure(stage: &Stage<'_>, contender: Contender) -> Result<Sample> {
    let (sample, file) = contender.run(stage)?;
    let digest = image::sha256(&file)?;
    if digest != stage.image.layer_hex() {
        bail!("{} has the SHA-256 {digest}, the layer {}", file.display(), stage.image.layer_hex());
    }
    Ok(sample)
}

fn expect_programs() -> Result<()> {
    let of_module = [Program::DotnetSdk, Program::PowerShell];
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::turn;

    #[test]
    fn everyone_has_a_turn_in_each_round_and_each_time_after_another_one() {
        const COUNT: usize = 8;
        let mut neighbours = BTreeSet::new();
        for round in 0..COUNT {
            let order: Vec<usize> = (0..COUNT).map(|position| turn(position, round, COUNT)).collect();
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), COUNT);
            neighbours.extend(order.windows(2).map(|pair| (pair[0], pair[1])));
        }
        assert_eq!(neighbours.len(), COUNT * (COUNT - 1));
    }
}
