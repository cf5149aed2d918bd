//! The module for Windows, in wine: it shows that nothing there is out of all proportion, and is no measure of Windows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Bench;
use super::contender::Stage;
use super::host::{Others, answer};
use super::image;
use super::measure::{capture, limited};
use super::near_server::NearServer;
use super::report::{Goal, Section, megabytes};
use super::rounds::median;
use crate::libraries::{self, Target};
use crate::module;
use crate::process;
use crate::wine::{self, Wine};

const LAYER_MIB: u64 = 200;
const ROUNDS: usize = 5;

/// How long the module in wine may take, in times of the one on Linux.
const GOAL_RATIO: f64 = 3.0;

/// Where a PowerShell runs.
#[derive(Clone, Copy)]
enum Place {
    Linux,
    Wine,
}

impl Place {
    fn program(self) -> &'static str {
        match self {
            Self::Linux => "pwsh",
            Self::Wine => "pwsh-windows",
        }
    }

    /// A path as it is called there.
    fn path(self, path: &Path) -> String {
        match self {
            Self::Linux => path.display().to_string(),
            Self::Wine => wine::path(path),
        }
    }

    /// Seconds of one call.
    fn measure(self, stage: &Stage<'_>, wine: &Wine) -> Result<f64> {
        stage.prepare()?;
        let result = stage.folder.join("result.json");
        let script = process::root().join("crates/xtask/src/bench/windows.ps1");
        let mut command = limited(self.program());
        command.args(["-NoLogo", "-NoProfile", "-File", &self.path(&script)]);
        command.args(["-Registry", &stage.address, "-ImageName", image::NAME, "-Tag", image::TAG]);
        for (parameter, path) in [
            ("-Module", stage.module),
            ("-DestinationFile", &stage.output().join("layer.tar.gz")),
            ("-CACertificatePath", &stage.ca),
            ("-Result", &result),
        ] {
            command.args([parameter, &self.path(path)]);
        }
        wine.describe_to(&mut command);
        capture(command)?;
        let told: Value = serde_json::from_slice(&fs::read(&result).context("PowerShell left no result")?)?;
        fs::remove_file(&result)?;
        let file = stage.output().join("layer.tar.gz");
        if told["hash"] != stage.image.layer_hex() || image::sha256(&file)? != stage.image.layer_hex() {
            bail!("{} got something else than the layer: {told}", self.program());
        }
        told["seconds"].as_f64().with_context(|| format!("PowerShell told {told}"))
    }
}

/// Both in turn; which is the first changes from round to round.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    module::build_with(&[libraries::build_own()?, Target::named("win-x64")?.build()?])?;
    let image = bench.image(LAYER_MIB)?;
    let rounds = bench.rounds(ROUNDS);
    let folder = bench.folder.join("windows");
    fs::create_dir(&folder)?;
    let server = NearServer::start(&folder, image.root(), image.layer_hex())?;
    let stage = bench.stage(server.address(), server.ca(), &image);
    let windows = Wine::start()?;
    let others = Others::watch(server.id())?;
    let mut pairs = Vec::new();
    for round in 0..rounds {
        let (linux, wine);
        if round % 2 == 0 {
            linux = Place::Linux.measure(&stage, &windows)?;
            wine = Place::Wine.measure(&stage, &windows)?;
        } else {
            wine = Place::Wine.measure(&stage, &windows)?;
            linux = Place::Linux.measure(&stage, &windows)?;
        }
        println!("{}/{rounds}  {linux:6.2} s on Linux, {wine:6.2} s in wine", round + 1);
        pairs.push((linux, wine));
    }
    let others = others.share()?;

    let ratio = median(pairs.iter().map(|(linux, wine)| wine / linux));
    let row = |name: &str, seconds: Vec<f64>| {
        format!(
            "| {name} | {:.2} | {:.2} to {:.2} |\n",
            median(seconds.iter().copied()),
            seconds.iter().copied().fold(f64::INFINITY, f64::min),
            seconds.iter().copied().fold(0.0, f64::max),
        )
    };
    Ok(Section {
        title: "Windows, in wine",
        setting: format!(
            "A layer of {:.0} MB, over TLS from nginx on loopback, fetched by Get-DockerImage on Linux and by the one for \
             Windows in wine, in each of {rounds} rounds. wine is no measure of Windows.",
            megabytes(image.layer_size() as f64),
        ),
        goals: vec![Goal {
            what: format!("Get-DockerImage in wine takes at most {GOAL_RATIO} times as long as on Linux"),
            result: format!("{ratio:.2}"),
            is_met: ratio <= GOAL_RATIO,
        }],
        figures: format!(
            "| | seconds, median | least to most |\n| --- | --: | --: |\n{}{}\nIn wine it takes {ratio:.2} times as long.\n",
            row("Linux", pairs.iter().map(|pair| pair.0).collect()),
            row("wine", pairs.iter().map(|pair| pair.1).collect()),
        ),
        method: vec![
            "The command alone, by a stopwatch in a shell that was started for it and has imported the module: the same \
             PowerShell for Linux and for Windows. The ratio is the median of those of each round."
                .to_owned(),
        ],
        facts: vec![("wine".to_owned(), answer("wine", &["--version"]).unwrap_or_default())],
        others,
    })
}
