//! Twenty processes at once that want the same image: one of them fetches it for all.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Bench;
use super::contender::{Contender, Stage};
use super::crowd::{self, Begin};
use super::far;
use super::far_server::{FarServer, Traffic, behaviour};
use super::host::Others;
use super::image;
use super::measure::limited;
use super::report::{Goal, Section, megabytes};
use super::rounds::median;
use crate::process;

const PROCESSES: usize = 20;
/// For the shells, each of which needs memory of its own.
const LAYER_MIB_IN_POWERSHELL: u64 = 96;

/// How many times the layer may be sent: once, and what is on its way when the one process that fetches it goes over from
/// one connection to several.
const GOAL_SENT: f64 = 1.05;

/// What the processes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    /// All into the same file.
    Destination,
    /// All into the same file, with a cache.
    DestinationAndCache,
    /// Each into a file of its own, with the same cache.
    Cache,
}

impl Shared {
    const ALL: [Self; 3] = [Self::Destination, Self::DestinationAndCache, Self::Cache];

    fn name(self) -> &'static str {
        match self {
            Self::Destination => "one destination",
            Self::DestinationAndCache => "one destination, one cache",
            Self::Cache => "a destination each, one cache",
        }
    }

    fn destinations(self, folder: &Path, processes: usize) -> Vec<PathBuf> {
        let files = if self == Self::Cache { processes } else { 1 };
        (1..=files).map(|number| folder.join(format!("layer-{number}.tar.gz"))).collect()
    }
}

/// What one process alone or all together have done.
struct Fetched {
    seconds: f64,
    failed: usize,
    /// What is wrong with what lies in the folder afterwards.
    wrong: Vec<String>,
    traffic: Traffic,
}

struct Round {
    alone: Fetched,
    together: Fetched,
}

struct Row {
    contender: Contender,
    shared: Shared,
    layer_size: u64,
    rounds: Vec<Round>,
}

impl Row {
    fn name(&self) -> String {
        format!("{}, {}", self.contender.name(), self.shared.name())
    }

    fn failed(&self) -> usize {
        self.rounds.iter().map(|round| round.together.failed).sum()
    }

    fn wrong(&self) -> usize {
        self.rounds.iter().map(|round| round.together.wrong.len()).sum()
    }

    /// The most of all rounds.
    fn times_sent(&self) -> f64 {
        self.rounds.iter().map(|round| round.together.traffic.times_sent(self.layer_size)).fold(0.0, f64::max)
    }

    fn goal(&self) -> Goal {
        let (failed, wrong, sent) = (self.failed(), self.wrong(), self.times_sent());
        Goal {
            what: format!(
                "{}: none of {PROCESSES} processes fails, the files are right, the layer is sent once",
                self.name()
            ),
            result: format!("{failed} failed, {wrong} files wrong, sent {sent:.2} times"),
            is_met: failed == 0 && wrong == 0 && sent <= GOAL_SENT,
        }
    }
}

/// The example and the module, each alone and together.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    let rounds = bench.rounds(far::ROUNDS);
    let mut rows = Vec::new();
    let mut others = 0.0_f64;
    let mut sizes = Vec::new();
    for (contender, mib) in [(Contender::Example, far::LAYER_MIB), (Contender::Module, LAYER_MIB_IN_POWERSHELL)] {
        let image = bench.image(mib)?;
        let server = FarServer::start(bench.registry, &image)?;
        let stage = bench.stage(server.address(), server.ca(), &image);
        let watch = Others::watch(server.id())?;
        let of_contender = rows.len();
        rows.extend(Shared::ALL.map(|shared| Row {
            contender,
            shared,
            layer_size: image.layer_size(),
            rounds: Vec::new(),
        }));
        for number in 1..=rounds {
            for row in &mut rows[of_contender..] {
                let alone = fetch(&stage, &server, contender, row.shared, 1)?;
                let together = fetch(&stage, &server, contender, row.shared, PROCESSES)?;
                println!(
                    "{number}/{rounds}  {:6.2} s alone, {:6.2} s together  {}",
                    alone.seconds,
                    together.seconds,
                    row.name()
                );
                row.rounds.push(Round { alone, together });
            }
        }
        others = others.max(watch.share()?);
        sizes.push(megabytes(image.layer_size() as f64));
    }
    Ok(Section {
        title: "Twenty processes",
        setting: format!(
            "{PROCESSES} processes at once and one alone, in each of {rounds} rounds. {}: a layer of {:.0} MB; {}: one \
             of {:.0} MB. It comes {}.",
            Contender::Example.name(),
            sizes[0],
            Contender::Module.name(),
            sizes[1],
            behaviour()
        ),
        goals: rows.iter().map(Row::goal).collect(),
        figures: table(&rows),
        method: vec![
            "Every run begins with an empty folder and, where there is one, an empty cache (`WSLIMAGE_CACHE`). The time \
             is that from the moment at which all begin to the end of the last one."
                .to_owned(),
            format!(
                "**{}**: all processes are started at once. **{}**: the shells are started and import the module \
                 first; when all are ready, all call the command.",
                Contender::Example.name(),
                Contender::Module.name()
            ),
            "**failed** is every process that ends with an error or tells another digest. **files wrong** are those \
             whose SHA-256 is not the layer's, and those that should not be there. Both are sums of all rounds; \
             **sent** is the most of all rounds: the bytes of the layer's body in the registry's log, by its size."
                .to_owned(),
        ],
        facts: Vec::new(),
        others,
    })
}

