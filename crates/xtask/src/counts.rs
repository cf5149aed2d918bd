//! How many tests passed, failed and were skipped, read from what the runners print.

use std::fmt;
use std::ops::AddAssign;

/// Tests of one suite, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// One check that went well.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One that did not.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One that could not be made.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// The sum of the `test result:` lines of `cargo test`; `None` when there is none. A test that found out only when it
    /// ran that it cannot, and has said `not run: needs …`, counts as skipped.
    pub(crate) fn from_cargo(output: &str) -> Option<Self> {
        let mut sum = None;
        for line in output.lines() {
            let Some((_, rest)) = line.split_once("test result: ") else {
                continue;
            };
            let Some((_, numbers)) = rest.split_once(". ") else {
                continue;
            };
            let counts = Self::read(numbers.split("; "))?;
            *sum.get_or_insert_with(Self::default) += counts;
        }
        let not_run = output.matches(": not run: needs ").count() as u64;
        sum.map(|Self { passed, failed, skipped }| {
            let not_run = not_run.min(passed);
            Self { passed: passed - not_run, failed, skipped: skipped + not_run }
        })
    }

    /// The last line that is `N passed, N failed`, with or without `, N skipped`; `None` when there is none.
    pub(crate) fn from_last_line(output: &str) -> Option<Self> {
        let line = output.lines().rev().find(|line| !line.trim().is_empty())?;
        Self::read(line.trim().split(", "))
    }

    /// These counts, with a failure added when the runner failed without counting one.
    pub(crate) fn with_status(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    fn read<'a>(numbers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut counts = Self::default();
        let mut seen = (false, false);
        for number in numbers {
            let (number, word) = number.split_once(' ')?;
            match word {
                "passed" => {
                    counts.passed = number.parse().ok()?;
                    seen.0 = true;
                }
                "failed" => {
                    counts.failed = number.parse().ok()?;
                    seen.1 = true;
                }
                "skipped" | "ignored" => counts.skipped = number.parse().ok()?,
                _ => {}
            }
        }
        (seen == (true, true)).then_some(counts)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn sums_all_results_of_cargo() {
        let output = "\nrunning 3 tests\n...\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            \n   Doc-tests wslimage\n\
            test result: ok. 4 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(Counts::from_cargo(output), Some(Counts { passed: 6, failed: 1, skipped: 2 }));
    }

    #[test]
    fn a_test_that_says_it_was_not_run_is_skipped() {
        let output = "squid::a: not run: needs squid\ntest squid::a ... squid::b: not run: needs squid\nok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(Counts::from_cargo(output), Some(Counts { passed: 1, failed: 0, skipped: 3 }));
    }

    #[test]
    fn a_build_that_failed_has_no_result() {
        assert_eq!(Counts::from_cargo("error: could not compile `wslimage`\n"), None);
    }

    #[test]
    fn reads_a_closing_line() {
        let two = Counts::from_last_line("ok 1\n7 passed, 0 failed\n\n");
        assert_eq!(two, Some(Counts { passed: 7, failed: 0, skipped: 0 }));
        let three = Counts::from_last_line("7 passed, 1 failed, 2 skipped");
        assert_eq!(three, Some(Counts { passed: 7, failed: 1, skipped: 2 }));
        for broken in ["", "7 passed", "Segmentation fault", "7 passed, 0 failed\nAborted"] {
            assert_eq!(Counts::from_last_line(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_runner_that_crashed_after_counting_has_failed() {
        let counts = Counts { passed: 3, failed: 0, skipped: 0 };
        assert_eq!(counts.with_status(false).failed, 1);
        assert_eq!(Counts::FAILED.with_status(false), Counts::FAILED);
    }

    #[test]
    fn shows_skipped_only_when_there_are_some() {
        assert_eq!(Counts::PASSED.to_string(), "1 passed, 0 failed");
        let mut counts = Counts::PASSED;
        counts += Counts::SKIPPED;
        assert_eq!(counts.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
