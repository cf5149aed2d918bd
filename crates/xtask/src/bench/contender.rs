//! The programs that fetch the same layer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::image::{self, Image};
use super::measure::{Memory, Sample, capture, limited};
use crate::process;

/// What all contenders need.
pub(super) struct Stage<'a> {
    /// The server's `HOST:PORT`.
    pub(super) address: String,
    /// The certificate authority that signed the server's certificate, PEM.
    pub(super) ca: PathBuf,
    pub(super) image: &'a Image,
    pub(super) module: &'a Path,
    pub(super) example: &'a Path,
    pub(super) original: Option<PathBuf>,
    /// The most connections that the module and the example may have; none for as many as they want.
    pub(super) connections: Option<usize>,
    pub(super) folder: &'a Path,
}

impl Stage<'_> {
    /// The folder for what is fetched.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// What goes before each measurement; measure.ps1 does it itself.
    pub(super) fn prepare(&self) -> Result<()> {
        prepare(&self.output(), self.image.layer_size())
    }

    fn file(&self) -> PathBuf {
        self.output().join("layer.tar.gz")
    }

    /// The Rust example, that fetches the layer into `destination`.
    pub(super) fn example(&self, destination: &Path) -> Command {
        let mut command = limited(self.example);
        command.arg("--ca-certificate").arg(&self.ca);
        if let Some(connections) = self.connections {
            command.arg("--max-connections").arg(connections.to_string());
        }
        command.arg(self.reference()).arg("-o").arg(destination);
        command
    }

    fn reference(&self) -> String {
        format!("{}/{}:{}", self.address, image::NAME, image::TAG)
    }

    fn url(&self) -> String {
        format!("https://{}/v2/{}/blobs/sha256:{}", self.address, image::NAME, self.image.layer_hex())
    }
}

/// Makes `folder` an empty one, for a file of `size` bytes.
pub(super) fn prepare(folder: &Path, size: u64) -> Result<()> {
    let mut command = process::command("sh");
    command.arg(prepare_script()).arg(folder).arg(size.to_string());
    capture(command).map(drop)
}

fn prepare_script() -> PathBuf {
    process::root().join("crates/xtask/src/bench/prepare.sh")
}

/// The script that the module replaces, where it is there.
pub(super) fn original() -> Option<PathBuf> {
    let file = process::root().parent()?.join("shared/original/Wsl-Image.Docker.ps1");
    file.is_file().then_some(file)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Curl,
    CurlFlushed,
    CurlHashed,
    Skopeo,
    Module,
    ModuleInTerminal,
    Example,
    Original,
}

impl Contender {
    pub(super) const ALL: [Self; 8] = [
        Self::Curl,
        Self::CurlFlushed,
        Self::CurlHashed,
        Self::Skopeo,
        Self::Module,
        Self::ModuleInTerminal,
        Self::Example,
        Self::Original,
    ];

    /// Its name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::CurlFlushed => "curl, then flushed",
            Self::CurlHashed => "curl, tee, sha256sum",
            Self::Skopeo => "skopeo copy",
            Self::Module => "Get-DockerImage",
            Self::ModuleInTerminal => "Get-DockerImage in a terminal",
            Self::Example => "Rust example",
            Self::Original => "original script",
        }
    }

    /// How it is run and what of it is measured, for the document.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Curl => {
                "`curl -o FILE URL` with the layer's address given. It checks no digest and leaves the writing to the \
                 kernel; the whole process is measured. All ratios are to this one."
            }
            Self::CurlFlushed => "the same and `sync FILE`: what it costs that the file is on the disk.",
            Self::CurlHashed => "`curl URL | tee FILE | sha256sum`: hashed, not flushed.",
            Self::Skopeo => "`skopeo copy docker://… dir:…`, the whole process.",
            Self::Module => {
                "the command alone, by a stopwatch in a shell that was started for it and has imported the module. \
                 It looks up index, manifest and config, checks length and SHA-256, flushes and renames. Progress is \
                 on, standard output and error are captured."
            }
            Self::ModuleInTerminal => {
                "the same, in a pseudo-terminal of 120 columns (`script`), so that the progress is drawn."
            }
            Self::Example => "`pull` of `crates/wslimage/examples`, the whole process.",
            Self::Original => {
                "the command alone, as above, of the script that the module replaces. Its download function is not \
                 in the script: one stands in that, like it, reads 2 kB at a time, and draws no progress. It checks \
                 no digest."
            }
        }
    }

    /// In how many rounds it takes part.
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::Original => 3,
            _ => usize::MAX,
        }
    }

    fn is_in_powershell(self) -> bool {
        matches!(self, Self::Module | Self::ModuleInTerminal | Self::Original)
    }

    /// Fetches the layer; returns what it took and the file with the layer.
    pub(super) fn run(self, stage: &Stage<'_>) -> Result<(Sample, PathBuf)> {
        let file = stage.file();
        if !self.is_in_powershell() {
            stage.prepare()?;
        }
        match self {
            Self::Curl => {
                let mut command = curl(stage);
                command.arg("-o").arg(&file).arg(stage.url());
                Ok((capture(command)?.sample, file))
            }
            Self::CurlFlushed => {
                let mut command = shell("curl -sSf --cacert \"$1\" -o \"$3\" \"$2\" && sync \"$3\"");
                command.arg(&stage.ca).arg(stage.url()).arg(&file);
                Ok((capture(command)?.sample, file))
            }
            Self::CurlHashed => {
                let mut command = shell("curl -sSf --cacert \"$1\" \"$2\" | tee \"$3\" | sha256sum");
                command.arg(&stage.ca).arg(stage.url()).arg(&file);
                let captured = capture(command)?;
                expect_digest(stage, captured.text.split_whitespace().next().unwrap_or_default())?;
                Ok((captured.sample, file))
            }
            Self::Skopeo => {
                let mut command = limited("skopeo");
                command.args(["--insecure-policy", "--override-os", "linux", "--override-arch", "amd64"]);
                command.args(["copy", "--quiet", "--src-no-creds"]).arg(format!("docker://{}", stage.reference()));
                command.arg(format!("dir:{}", stage.output().display())).env("SSL_CERT_FILE", &stage.ca);
                Ok((capture(command)?.sample, stage.output().join(stage.image.layer_hex())))
            }
            Self::Module => Ok((in_powershell(stage, false, &module_arguments(stage))?, file)),
            Self::ModuleInTerminal => Ok((in_powershell(stage, true, &module_arguments(stage))?, file)),
            Self::Example => {
                let captured = capture(stage.example(&file))?;
                expect_digest(stage, captured.text.trim().trim_start_matches("sha256:"))?;
                Ok((captured.sample, file))
            }
            Self::Original => {
                let script = stage.original.as_deref().context("the original script is not there")?;
                let arguments = [
                    "-Module".to_owned(),
                    text(&process::root().join("tests/powershell/OriginalModule.psm1"))?,
                    "-OriginalScript".to_owned(),
                    text(script)?,
                ];
                Ok((in_powershell(stage, false, &arguments)?, file))
            }
        }
    }
}

