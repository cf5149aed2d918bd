//! Images of several layers on the disk and on a near server: what the archive costs beside what its layers cost anyway.

mod image;
mod material;
mod program;
mod size;

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};

use self::image::{Layout, Shape};
use self::program::{Program, Run, Stage};
use super::Bench;
use super::host::Others;
use super::near_server::NearServer;
use super::report::{Goal, Section, megabytes};
use super::rounds::{median, turn};

const ROUNDS: usize = 5;

/// How long the archive may take, in times of checking the blobs.
const GOAL_CHECK: f64 = 1.5;
/// The same for an image of a server, in times of fetching and checking.
const GOAL_FETCH: f64 = 1.3;
/// How many times as fast as unpacking and packing.
const GOAL_UMOCI: f64 = 10.0;
/// How much larger the archive may be than what remains of the blobs.
const GOAL_SIZE: f64 = 0.02;
/// Of the process's memory, in bytes.
const GOAL_MEMORY: f64 = 200e6;

/// The programs with the images.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    let rounds = bench.rounds(ROUNDS);
    let folder = bench.folder.join("layers");
    fs::create_dir(&folder)?;
    let even = Layout::provide(bench.cache, Shape::Even)?;
    let uneven = Layout::provide(bench.cache, Shape::Uneven)?;
    let many = Layout::provide(bench.cache, Shape::Many)?;
    let served = folder.join("served");
    even.serve_in(&served, super::image::NAME)?;
    let server = NearServer::start(&folder, &served, &even.layers[0].hex)?;
    let stage = |layout| Stage { bench, layout, address: server.address(), ca: server.ca(), folder: &folder };

    let others = Others::watch(server.id())?;
    let mut tables = Vec::new();
    for (title, layout, programs, rounds) in [
        ("Eight layers", &even, &Program::ALL[..], rounds),
        ("One layer with 90%", &uneven, &[Program::Check, Program::Archive], rounds),
        ("A million entries", &many, &[Program::Check, Program::Archive], 1),
    ] {
        println!("{title}");
        tables.push(Measured { title, layout, rows: in_turn(&stage(layout), programs, rounds)? });
    }
    let others = others.share()?;

    let mut goals = Vec::new();
    for measured in &tables {
        measured.goals(&mut goals)?;
    }
    let mut figures = String::new();
    for measured in &tables {
        let _ = writeln!(figures, "### {}\n\n{}", measured.title, measured.table());
    }
    let mut method: Vec<String> =
        Program::ALL.into_iter().map(|program| format!("**{}**: {}", program.name(), program.method())).collect();
    method.extend([
        "**Images**: OCI layouts of files that are installed on the machine, with 2,400 of them removed or replaced by \
         upper layers, scattered over all lower ones; each layer compressed with `gzip -6`. The image of a million \
         entries has names of 60 bytes, and files that are empty or have up to 200 bytes."
            .to_owned(),
        "**Rounds** are as with the near server. A ratio is the median of the ratios in the same round. The \
         archive's digest has to be the same every time."
            .to_owned(),
        "**Memory** is the program's VmHWM from /proc/PID/status, read every few milliseconds; the largest of all \
         rounds."
            .to_owned(),
        "**Size**: what remains of the blobs is, summed over the layers, the compressed size times the share of the \
         plain bytes that is in the archive, by what `tar -t` lists of it."
            .to_owned(),
    ]);
    Ok(Section {
        title: "Layers",
        setting: format!(
            "An image of {} layers, {:.0} MB compressed and {:.0} MB plain, on the disk and, over TLS, from nginx on \
             loopback; one of the same files of which one layer has 90%; and one of a million entries. Each program ran \
             once in each of {rounds} rounds, where nothing else is said.",
            even.layers.len(),
            megabytes(even.size() as f64),
            megabytes(even.plain() as f64)
        ),
        goals,
        figures,
        method,
        facts: vec![
            ("umoci".to_owned(), program::version("umoci", "--version")),
            ("pigz".to_owned(), program::version("pigz", "--version")),
        ],
        others,
    })
}

/// One program's measurements, a place for each round; none where it took no part.
struct Row {
    program: Program,
    runs: Vec<Option<Run>>,
}

impl Row {
    fn each(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().flatten()
    }

    fn ratio_to(&self, other: &Self) -> f64 {
        let rounds = self.runs.iter().zip(&other.runs);
        median(rounds.filter_map(|(own, other)| Some(own.as_ref()?.sample.seconds / other.as_ref()?.sample.seconds)))
    }

    /// The largest peak of its memory, in bytes.
    fn peak(&self) -> f64 {
        self.each().map(|run| run.peak as f64).fold(0.0, f64::max)
    }
}

