//! The far server: what takes time is the network, which several connections use better than one.

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::far_server::{FarServer, behaviour};
use super::host::Others;
use super::report::{Goal, Section, megabytes};
use super::rounds::{in_turn, row, times};

/// 400 MB.
pub(super) const LAYER_MIB: u64 = 382;
pub(super) const ROUNDS: usize = 3;

/// How many times as fast as the others.
const GOAL_RATIO: f64 = 3.0;

const CONTENDERS: [Contender; 4] = [Contender::Curl, Contender::Skopeo, Contender::Module, Contender::Example];

/// The module and the example beside what fetches over one connection.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    let image = bench.image(LAYER_MIB)?;
    let rounds = bench.rounds(ROUNDS);
    let server = FarServer::start(bench.registry, &image)?;
    let stage = bench.stage(server.address(), server.ca(), &image);
    let others = Others::watch(server.id())?;
    let rows = in_turn(&stage, &CONTENDERS, rounds)?;
    let others = others.share()?;

    let mut goals = Vec::new();
    for contender in [Contender::Module, Contender::Example] {
        for slower in [Contender::Curl, Contender::Skopeo] {
            let (Some(own), Some(other)) = (row(&rows, contender), row(&rows, slower)) else {
                continue;
            };
            let ratio = other.ratio_to(own);
            goals.push(Goal {
                what: format!("{} is at least {GOAL_RATIO} times as fast as {}", contender.name(), slower.name()),
                result: format!("{ratio:.2}"),
                is_met: ratio >= GOAL_RATIO,
            });
        }
    }
    Ok(Section {
        title: "Far server",
        setting: format!(
            "A layer of {:.0} MB, {}, fetched by each program once in each of {rounds} rounds.",
            megabytes(image.layer_size() as f64),
            behaviour()
        ),
        goals,
        figures: times(&rows, rounds),
        method: vec![
            "The programs, the rounds and the ratios are as with the near server. curl is given the layer's address \
             and asks for nothing else; skopeo and WslImage ask for index, manifest and config first. WslImage uses \
             as many connections as it finds useful."
                .to_owned(),
        ],
        facts: Vec::new(),
        others,
    })
}
