//! How many connections fetch one blob: one more round as long as the rate grows with them.

use std::time::{Duration, Instant};

/// A shorter look at the rate says little.
const WINDOW: Duration = Duration::from_millis(300);
/// What new connections need until they run at their speed.
const START: Duration = Duration::from_millis(200);
/// What is over sooner than that is not worth a connection.
const WORTH: f64 = 2.0;
/// Twice the connections have helped when the rate has grown by this factor.
const GROWTH: f64 = 1.2;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Stay,
    /// So many connections in all.
    Open(usize),
    /// No more than so many.
    CloseTo(usize),
}

/// Looks at the rate and decides.
pub(super) struct Adapt {
    maximum: usize,
    connections: usize,
    /// The rate before the last connections were opened, and how many there were.
    before: Option<(f64, usize)>,
    since: Option<(Instant, u64)>,
    is_settled: bool,
}

impl Adapt {
    pub(super) fn new(maximum: usize) -> Self {
        Self { maximum, connections: 1, before: None, since: None, is_settled: maximum <= 1 }
    }

    /// Whether nothing will be decided any more.
    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn settle(&mut self) {
        self.is_settled = true;
    }

    /// `received` bytes have come until `now`, and `left` are still to come.
    pub(super) fn look(&mut self, now: Instant, received: u64, left: u64) -> Decision {
        let Some((since, before)) = self.since else {
            // The first byte counts, not the wait for it.
            self.since = (received > 0).then_some((now, received));
            return Decision::Stay;
        };
        let Some(elapsed) = now.checked_duration_since(since).filter(|elapsed| *elapsed >= WINDOW) else {
            return Decision::Stay;
        };
        let rate = received.saturating_sub(before) as f64 / elapsed.as_secs_f64();
        self.since = Some((now, received));
        if let Some((rate_before, connections_before)) = self.before
            && rate < rate_before * GROWTH
        {
            self.is_settled = true;
            self.connections = connections_before;
            return Decision::CloseTo(connections_before);
        }
        if left as f64 <= rate * WORTH {
            return Decision::Stay;
        }
        if self.connections == self.maximum {
            self.is_settled = true;
            return Decision::Stay;
        }
        self.before = Some((rate, self.connections));
        self.connections = (self.connections * 2).min(self.maximum);
        self.since = Some((now + START, received));
        Decision::Open(self.connections)
    }

    /// The bytes that came while connections were opened do not count.
    pub(super) fn opened(&mut self, now: Instant, received: u64) {
        if let Some((since, before)) = &mut self.since
            && now <= *since
        {
            *before = received;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: u64 = 1_000_000;

    /// Plays a download of `size` MB whose rate in MB/s depends on the connections; gives their numbers over time.
    fn play(maximum: usize, size: u64, rate: fn(usize) -> u64) -> Vec<usize> {
        let mut adapt = Adapt::new(maximum);
        let start = Instant::now();
        let (mut connections, mut received) = (1, 0);
        let mut seen = vec![1];
        for tick in 0..1000 {
            let now = start + Duration::from_millis(50) * tick;
            let left = (size * MEGABYTE).saturating_sub(received);
            if left == 0 {
                break;
            }
            adapt.opened(now, received);
            if !adapt.is_settled() {
                match adapt.look(now, received, left) {
                    Decision::Stay => {}
                    Decision::Open(more) => connections = more,
                    Decision::CloseTo(fewer) => connections = fewer,
                }
                if seen.last() != Some(&connections) {
                    seen.push(connections);
                }
            }
            received += rate(connections) * MEGABYTE / 20;
        }
        seen
    }

    #[test]
    fn connections_are_opened_as_long_as_they_help() {
        for (name, maximum, size, rate, expected) in [
            ("a limit a connection", 6, 400, (|n| 20 * n as u64) as fn(usize) -> u64, vec![1, 2, 4, 6]),
            ("a limit of the line", 6, 400, |_| 20, vec![1, 2, 1]),
            ("a limit of the line reached by two", 6, 400, |n| 20 * n.min(2) as u64, vec![1, 2, 4, 2]),
            ("fewer are allowed", 3, 400, |n| 20 * n as u64, vec![1, 2, 3]),
            ("one is allowed", 1, 400, |n| 20 * n as u64, vec![1]),
            ("over soon", 6, 30, |n| 20 * n as u64, vec![1]),
            ("fast", 6, 700, |_| 700, vec![1]),
        ] {
            assert_eq!(play(maximum, size, rate), expected, "{name}");
        }
    }
}