fn curl(stage: &Stage<'_>) -> Command {
    let mut command = limited("curl");
    command.arg("-sSf").arg("--cacert").arg(&stage.ca);
    command
}

fn shell(line: &str) -> Command {
    let mut command = limited("sh");
    command.args(["-c", line, "sh"]);
    command
}

fn module_arguments(stage: &Stage<'_>) -> Vec<String> {
    let path = |path: &Path| path.display().to_string();
    let mut arguments =
        vec!["-Module".to_owned(), path(stage.module), "-CACertificatePath".to_owned(), path(&stage.ca)];
    if let Some(connections) = stage.connections {
        arguments.extend(["-MaximumConnectionCount".to_owned(), connections.to_string()]);
    }
    arguments
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned())
}

fn in_powershell(stage: &Stage<'_>, in_terminal: bool, arguments: &[String]) -> Result<Sample> {
    let result = stage.folder.join("result.json");
    let script = process::root().join("crates/xtask/src/bench/measure.ps1");
    let mut words = ["pwsh", "-NoLogo", "-NoProfile", "-File"].map(str::to_owned).to_vec();
    words.push(text(&script)?);
    words.extend(["-Registry", &stage.address, "-ImageName", image::NAME, "-Tag", image::TAG].map(str::to_owned));
    words.extend(["-DestinationFile".to_owned(), text(&stage.file())?, "-Result".to_owned(), text(&result)?]);
    words.extend(["-Prepare".to_owned(), text(&prepare_script())?]);
    words.extend(["-Size".to_owned(), stage.image.layer_size().to_string()]);
    words.extend_from_slice(arguments);

    let mut command = if in_terminal {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let mut command = limited("script");
        command.args(["-qec", &format!("stty cols 120 rows 30; exec {}", words.join(" ")), "/dev/null"]);
        command.env("SHELL", "/bin/sh").env("TERM", "xterm-256color");
        command
    } else {
        let mut command = limited(&words[0]);
        command.args(&words[1..]);
        command
    };
    // The original has no parameter for it.
    command.env("SSL_CERT_FILE", &stage.ca);
    capture(command)?;
    let told: Value = serde_json::from_slice(&fs::read(&result).context("PowerShell left no result")?)?;
    fs::remove_file(&result)?;
    expect_digest(stage, told["hash"].as_str().unwrap_or_default())?;
    sample(&told).with_context(|| format!("PowerShell told {told}"))
}

/// Reads what measure.ps1 writes.
fn sample(told: &Value) -> Option<Sample> {
    let memory = &told["memory"];
    Some(Sample {
        seconds: told["seconds"].as_f64()?,
        user: told["user"].as_f64()?,
        system: told["system"].as_f64()?,
        memory: Some(Memory {
            before: memory["before"].as_i64()?,
            resident: memory["resident"].as_i64(),
            after: memory["after"].as_i64()?,
        }),
    })
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn expect_digest(stage: &Stage<'_>, told: &str) -> Result<()> {
    if told != stage.image.layer_hex() {
        bail!("it told the digest {told:?}, and the layer's is {}", stage.image.layer_hex());
    }
    Ok(())
}
