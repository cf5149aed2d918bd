//! All suites of tests and checks, one after the other; a failure stops none of the later ones.

mod libraries;
mod native;
mod package;
mod powershell;
mod rootfs;
mod rust;
mod test_files;
mod windows;

use std::fmt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cargo::{self, Artifacts};
use crate::counts::Counts;
use crate::libraries::{Library, Target};
use crate::machine::{self, Program};
use crate::registry::Registry;

/// One row of the table that a run ends in.
struct Suite {
    name: &'static str,
    what: &'static str,
    /// Whether it is for this system at all.
    here: bool,
    /// What it cannot do without.
    needs: &'static [Program],
    run: fn(&mut Session) -> Result<Counts>,
}

/// What suites share, made when the first one asks for it.
#[derive(Default)]
struct Session {
    artifacts: Option<Artifacts>,
    registry: Option<Registry>,
    module: bool,
    libraries: Vec<Library>,
}

impl Session {
    /// The workspace built for tests, with every feature.
    fn artifacts(&mut self) -> Result<&Artifacts> {
        let artifacts = match self.artifacts.take() {
            Some(artifacts) => artifacts,
            // Examples are named because they need what tests need: without them cargo would choose
            // fewer features of the dependencies than for the tests and compile them again.
            None => cargo::build(cargo::MEMBERS.into_iter().chain(["--lib", "--bins", "--examples"]))?,
        };
        Ok(self.artifacts.insert(artifacts))
    }

    /// The test registry, running.
    fn registry(&mut self) -> Result<&Registry> {
        let registry = match self.registry.take() {
            Some(registry) => registry,
            None => Registry::start(&self.artifacts()?.program("wslimage-test-registry")?)?,
        };
        Ok(self.registry.insert(registry))
    }

    /// The library for that runtime identifier as users get it, built once. Where this machine cannot, it is said why.
    fn library(&mut self, rid: &str) -> Result<Library> {
        if let Some(library) = self.libraries.iter().find(|library| library.rid == rid) {
            return Ok(library.clone());
        }
        let library = Target::named(rid)?.build()?;
        self.libraries.push(library.clone());
        Ok(library)
    }

    /// Builds out/WslImage, once.
    fn module(&mut self) -> Result<&'static Path> {
        if !self.module {
            crate::module::build()?;
            self.module = true;
        }
        Ok(crate::module::folder())
    }
}

const SUITES: &[Suite] = &[
    rust::FORMAT,
    rust::HEADER,
    rust::CLIPPY,
    rust::TEST,
    rust::DOC,
    libraries::RULES,
    native::C,
    native::VALGRIND,
    rootfs::LAYERS,
    rootfs::REAL,
    powershell::MODULE,
    powershell::FORMAT,
    powershell::PESTER,
    powershell::PESTER_51,
    windows::WINDOWS,
    package::INSTALLED,
    package::INSTALLED_ON_WINDOWS,
    powershell::FRAMEWORK,
    rust::DENY,
];

fn suites() -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().filter(|suite| suite.here)
}

/// Prints the names of the suites.
pub(crate) fn list() {
    for suite in suites() {
        println!("{:<12} {}", suite.name, suite.what);
    }
}

/// Runs all suites, or those of the given names, and ends in `N passed, N failed`.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| suites().all(|suite| suite.name != name.as_str())) {
        bail!("there is no suite {unknown}; `test --list` shows them");
    }
    let mut session = Session::default();
    let mut table = Vec::new();
    let missing = machine::missing_packages();
    if !missing.is_empty() {
        let reason = format!("could not be installed: {}", missing.join(" "));
        table.push(Row { name: "packages", counts: absence(&reason), seconds: 0.0, note: Some(reason) });
    }
    for suite in suites() {
        if names.is_empty() || names.iter().any(|name| name == suite.name) {
            println!("\n== {}: {}", suite.name, suite.what);
            let start = Instant::now();
            let (counts, note) = attempt(suite, &mut session);
            if let Some(note) = &note {
                println!("{}: {note}", suite.name);
            }
            let seconds = start.elapsed().as_secs_f64();
            table.push(Row { name: suite.name, counts, seconds, note });
        }
    }
    drop(session);
    if summarise(table) {
        return Ok(());
    }
    // The counts are the last line; an error returned from here would print another one.
    std::process::exit(1)
}

/// Runs one suite; with the counts comes why it was not run, or did not end well.
fn attempt(suite: &Suite, session: &mut Session) -> (Counts, Option<String>) {
    let missing: Vec<&str> = suite.needs.iter().filter(|program| !program.is_available()).map(|p| p.name()).collect();
    if !missing.is_empty() {
        let reason = format!("needs {}", missing.join(" and "));
        return (absence(&reason), Some(reason));
    }
    match (suite.run)(session) {
        Ok(counts) => (counts, None),
        Err(error) => {
            let reason = format!("{error:#}");
            let counts = if error.is::<Unavailable>() { absence(&reason) } else { Counts::failure(&reason) };
            (counts, Some(reason))
        }
    }
}

/// Why a suite could not be run that found out only when it began.
#[derive(Debug)]
struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// How a suite counts for which something is missing.
fn absence(reason: &str) -> Counts {
    if machine::is_ci() { Counts::failure(reason) } else { Counts::SKIPPED }
}

struct Row {
    name: &'static str,
    counts: Counts,
    seconds: f64,
    note: Option<String>,
}

/// Prints the table, what failed and the sum; true when nothing failed and something passed.
fn summarise(table: Vec<Row>) -> bool {
    let (mut sum, mut all_seconds) = (Counts::default(), 0.0);
    println!("\n{:<12} {:>7} {:>7} {:>8} {:>8}", "suite", "passed", "failed", "skipped", "seconds");
    for Row { name, mut counts, seconds, note } in table {
        let Counts { passed, failed, skipped, .. } = counts;
        let note = note.as_deref().and_then(|note| note.lines().next()).unwrap_or_default();
        let note: String = note.chars().take(100).collect();
        let row = format!("{name:<12} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}  {note}");
        println!("{}", row.trim_end());
        for failure in &mut counts.failures {
            failure.insert_str(0, &format!("{name}: "));
        }
        sum += counts;
        all_seconds += seconds;
    }
    println!("All in {all_seconds:.0} seconds.");
    // Once more, where all that was printed above is shortened to its end.
    for failure in &sum.failures {
        println!("failed: {failure}");
    }
    println!("{sum}");
    sum.failed == 0 && sum.passed > 0
}
