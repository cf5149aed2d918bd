//! The programs that do something with the layers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::image::Layout;
use super::size::Size;
use crate::bench::contender::prepare;
use crate::bench::image::{NAME, TAG, sha256};
use crate::bench::measure::{Sample, capture_with_peak, limited};
use crate::bench::{Bench, host};

/// What all programs need.
pub(super) struct Stage<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) layout: &'a Layout,
    /// The server's `HOST:PORT`.
    pub(super) address: String,
    pub(super) ca: PathBuf,
    pub(super) folder: &'a Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Check,
    Archive,
    FetchedCheck,
    FetchedArchive,
    Umoci,
}

/// What a program took and made.
pub(super) struct Run {
    pub(super) sample: Sample,
    /// VmHWM, in bytes.
    pub(super) peak: u64,
    pub(super) archive: Option<Archive>,
}

pub(super) struct Archive {
    pub(super) digest: String,
    pub(super) size: Size,
}

impl Program {
    pub(super) const ALL: [Self; 5] =
        [Self::Check, Self::Archive, Self::FetchedCheck, Self::FetchedArchive, Self::Umoci];

    /// Its name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Archive => "Rust example",
            Self::FetchedCheck => "curl and check",
            Self::FetchedArchive => "Rust example from the server",
            Self::Umoci => "umoci, tar, pigz",
        }
    }

    /// How it is run, for the document.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Check => {
                "`check` of `crates/wslimage/examples`: SHA-256 of each blob, inflate by the same library, and SHA-256 \
                 of the plain bytes, three layers side by side and the second hash beside inflate. It writes nothing. \
                 The whole process."
            }
            Self::Archive => {
                "`pull --path LAYOUT -o FILE` of `crates/wslimage/examples`, from blobs on the disk to the archive, \
                 verified and flushed; the whole process."
            }
            Self::FetchedCheck => {
                "`check --from URL --into FOLDER`: three curls at once, whose output is checked as above and written \
                 while it arrives; each blob is flushed at its end."
            }
            Self::FetchedArchive => {
                "`pull` of the same image from the server, the whole process; its blobs go to the disk and are flushed \
                 too, before they are removed."
            }
            Self::Umoci => "`umoci unpack`, then `tar -c | pigz -6`; not flushed.",
        }
    }

    /// In how many rounds it takes part.
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::Umoci => 2,
            _ => usize::MAX,
        }
    }

    /// Whether its peak is that of all it takes.
    pub(super) fn is_one_process(self) -> bool {
        !matches!(self, Self::Umoci | Self::FetchedCheck)
    }

    pub(super) fn run(self, stage: &Stage<'_>) -> Result<Run> {
        let output = stage.folder.join("output");
        let file = output.join("rootfs.tar.gz");
        prepare(&output, stage.layout.size())?;
        let (captured, peak) = capture_with_peak(self.command(stage, &output, &file))?;
        let mut archive = None;
        if matches!(self, Self::Archive | Self::FetchedArchive) {
            let digest = captured.text.trim().trim_start_matches("sha256:").to_owned();
            if sha256(&file)? != digest {
                bail!("{} is not what it was told to be, {digest}", file.display());
            }
            archive = Some(Archive { digest, size: Size::of(&file, stage.layout)? });
        }
        Ok(Run { sample: captured.sample, peak, archive })
    }

    fn command(self, stage: &Stage<'_>, output: &Path, file: &Path) -> Command {
        let Stage { bench, layout, address, ca, .. } = stage;
        match self {
            Self::Check => {
                let mut command = limited(bench.check);
                command.arg(layout.root());
                command
            }
            Self::Archive => {
                let mut command = limited(bench.example);
                command.arg("--path").arg(layout.root()).arg("-o").arg(file);
                command
            }
            Self::FetchedCheck => {
                let mut command = limited(bench.check);
                command.arg(layout.root()).arg("--from").arg(format!("https://{address}/v2/{NAME}/blobs"));
                command.arg("--ca-certificate").arg(ca).arg("--into").arg(output);
                command
            }
            Self::FetchedArchive => {
                let mut command = limited(bench.example);
                command.arg("--ca-certificate").arg(ca).arg(format!("{address}/{NAME}:{TAG}")).arg("-o").arg(file);
                command
            }
            Self::Umoci => {
                let mut command = limited("sh");
                let line = "umoci unpack --image \"$1\" \"$2\" && tar -C \"$2/rootfs\" -cf - . | pigz -6 > \"$3\"";
                command.args(["-c", line, "sh"]).arg(format!("{}:{TAG}", layout.root().display()));
                command.arg(output.join("bundle")).arg(file);
                command
            }
        }
    }
}

/// What a program says of its version.
pub(super) fn version(program: &str, argument: &str) -> String {
    let text = host::answer(program, &[argument]).unwrap_or_default();
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    text.split_whitespace().find(is_version).unwrap_or(&text).to_owned()
}
