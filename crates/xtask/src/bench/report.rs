//! The figures as tables, and the document around them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::contender::Contender;
use super::host::Host;
use super::measure::{Memory, Sample};
use super::startup::Start;

/// How long `Get-DockerImage` may take, in times of curl.
const GOAL_RATIO: f64 = 1.25;
/// How far the peak of the shell's memory may be above that before the call, in bytes.
const GOAL_MEMORY: f64 = 64e6;
/// How long the import may take, in seconds.
const GOAL_IMPORT: f64 = 0.3;

/// One contender's measurements, a place for each round; none where it took no part.
pub(super) struct Row {
    pub(super) contender: Contender,
    pub(super) samples: Vec<Option<Sample>>,
}

impl Row {
    pub(super) fn new(contender: Contender) -> Self {
        Self { contender, samples: Vec::new() }
    }

    fn each<'a, T: 'a>(&'a self, value: impl Fn(&'a Sample) -> T + 'a) -> impl Iterator<Item = T> + 'a {
        self.samples.iter().flatten().map(value)
    }

    fn memory(&self) -> impl Iterator<Item = &Memory> {
        self.samples.iter().flatten().filter_map(|sample| sample.memory.as_ref())
    }

    /// The median of what it took in a round by what `other` took in the same one.
    fn ratio_to(&self, other: &Self) -> f64 {
        let rounds = self.samples.iter().zip(&other.samples);
        median(rounds.filter_map(|(own, other)| Some(own.as_ref()?.seconds / other.as_ref()?.seconds)))
    }
}

/// Everything that was measured.
pub(super) struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) imports: Vec<Start>,
    pub(super) layer_size: u64,
    pub(super) rounds: usize,
    /// TLS version and cipher by User-Agent.
    pub(super) transports: BTreeMap<String, String>,
    pub(super) host: Host,
}

impl Report {
    /// The tables alone.
    pub(super) fn tables(&self) -> String {
        format!(
            "## Goals\n\n{}\n## Time\n\n{}\n## Memory\n\n{}\n## Import\n\n{}",
            self.goals(),
            self.times(),
            self.memory(),
            self.import()
        )
    }

    /// docs/benchmarks.md.
    pub(super) fn document(&self) -> String {
        let mut text = format!(
            "# Benchmarks\n\n\
             A layer of {:.0} MB (a tar.gz of files that do not compress), over TLS from nginx on loopback, fetched by \
             each program once in each of {} rounds. Measured on {} at commit {} by `./build.sh bench`, which writes \
             this file.\n\n{}\n## How it is measured\n\n",
            megabytes(self.layer_size as f64),
            self.rounds,
            self.host.date,
            self.host.commit,
            self.tables(),
        );
        for row in &self.rows {
            let _ = writeln!(text, "- **{}**: {}", row.contender.name(), row.contender.method());
        }
        let _ = writeln!(
            text,
            "- **Rounds**: all programs run in turn, in each round in another order, so that each comes after another one. All \
             write to the same folder. Immediately before each measurement, and outside of it, what the one before wrote \
             is deleted, the disk is synced, and more memory than the layer takes is used and freed again (freed memory \
             of a virtual machine goes back to its host after a while, and its next use is slower). Afterwards the file's \
             SHA-256 is checked. A ratio is the median of the ratios to curl in the same round.\n\
             - **CPU** is that of the program and what it started, without nginx; for commands in PowerShell that of the \
             shell during the call.\n\
             - **Memory** is VmHWM from /proc/PID/status, read by the shell itself before and after the call. Before the \
             call the peak is reset to what is resident (`echo 5 > /proc/PID/clear_refs`), so that the peak afterwards is \
             the call's own.\n\
             - **Import** is the whole time of `pwsh -NoProfile -Command 1` and of `pwsh -NoProfile -Command \
             \"Import-Module …\"`, {} times in turn.",
            self.imports.len(),
        );
        text.push_str("\n## Where\n\n| | |\n| --- | --- |\n");
        for (name, fact) in &self.host.facts {
            let _ = writeln!(text, "| {name} | {fact} |");
        }
        for (client, transport) in &self.transports {
            // Without what a client tells of its system.
            let client = match client.split(" (").next().unwrap_or(client) {
                "-" => Contender::Original.name(),
                named => named,
            };
            let _ = writeln!(text, "| {client} got | {transport} |");
        }
        text
    }

    fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| row.contender == contender)
    }

    fn goals(&self) -> String {
        let mut table = String::from("| goal | result | |\n| --- | --- | --- |\n");
        let mut line = |goal: String, result: String, is_met: bool| {
            let verdict = if is_met { "met" } else { "not met" };
            let _ = writeln!(table, "| {goal} | {result} | {verdict} |");
        };
        for contender in [Contender::Module, Contender::ModuleInTerminal] {
            let name = contender.name();
            let (Some(row), Some(curl)) = (self.row(contender), self.row(Contender::Curl)) else {
                continue;
            };
            let ratio = row.ratio_to(curl);
            line(
                format!("{name} takes at most {GOAL_RATIO} times as long as curl"),
                format!("{ratio:.2}"),
                ratio <= GOAL_RATIO,
            );
            let peak = row.memory().map(|memory| own_peak(memory).unwrap_or(growth(memory))).fold(0.0, f64::max);
            line(
                format!("{name} takes the shell's VmHWM at most {:.0} MB up", megabytes(GOAL_MEMORY)),
                format!("{:.1} MB", megabytes(peak)),
                peak <= GOAL_MEMORY,
            );
        }
        let import = self.import_cost();
        line(
            format!("the import costs at most {:.0} ms", GOAL_IMPORT * 1e3),
            format!("{:.0} ms", import * 1e3),
            import <= GOAL_IMPORT,
        );
        table
    }

    fn times(&self) -> String {
        let mut table = String::from(
            "| | seconds, median | least to most | times curl | CPU seconds, user | and kernel |\n\
             | --- | --: | --: | --: | --: | --: |\n",
        );
        for row in &self.rows {
            let rounds = row.each(|_| ()).count();
            let few = if rounds == self.rounds { String::new() } else { format!(" ({rounds} rounds)") };
            let ratio = self.row(Contender::Curl).map_or(f64::NAN, |curl| row.ratio_to(curl));
            let _ = writeln!(
                table,
                "| {}{few} | {:.2} | {:.2} to {:.2} | {ratio:.2} | {:.2} | {:.2} |",
                row.contender.name(),
                median(row.each(|sample| sample.seconds)),
                row.each(|sample| sample.seconds).fold(f64::INFINITY, f64::min),
                row.each(|sample| sample.seconds).fold(0.0, f64::max),
                median(row.each(|sample| sample.user)),
                median(row.each(|sample| sample.system)),
            );
        }
        table
    }

    fn memory(&self) -> String {
        let mut table = String::from(
            "The largest of all rounds, in MB.\n\n\
             | | peak before the call | peak after it | the peak rose by | above what was resident before |\n\
             | --- | --: | --: | --: | --: |\n",
        );
        for row in self.rows.iter().filter(|row| row.memory().next().is_some()) {
            let largest = |value: fn(&Memory) -> f64| megabytes(row.memory().map(value).fold(0.0, f64::max));
            let own = match row.memory().filter_map(own_peak).reduce(f64::max) {
                Some(own) => format!("{:.1}", megabytes(own)),
                None => "the peak could not be reset".to_owned(),
            };
            let _ = writeln!(
                table,
                "| {} | {:.1} | {:.1} | {:.1} | {own} |",
                row.contender.name(),
                largest(|memory| bytes(memory.before)),
                largest(|memory| bytes(memory.before.max(memory.after))),
                largest(growth),
            );
        }
        table
    }

    fn import(&self) -> String {
        format!(
            "| | ms, median |\n| --- | --: |\n| bare start | {:.0} |\n| start and import | {:.0} |\n\
             | the import, median of the differences | {:.0} |\n",
            median(self.imports.iter().map(|start| start.bare)) * 1e3,
            median(self.imports.iter().map(|start| start.with_import)) * 1e3,
            self.import_cost() * 1e3,
        )
    }

    fn import_cost(&self) -> f64 {
        median(self.imports.iter().map(|start| start.with_import - start.bare))
    }
}

/// How far the peak rose, as it is without the reset, in bytes.
fn growth(memory: &Memory) -> f64 {
    bytes((memory.after - memory.before).max(0))
}

/// The peak of the call above what was resident before it, in bytes; none where the peak could not be reset.
fn own_peak(memory: &Memory) -> Option<f64> {
    memory.resident.map(|resident| bytes(memory.after - resident))
}

fn bytes(kib: i64) -> f64 {
    kib as f64 * 1024.0
}

fn megabytes(bytes: f64) -> f64 {
    bytes / 1e6
}

/// Of an even number the mean of the two in the middle; of nothing no number.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::contender::Contender;
    use super::super::measure::{Memory, Sample};
    use super::{Row, growth, median, own_peak};

    fn row(contender: Contender, seconds: &[Option<f64>]) -> Row {
        let sample = |seconds: &f64| Sample { seconds: *seconds, user: 0.0, system: 0.0, memory: None };
        Row { contender, samples: seconds.iter().map(|seconds| seconds.as_ref().map(sample)).collect() }
    }

    #[test]
    fn a_ratio_compares_within_a_round_and_leaves_out_where_one_took_no_part() {
        let curl = row(Contender::Curl, &[Some(1.0), Some(10.0), Some(2.0)]);
        assert_eq!(row(Contender::Example, &[Some(2.0), Some(11.0), Some(3.0)]).ratio_to(&curl), 1.5);
        assert_eq!(row(Contender::Original, &[Some(4.0), None, None]).ratio_to(&curl), 4.0);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0, 10.0].into_iter()), 2.5);
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
    }

    #[test]
    fn a_call_that_stays_below_an_older_peak_raises_none_and_still_has_its_own() {
        let memory = Memory { before: 1000, resident: Some(500), after: 900 };
        assert_eq!(growth(&memory), 0.0);
        assert_eq!(own_peak(&memory), Some(400.0 * 1024.0));
    }
}