fn fetch(
    stage: &Stage<'_>,
    server: &FarServer,
    contender: Contender,
    shared: Shared,
    processes: usize,
) -> Result<Fetched> {
    stage.prepare()?;
    let cache = stage.folder.join("cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    server.forget()?;
    let destinations = shared.destinations(&stage.output(), processes);
    let commands = destinations.iter().cycle().take(processes).map(|destination| {
        let mut command = command(stage, contender, destination);
        if shared != Shared::Destination {
            command.env("WSLIMAGE_CACHE", &cache);
        }
        command
    });
    let begin = if contender == Contender::Module { Begin::WhenInputCloses } else { Begin::AtStart };
    let crowd = crowd::run(commands.collect(), begin);

    let failures: Vec<String> =
        crowd.outcomes.iter().filter_map(|outcome| failure(outcome, stage.image.layer_hex())).collect();
    if let Some(first) = failures.first() {
        println!("{} of {processes} processes failed, the first: {first}", failures.len());
    }
    let wrong = what_is_wrong(&stage.output(), &destinations, stage.image.layer_hex())?;
    for line in &wrong {
        println!("{line}");
    }
    Ok(Fetched { seconds: crowd.seconds, failed: failures.len(), wrong, traffic: server.traffic()? })
}

/// Why a process has not done what it should.
fn failure(outcome: &Result<String>, layer_hex: &str) -> Option<String> {
    match outcome {
        Ok(told) if told.trim_start_matches("sha256:") == layer_hex => None,
        Ok(told) => Some(format!("it told the digest {told:?}")),
        Err(error) => Some(format!("{error:#}")),
    }
}

fn command(stage: &Stage<'_>, contender: Contender, destination: &Path) -> Command {
    if contender == Contender::Module {
        let mut command = limited("pwsh");
        command.args(["-NoLogo", "-NoProfile", "-File"]);
        command.arg(process::root().join("crates/xtask/src/bench/together.ps1"));
        command.arg("-Module").arg(stage.module).arg("-CACertificatePath").arg(&stage.ca);
        command.args(["-Registry", &stage.address, "-ImageName", image::NAME, "-Tag", image::TAG]);
        command.arg("-DestinationFile").arg(destination);
        command
    } else {
        stage.example(destination)
    }
}

/// What lies in `folder` and should not, and what should and does not, in words.
fn what_is_wrong(folder: &Path, destinations: &[PathBuf], layer_hex: &str) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for destination in destinations {
        match image::sha256(destination) {
            Ok(digest) if digest == layer_hex => {}
            Ok(digest) => wrong.push(format!("{} has the SHA-256 {digest}", destination.display())),
            Err(error) => wrong.push(format!("{} cannot be read: {error:#}", destination.display())),
        }
    }
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if !destinations.contains(&path) {
            wrong.push(format!("{} was left behind", path.display()));
        }
    }
    Ok(wrong)
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| | seconds alone, median | together | times alone | requests alone | together | sent | failed | files wrong |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for row in rows {
        let of_rounds = |value: fn(&Round) -> f64| median(row.rounds.iter().map(value));
        let _ = writeln!(
            table,
            "| {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} times | {} | {} |",
            row.name(),
            of_rounds(|round| round.alone.seconds),
            of_rounds(|round| round.together.seconds),
            of_rounds(|round| round.together.seconds / round.alone.seconds),
            of_rounds(|round| round.alone.traffic.requests as f64),
            of_rounds(|round| round.together.traffic.requests as f64),
            row.times_sent(),
            row.failed(),
            row.wrong(),
        );
    }
    table
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::what_is_wrong;

    #[test]
    fn a_wrong_a_missing_and_a_surplus_file_are_told() {
        // printf right | sha256sum
        const RIGHT: &str = "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("right"), "right").expect("a file");
        assert!(what_is_wrong(folder.path(), &[file("right")], RIGHT).expect("the folder is read").is_empty());
        fs::write(file("wrong"), "wrong").expect("a file");
        fs::write(file("right.partial"), "ri").expect("a file");
        let wrong = what_is_wrong(folder.path(), &[file("right"), file("wrong"), file("missing")], RIGHT);
        let wrong = wrong.expect("the folder is read");
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].contains("SHA-256") && wrong[1].contains("missing") && wrong[2].contains("partial"));
    }
}
