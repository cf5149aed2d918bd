//! How many tests passed, failed and were skipped, and which failed, read from what the runners print.

use std::fmt;
use std::ops::AddAssign;
use std::process::ExitStatus;

/// Tests of one suite, or of all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// What was printed of those that failed: their names and why, a line each.
    pub(crate) failures: Vec<String>,
}

impl Counts {
    /// One check that went well.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0, failures: Vec::new() };
    /// One that could not be made.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1, failures: Vec::new() };

    /// One that did not go well, and why.
    pub(crate) fn failure(why: impl Into<String>) -> Self {
        Self { failed: 1, failures: vec![why.into()], ..Self::default() }
    }

    /// The sum of the `test result:` lines of `cargo test`; `None` when there is none. A test that found out only when it
    /// ran that it cannot, and has said `not run: needs …`, counts as skipped.
    pub(crate) fn from_cargo(output: &str) -> Option<Self> {
        let mut sum: Option<Self> = None;
        let mut failures = Vec::new();
        // What the failed tests printed stands between two lines of this text, their names behind the second.
        let mut within_failures = false;
        for line in output.lines() {
            if line == "failures:" {
                within_failures = !within_failures;
            } else if within_failures && !line.is_empty() {
                failures.push(line.to_owned());
            }
            let Some((_, rest)) = line.split_once("test result: ") else {
                continue;
            };
            let Some((_, numbers)) = rest.split_once(". ") else {
                continue;
            };
            let counts = Self::read(numbers.split("; "))?;
            *sum.get_or_insert_default() += counts;
        }
        let not_run = output.matches(": not run: needs ").count() as u64;
        sum.map(|counts| {
            let not_run = not_run.min(counts.passed);
            Self { passed: counts.passed - not_run, skipped: counts.skipped + not_run, failures, ..counts }
        })
    }

    /// The last line that is `N passed, N failed`, with or without `, N skipped`; `None` when there is none. Lines before
    /// it that begin with `failed: ` say which and why.
    pub(crate) fn from_last_line(output: &str) -> Option<Self> {
        let line = output.lines().rev().find(|line| !line.trim().is_empty())?;
        let counts = Self::read(line.trim().split(", "))?;
        let failures = output.lines().filter_map(|line| line.strip_prefix("failed: ")).map(str::to_owned).collect();
        Some(Self { failures, ..counts })
    }

    /// These counts, with a failure added when the runner failed without counting one.
    pub(crate) fn with_status(mut self, status: ExitStatus) -> Self {
        if !status.success() && self.failed == 0 {
            self += Self::failure(format!("ended with {status} and counted no failure"));
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
        self.failures.extend(other.failures);
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
    #[cfg(unix)]
    use std::os::unix::process::ExitStatusExt as _;
    #[cfg(windows)]
    use std::os::windows::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::Counts;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped, failures: Vec::new() }
    }

    #[test]
    fn says_of_cargos_failures_what_they_printed() {
        let output = "test a::one ... FAILED\ntest a::two ... ok\n\nfailures:\n\n---- a::one stdout ----\n\n\
            thread 'a::one' panicked at src/a.rs:7:9:\nnot equal\n\n\nfailures:\n    a::one\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let failures = ["---- a::one stdout ----", "thread 'a::one' panicked at src/a.rs:7:9:", "not equal"];
        assert_eq!(
            Counts::from_cargo(output).map(|counts| counts.failures),
            Some(failures.map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn says_of_failures_what_their_lines_say() {
        let output = "ok: one\nfailed: two: not equal\n 1 failed: no\n1 passed, 1 failed\n";
        let failures = vec!["two: not equal".to_owned()];
        assert_eq!(Counts::from_last_line(output), Some(Counts { failures, ..counts(1, 1, 0) }));
    }

    #[test]
    fn sums_all_results_of_cargo() {
        let output = "\nrunning 3 tests\n...\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            \n   Doc-tests wslimage\n\
            test result: ok. 4 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(Counts::from_cargo(output), Some(counts(6, 1, 2)));
    }

    #[test]
    fn a_test_that_says_it_was_not_run_is_skipped() {
        let output = "squid::a: not run: needs squid\ntest squid::a ... squid::b: not run: needs squid\nok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(Counts::from_cargo(output), Some(counts(1, 0, 3)));
    }

    #[test]
    fn a_build_that_failed_has_no_result() {
        assert_eq!(Counts::from_cargo("error: could not compile `wslimage`\n"), None);
    }

    #[test]
    fn reads_a_closing_line() {
        let two = Counts::from_last_line("ok 1\n7 passed, 0 failed\n\n");
        assert_eq!(two, Some(counts(7, 0, 0)));
        let three = Counts::from_last_line("7 passed, 1 failed, 2 skipped");
        assert_eq!(three, Some(counts(7, 1, 2)));
        for broken in ["", "7 passed", "Segmentation fault", "7 passed, 0 failed\nAborted"] {
            assert_eq!(Counts::from_last_line(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_runner_that_crashed_after_counting_has_failed() {
        let crashed = ExitStatus::from_raw(9);
        let failures = vec![format!("ended with {crashed} and counted no failure")];
        assert_eq!(counts(3, 0, 0).with_status(crashed), Counts { failures, ..counts(3, 1, 0) });
        assert_eq!(counts(3, 0, 0).with_status(ExitStatus::default()), counts(3, 0, 0));
        assert_eq!(counts(3, 1, 0).with_status(crashed), counts(3, 1, 0));
    }

    #[test]
    fn shows_skipped_only_when_there_are_some() {
        assert_eq!(Counts::PASSED.to_string(), "1 passed, 0 failed");
        let mut counts = Counts::PASSED;
        counts += Counts::SKIPPED;
        assert_eq!(counts.to_string(), "1 passed, 0 failed, 1 skipped");
    }
}
