//! Rounds of measurements in turn, and what they have in common.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use super::contender::{Contender, Stage};
use super::image;
use super::measure::{Memory, Sample};

/// One contender's measurements, a place for each round; none where it took no part.
pub(super) struct Row {
    pub(super) contender: Contender,
    pub(super) samples: Vec<Option<Sample>>,
}

impl Row {
    pub(super) fn new(contender: Contender) -> Self {
        Self { contender, samples: Vec::new() }
    }

    pub(super) fn each<'a, T: 'a>(&'a self, value: impl Fn(&'a Sample) -> T + 'a) -> impl Iterator<Item = T> + 'a {
        self.samples.iter().flatten().map(value)
    }

    pub(super) fn memory(&self) -> impl Iterator<Item = &Memory> {
        self.samples.iter().flatten().filter_map(|sample| sample.memory.as_ref())
    }

    /// The median of what it took in a round by what `other` took in the same one.
    pub(super) fn ratio_to(&self, other: &Self) -> f64 {
        let rounds = self.samples.iter().zip(&other.samples);
        median(rounds.filter_map(|(own, other)| Some(own.as_ref()?.seconds / other.as_ref()?.seconds)))
    }
}

/// A contender's row, if it took part.
pub(super) fn row(rows: &[Row], contender: Contender) -> Option<&Row> {
    rows.iter().find(|row| row.contender == contender)
}

/// What each contender took, beside curl.
pub(super) fn times(rows: &[Row], rounds: usize) -> String {
    let mut table = String::from(
        "| | seconds, median | least to most | times curl | CPU seconds, user | and kernel |\n\
         | --- | --: | --: | --: | --: | --: |\n",
    );
    for own in rows {
        let taken = own.each(|_| ()).count();
        let few = if taken == rounds { String::new() } else { format!(" ({taken} rounds)") };
        let ratio = row(rows, Contender::Curl).map_or(f64::NAN, |curl| own.ratio_to(curl));
        let _ = writeln!(
            table,
            "| {}{few} | {:.2} | {:.2} to {:.2} | {ratio:.2} | {:.2} | {:.2} |",
            own.contender.name(),
            median(own.each(|sample| sample.seconds)),
            own.each(|sample| sample.seconds).fold(f64::INFINITY, f64::min),
            own.each(|sample| sample.seconds).fold(0.0, f64::max),
            median(own.each(|sample| sample.user)),
            median(own.each(|sample| sample.system)),
        );
    }
    table
}

/// Each contender once a round.
pub(super) fn in_turn(stage: &Stage<'_>, contenders: &[Contender], rounds: usize) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = contenders.iter().copied().map(Row::new).collect();
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
pub(super) fn turn(position: usize, round: usize, count: usize) -> usize {
    let first = if position % 2 == 1 { position.div_ceil(2) } else { count - position / 2 };
    (first + round) % count
}

/// One measurement, with the file checked afterwards.
pub(super) fn measure(stage: &Stage<'_>, contender: Contender) -> Result<Sample> {
    let (sample, file) = contender.run(stage)?;
    let digest = image::sha256(&file)?;
    if digest != stage.image.layer_hex() {
        bail!("{} has the SHA-256 {digest}, the layer {}", file.display(), stage.image.layer_hex());
    }
    Ok(sample)
}

/// Of an even number the mean of the two in the middle; of nothing no number.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
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
    use std::collections::BTreeSet;

    use super::super::contender::Contender;
    use super::super::measure::Sample;
    use super::{Row, median, turn};

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
