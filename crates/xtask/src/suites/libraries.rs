//! The native libraries as users get them.

use super::Suite;
use crate::counts::Counts;
use crate::libraries::rules;

pub(super) const RULES: Suite = Suite {
    name: "libraries",
    what: "the libraries of the package run on older systems, need nothing beside these and export nothing else",
    here: cfg!(target_os = "linux"),
    needs: &[],
    run: |session| {
        let mut counts = Counts::default();
        for rid in ["linux-x64", "win-x64"] {
            let library = session.library(rid)?;
            for (rule, result) in rules::check(&library)? {
                match result {
                    Ok(()) => counts += Counts::PASSED,
                    Err(error) => {
                        let failure = format!("{rid}: not so: {rule}: {error:#}");
                        println!("{failure}");
                        counts += Counts::failure(failure);
                    }
                }
            }
        }
        Ok(counts)
    },
};
