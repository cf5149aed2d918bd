//! The figures of all scenarios together, and the document around them.

use std::fmt::Write as _;

use super::host::Host;

/// What was to be reached and what was.
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) result: String,
    pub(super) is_met: bool,
}

/// What one scenario found.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What is fetched from where, in a sentence or two.
    pub(super) setting: String,
    pub(super) goals: Vec<Goal>,
    /// Tables in Markdown, with their headings.
    pub(super) figures: String,
    /// What was measured and how.
    pub(super) method: Vec<String>,
    /// More of the programs that took part, what and how much.
    pub(super) facts: Vec<(String, String)>,
    /// The share of the CPU time that anything else took meanwhile.
    pub(super) others: f64,
}

impl Section {
    /// The figures under their title.
    pub(super) fn tables(&self) -> String {
        format!("## {}\n\n{}\n\n{}", self.title, self.setting, self.figures)
    }
}

/// Everything that was measured.
pub(super) struct Report {
    pub(super) sections: Vec<Section>,
    pub(super) host: Host,
}

impl Report {
    /// The goals of all scenarios.
    pub(super) fn goals(&self) -> String {
        let mut table = String::from("## Goals\n\n| | goal | result | |\n| --- | --- | --- | --- |\n");
        for section in &self.sections {
            for Goal { what, result, is_met } in &section.goals {
                let verdict = if *is_met { "met" } else { "not met" };
                let _ = writeln!(table, "| {} | {what} | {result} | {verdict} |", section.title);
            }
        }
        table
    }

    /// docs/benchmarks.md.
    pub(super) fn document(&self) -> String {
        let Host { date, commit, facts } = &self.host;
        let mut text = format!(
            "# Benchmarks\n\nMeasured on {date} at commit {commit} by `./build.sh bench`, which writes this file. What \
             is compared was measured in turn in the same run.\n\n{}\n",
            self.goals()
        );
        for section in &self.sections {
            let _ = writeln!(text, "{}", section.tables());
        }
        text.push_str("## How it is measured\n");
        for section in &self.sections {
            let _ = writeln!(text, "\n### {}\n", section.title);
            for line in &section.method {
                let _ = writeln!(text, "- {line}");
            }
        }
        text.push_str("\n## Where\n\n| | |\n| --- | --- |\n");
        let of_programs = self.sections.iter().flat_map(|section| &section.facts);
        let facts = facts.iter().map(|(name, fact)| (*name, fact));
        for (name, fact) in facts.chain(of_programs.map(|(name, fact)| (name.as_str(), fact))) {
            let _ = writeln!(text, "| {name} | {fact} |");
        }
        text
    }
}

pub(super) fn megabytes(bytes: f64) -> f64 {
    bytes / 1e6
}
