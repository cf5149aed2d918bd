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

#[cfg(test)]
mod tests {
    use super::super::host::Host;
    use super::{Goal, Report, Section};

    #[test]
    fn the_document_has_the_goals_of_all_sections_before_their_figures_and_says_how_and_where() {
        let section = |title, figures: &str, is_met| Section {
            title,
            setting: "A layer.".to_owned(),
            goals: vec![Goal { what: "it is fast".to_owned(), result: "1.5".to_owned(), is_met }],
            figures: format!("{figures}\n"),
            method: vec![format!("**{figures}** by a watch.")],
            facts: vec![(format!("{title} server"), "1.0".to_owned())],
            others: 0.0,
        };
        let host =
            Host { date: "2025-01-01".to_owned(), commit: "abc".to_owned(), facts: vec![("curl", "8.0".to_owned())] };
        let sections = vec![section("Near", "seconds", true), section("Far", "ratios", false)];
        let document = Report { sections, host }.document();
        let mut rest = document.as_str();
        for part in [
            "2025-01-01 at commit abc",
            "| Near | it is fast | 1.5 | met |\n| Far | it is fast | 1.5 | not met |\n\n",
            "## Near\n\nA layer.\n\nseconds\n\n## Far\n\nA layer.\n\nratios\n\n",
            "## How it is measured\n\n### Near\n\n- **seconds** by a watch.\n\n### Far\n\n- **ratios** by a watch.\n\n",
            "## Where\n\n| | |\n| --- | --- |\n| curl | 8.0 |\n| Near server | 1.0 |\n| Far server | 1.0 |\n",
        ] {
            let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is not in {rest:?}"));
            rest = after;
        }
        assert_eq!(rest, "");
    }
}