fn in_turn(stage: &Stage<'_>, programs: &[Program], rounds: usize) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = programs.iter().map(|program| Row { program: *program, runs: Vec::new() }).collect();
    let mut digest: Option<String> = None;
    let count = rows.len();
    for round in 0..rounds {
        for position in 0..count {
            let row = &mut rows[turn(position, round, count)];
            if round >= row.program.rounds() {
                row.runs.push(None);
                continue;
            }
            let name = row.program.name();
            let run = row.program.run(stage).with_context(|| format!("{name} in round {}", round + 1))?;
            let sample = &run.sample;
            println!(
                "{}/{rounds}  {:6.2} s, CPU {:6.2} + {:5.2} s, {:6.1} MB  {name}",
                round + 1,
                sample.seconds,
                sample.user,
                sample.system,
                megabytes(run.peak as f64),
            );
            if let Some(archive) = &run.archive {
                let first = digest.get_or_insert_with(|| archive.digest.clone());
                if *first != archive.digest {
                    bail!("the archive has the digest {}, and had {first}", archive.digest);
                }
            }
            row.runs.push(Some(run));
        }
    }
    Ok(rows)
}

/// What the programs took for one image.
struct Measured<'a> {
    title: &'static str,
    layout: &'a Layout,
    rows: Vec<Row>,
}

impl Measured<'_> {
    fn row(&self, program: Program) -> Option<&Row> {
        self.rows.iter().find(|row| row.program == program)
    }

    fn goals(&self, goals: &mut Vec<Goal>) -> Result<()> {
        let title = self.title;
        let Some(archive) = self.row(Program::Archive) else { return Ok(()) };
        // A million headers are no measure of bytes.
        if self.rows.iter().all(|row| row.runs.len() > 1)
            && let Some(check) = self.row(Program::Check)
        {
            let ratio = archive.ratio_to(check);
            goals.push(Goal {
                what: format!("{title}: the archive takes at most {GOAL_CHECK} times as long as checking the blobs"),
                result: format!("{ratio:.2}"),
                is_met: ratio <= GOAL_CHECK,
            });
        }
        if let (Some(own), Some(other)) = (self.row(Program::FetchedArchive), self.row(Program::FetchedCheck)) {
            let ratio = own.ratio_to(other);
            goals.push(Goal {
                what: format!(
                    "{title}: from a server the archive takes at most {GOAL_FETCH} times as long as fetching and \
                     checking"
                ),
                result: format!("{ratio:.2}"),
                is_met: ratio <= GOAL_FETCH,
            });
        }
        if let Some(umoci) = self.row(Program::Umoci) {
            let ratio = umoci.ratio_to(archive);
            goals.push(Goal {
                what: format!("{title}: the archive is {GOAL_UMOCI} times as fast as umoci, tar and pigz"),
                result: format!("{ratio:.1}"),
                is_met: ratio >= GOAL_UMOCI,
            });
        }
        if let Some(size) = archive.each().filter_map(|run| run.archive.as_ref()).map(|archive| archive.size).next() {
            let excess = size.is as f64 / size.remains - 1.0;
            goals.push(Goal {
                what: format!(
                    "{title}: the archive is at most {:.0}% larger than what remains of the blobs",
                    GOAL_SIZE * 100.0
                ),
                result: format!("{:.2}%", excess * 100.0),
                is_met: excess <= GOAL_SIZE,
            });
        }
        for row in &self.rows {
            if matches!(row.program, Program::Archive | Program::FetchedArchive) {
                goals.push(Goal {
                    what: format!(
                        "{title}: {} takes less than {:.0} MB of memory",
                        row.program.name(),
                        megabytes(GOAL_MEMORY)
                    ),
                    result: format!("{:.0} MB", megabytes(row.peak())),
                    is_met: row.peak() < GOAL_MEMORY,
                });
            }
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut table = format!(
            "{} layers, {:.0} MB compressed and {:.0} MB plain.\n\n\
             | | seconds, median | least to most | times check | CPU seconds, user | and kernel | peak memory, MB | size, MB | \
             what remains of the blobs, MB |\n\
             | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
            self.layout.layers.len(),
            megabytes(self.layout.size() as f64),
            megabytes(self.layout.plain() as f64)
        );
        let check = self.row(Program::Check);
        for row in &self.rows {
            let seconds = || row.each().map(|run| run.sample.seconds);
            let most = self.rows.iter().map(|row| row.each().count()).max();
            let own = row.each().count();
            let few = if Some(own) == most { String::new() } else { format!(" ({own} rounds)") };
            let size = row.each().find_map(|run| run.archive.as_ref()).map(|archive| archive.size);
            let (is, remains) = match size {
                Some(size) => (format!("{:.1}", megabytes(size.is as f64)), format!("{:.1}", megabytes(size.remains))),
                None => (String::new(), String::new()),
            };
            let _ = writeln!(
                table,
                "| {}{few} | {:.2} | {:.2} to {:.2} | {:.2} | {:.2} | {:.2} | {} | {is} | {remains} |",
                row.program.name(),
                median(seconds()),
                seconds().fold(f64::INFINITY, f64::min),
                seconds().fold(0.0, f64::max),
                check.map_or(f64::NAN, |check| row.ratio_to(check)),
                median(row.each().map(|run| run.sample.user)),
                median(row.each().map(|run| run.sample.system)),
                if row.program.is_one_process() { format!("{:.0}", megabytes(row.peak())) } else { String::new() },
            );
        }
        table
    }
}
