//! What a user may want to know about an image, a line for each kind of thing.

use super::shown;

/// As many names as a line shows.
const MOST_NAMES: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Device,
    BelowWhiteout,
    Nameless,
    Root,
}

impl About {
    const ALL: [Self; 4] = [Self::Device, Self::BelowWhiteout, Self::Nameless, Self::Root];

    fn words(self) -> &'static str {
        match self {
            Self::Device => "character devices 0:0, by which overlayfs says that a file is gone",
            Self::BelowWhiteout => "entries below names that begin with .wh., which mark what is gone",
            Self::Nameless => "markers of something gone without its name",
            Self::Root => "entries with the name of the root that are no folders",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Notices {
    kinds: [LeftOut; About::ALL.len()],
}

#[derive(Debug, Default)]
struct LeftOut {
    count: u64,
    names: Vec<String>,
}

impl Notices {
    pub(super) fn add(&mut self, about: About, name: &[u8]) {
        let left_out = &mut self.kinds[about as usize];
        left_out.count += 1;
        if left_out.names.len() < MOST_NAMES {
            left_out.names.push(shown(name));
        }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let lines = About::ALL.iter().zip(&self.kinds).filter(|(_, left_out)| left_out.count > 0);
        lines.map(|(about, left_out)| left_out.line(about.words())).collect()
    }
}

impl LeftOut {
    fn line(&self, words: &str) -> String {
        let more = self.count - self.names.len() as u64;
        let names = self.names.join(", ");
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("Left out, {} {words}: {names}{and_more}", self.count)
    }
}
