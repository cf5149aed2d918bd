//! The far server that cuts each connection: what the going on costs in time and in bytes that come twice.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::Bench;
use super::contender::{Contender, Stage};
use super::far;
use super::far_server::{FarServer, Traffic, behaviour};
use super::host::Others;
use super::report::{Goal, Section, megabytes};
use super::rounds::{self, median, turn};

/// Bytes of the layer after which a connection is cut.
const CUT_AFTER: u64 = 50_000_000;

/// The share of the time of an uncut run that cuts may cost.
const GOAL_TIME: f64 = 0.10;
/// The share of the layer that may come twice.
const GOAL_BYTES: f64 = 0.01;

/// Who fetches, over at most how many connections.
#[derive(Clone, Copy)]
struct Variant {
    contender: Contender,
    connections: Option<usize>,
}

const VARIANTS: [Variant; 4] = [
    Variant { contender: Contender::Module, connections: None },
    Variant { contender: Contender::Module, connections: Some(1) },
    Variant { contender: Contender::Example, connections: None },
    Variant { contender: Contender::Example, connections: Some(1) },
];

impl Variant {
    fn name(self) -> String {
        match self.connections {
            None => self.contender.name().to_owned(),
            Some(1) => format!("{}, one connection", self.contender.name()),
            Some(most) => format!("{}, at most {most} connections", self.contender.name()),
        }
    }
}

struct Fetched {
    seconds: f64,
    traffic: Traffic,
}

/// The same with and without cuts, after each other.
struct Pair {
    uncut: Fetched,
    cut: Fetched,
}

/// A variant's pairs, one of each round, or why there is none.
struct Row {
    variant: Variant,
    pairs: Result<Vec<Pair>>,
}

impl Row {
    fn measure_next(&mut self, stage: &Stage<'_>, server: &FarServer, round: usize, rounds: usize) {
        if let Ok(pairs) = &mut self.pairs {
            match pair(stage, server, self.variant.contender, round) {
                Ok(pair) => {
                    println!(
                        "{}/{rounds}  {:6.2} s uncut, {:6.2} s cut  {}",
                        round + 1,
                        pair.uncut.seconds,
                        pair.cut.seconds,
                        self.variant.name()
                    );
                    pairs.push(pair);
                }
                Err(error) => {
                    println!("{}/{rounds}  {} failed: {error:#}", round + 1, self.variant.name());
                    self.pairs = Err(error);
                }
            }
        }
    }
}

/// The share of the uncut run's time that the cuts have cost, the median of the rounds.
fn time_lost(pairs: &[Pair]) -> f64 {
    median(pairs.iter().map(|pair| pair.cut.seconds / pair.uncut.seconds - 1.0))
}

/// The share of the layer that came twice, the most of the rounds.
fn sent_twice<'a>(fetched: impl Iterator<Item = &'a Fetched>, layer_size: u64) -> f64 {
    fetched.map(|fetched| fetched.traffic.times_sent(layer_size) - 1.0).fold(f64::NEG_INFINITY, f64::max)
}

/// The module and the example, each with and without cuts.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    let image = bench.image(far::LAYER_MIB)?;
    let rounds = bench.rounds(far::ROUNDS);
    let server = FarServer::start(bench.registry, &image)?;
    let mut stage = bench.stage(server.address(), server.ca(), &image);
    let others = Others::watch(server.id())?;
    let mut rows = VARIANTS.map(|variant| Row { variant, pairs: Ok(Vec::new()) });
    for round in 0..rounds {
        for position in 0..rows.len() {
            let row = &mut rows[turn(position, round, VARIANTS.len())];
            stage.connections = row.variant.connections;
            row.measure_next(&stage, &server, round, rounds);
        }
    }
    Ok(Section {
        title: "Far server, cut connections",
        setting: format!(
            "A layer of {:.0} MB, {}. With cuts, it closes each connection that has had {:.0} MB of the layer, in the \
             middle of an answer. Each program fetches it with and without cuts in each of {rounds} rounds.",
            megabytes(image.layer_size() as f64),
            behaviour(),
            megabytes(CUT_AFTER as f64)
        ),
        goals: goals(&rows, image.layer_size()),
        figures: table(&rows, image.layer_size()),
        method: vec![
            "**time lost** is the median of the ratios to the uncut run of the same round, less 1; which of the two \
             runs is the first changes from round to round."
                .to_owned(),
            "**sent twice** is what the registry's log says it has sent of the layer's body, less the layer's size, \
             by the layer's size: the most of all rounds. What was on its way when a client left is in it."
                .to_owned(),
            "**connections** are those on which the layer was asked for, the median of the rounds.".to_owned(),
        ],
        facts: Vec::new(),
        others: others.share()?,
    })
}

