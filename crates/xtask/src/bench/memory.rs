//! What a call costs a shell in memory.

use std::fmt::Write as _;

use super::measure::Memory;
use super::report::{Goal, megabytes};
use super::rounds::Row;

/// How far the peak of the shell's memory may be above that before the call, in bytes.
const GOAL: f64 = 64e6;

/// Whether a shell stayed below the goal in all rounds.
pub(super) fn goal(row: &Row) -> Goal {
    let peak = row.memory().map(|memory| own_peak(memory).unwrap_or(growth(memory))).fold(0.0, f64::max);
    Goal {
        what: format!("{} takes the shell's VmHWM at most {:.0} MB up", row.contender.name(), megabytes(GOAL)),
        result: format!("{:.1} MB", megabytes(peak)),
        is_met: peak <= GOAL,
    }
}

/// The peaks of all that ran in a shell.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "The largest of all rounds, in MB.\n\n\
         | | peak before the call | peak after it | the peak rose by | above what was resident before |\n\
         | --- | --: | --: | --: | --: |\n",
    );
    for row in rows.iter().filter(|row| row.memory().next().is_some()) {
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

#[cfg(test)]
mod tests {
    use super::{Memory, growth, own_peak};

    #[test]
    fn a_call_that_stays_below_an_older_peak_raises_none_and_still_has_its_own() {
        let memory = Memory { before: 1000, resident: Some(500), after: 900 };
        assert_eq!(growth(&memory), 0.0);
        assert_eq!(own_peak(&memory), Some(400.0 * 1024.0));
    }
}