fn pair(stage: &Stage<'_>, server: &FarServer, contender: Contender, round: usize) -> Result<Pair> {
    let fetch = |is_cut: bool| -> Result<Fetched> {
        server.cut_connections_after(is_cut.then_some(CUT_AFTER))?;
        server.forget()?;
        let sample =
            rounds::measure(stage, contender).with_context(|| if is_cut { "with cuts" } else { "without cuts" })?;
        Ok(Fetched { seconds: sample.seconds, traffic: server.traffic()? })
    };
    if round.is_multiple_of(2) {
        let uncut = fetch(false)?;
        Ok(Pair { uncut, cut: fetch(true)? })
    } else {
        let cut = fetch(true)?;
        Ok(Pair { uncut: fetch(false)?, cut })
    }
}

fn goals(rows: &[Row], layer_size: u64) -> Vec<Goal> {
    let mut goals = Vec::new();
    for row in rows {
        let share =
            |value: fn(&[Pair], u64) -> f64| -> Option<f64> { Some(value(row.pairs.as_ref().ok()?, layer_size)) };
        let mut goal = |what: String, share: Option<f64>, most: f64| {
            goals.push(Goal {
                what: format!("{}: {what}", row.variant.name()),
                result: share.map_or("failed".to_owned(), percent),
                is_met: share.is_some_and(|share| share <= most),
            });
        };
        let time = share(|pairs, _| time_lost(pairs));
        goal(format!("cuts cost at most {:.0}% of the time", GOAL_TIME * 1e2), time, GOAL_TIME);
        let twice = share(|pairs, size| sent_twice(pairs.iter().map(|pair| &pair.cut), size));
        goal(format!("at most {:.0}% of the layer is sent twice", GOAL_BYTES * 1e2), twice, GOAL_BYTES);
    }
    goals
}

fn table(rows: &[Row], layer_size: u64) -> String {
    let mut table = String::from(
        "| | seconds uncut, median | cut | time lost | sent twice, uncut | cut | connections, uncut | cut | \
         requests, uncut | cut |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for Row { variant, pairs } in rows {
        let Ok(pairs) = pairs else {
            let _ = writeln!(table, "| {} | failed | | | | | | | | |", variant.name());
            continue;
        };
        let uncut = || pairs.iter().map(|pair| &pair.uncut);
        let cut = || pairs.iter().map(|pair| &pair.cut);
        let connections = |fetched: &Fetched| fetched.traffic.layer_connections as f64;
        let requests = |fetched: &Fetched| fetched.traffic.requests as f64;
        let _ = writeln!(
            table,
            "| {} | {:.2} | {:.2} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            variant.name(),
            median(uncut().map(|fetched| fetched.seconds)),
            median(cut().map(|fetched| fetched.seconds)),
            percent(time_lost(pairs)),
            percent(sent_twice(uncut(), layer_size)),
            percent(sent_twice(cut(), layer_size)),
            median(uncut().map(connections)),
            median(cut().map(connections)),
            median(uncut().map(requests)),
            median(cut().map(requests)),
        );
    }
    table
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::far_server::Traffic;
    use super::{Fetched, Pair, sent_twice, time_lost};

    fn pair(uncut: f64, cut: f64, cut_bytes: u64) -> Pair {
        let fetched = |seconds, layer_bytes| Fetched {
            seconds,
            traffic: Traffic { requests: 1, layer_connections: 1, layer_bytes },
        };
        Pair { uncut: fetched(uncut, 100), cut: fetched(cut, cut_bytes) }
    }

    #[test]
    fn time_is_compared_within_a_round_and_of_the_bytes_the_worst_round_counts() {
        let pairs = [pair(2.0, 3.0, 100), pair(4.0, 5.0, 150), pair(1.0, 1.0, 125)];
        assert_eq!(time_lost(&pairs), 0.25);
        assert_eq!(sent_twice(pairs.iter().map(|pair| &pair.cut), 100), 0.5);
        assert_eq!(sent_twice(pairs.iter().map(|pair| &pair.uncut), 100), 0.0);
    }
}
