//! The near server: nginx on loopback, so that the programs' own work is what takes time.

use anyhow::Result;

use super::Bench;
use super::contender::Contender;
use super::host::Others;
use super::memory;
use super::near_server::NearServer;
use super::report::{Goal, Section, megabytes};
use super::rounds::{in_turn, row, times};
use super::startup;

const LAYER_MIB: u64 = 700;
const ROUNDS: usize = 5;

/// How long `Get-DockerImage` may take, in times of curl.
const GOAL_RATIO: f64 = 1.25;

/// All contenders in turn, and the import.
pub(super) fn measure(bench: &Bench<'_>) -> Result<Section> {
    let image = bench.image(LAYER_MIB)?;
    let rounds = bench.rounds(ROUNDS);
    let server = NearServer::start(bench.folder, image.root(), image.layer_hex())?;
    let stage = bench.stage(server.address(), server.ca(), &image);
    let contenders: Vec<Contender> = Contender::ALL
        .into_iter()
        .filter(|&contender| contender != Contender::Original || stage.original.is_some())
        .collect();
    let others = Others::watch(server.id())?;
    let rows = in_turn(&stage, &contenders, rounds)?;
    let others = others.share()?;
    let starts = startup::import(bench.module, bench.folder)?;

    let mut goals = Vec::new();
    for contender in [Contender::Module, Contender::ModuleInTerminal] {
        let (Some(own), Some(curl)) = (row(&rows, contender), row(&rows, Contender::Curl)) else {
            continue;
        };
        let ratio = own.ratio_to(curl);
        goals.push(Goal {
            what: format!("{} takes at most {GOAL_RATIO} times as long as curl", contender.name()),
            result: format!("{ratio:.2}"),
            is_met: ratio <= GOAL_RATIO,
        });
        goals.push(memory::goal(own));
    }
    goals.push(startup::goal(&starts));

    let mut method: Vec<String> =
        contenders.iter().map(|contender| format!("**{}**: {}", contender.name(), contender.method())).collect();
    method.extend([
        "**Rounds**: all programs run in turn, in each round in another order, so that each comes after another one. \
         All write to the same folder. Immediately before each measurement, and outside of it, what the one before \
         wrote is deleted, the disk is synced, and more memory than the layer takes is used and freed again (freed \
         memory of a virtual machine goes back to its host after a while, and its next use is slower). Afterwards the \
         file's SHA-256 is checked. A ratio is the median of the ratios to curl in the same round."
            .to_owned(),
        "**CPU** is that of the program and what it started, without nginx; for commands in PowerShell that of the \
         shell during the call."
            .to_owned(),
        "**Memory** is VmHWM from /proc/PID/status, read by the shell itself before and after the call. Before the \
         call the peak is reset to what is resident (`echo 5 > /proc/PID/clear_refs`), so that the peak afterwards is \
         the call's own."
            .to_owned(),
        startup::method(&starts),
    ]);

    let mut facts = Vec::new();
    for (client, transport) in server.transports()? {
        // Without what a client tells of its system.
        let client = match client.split(" (").next().unwrap_or(&client) {
            "-" => Contender::Original.name(),
            named => named,
        };
        facts.push((format!("{client} got"), transport));
    }
    Ok(Section {
        title: "Near server",
        setting: format!(
            "A layer of {:.0} MB (a tar.gz of files that do not compress), over TLS from nginx on loopback, fetched by \
             each program once in each of {rounds} rounds.",
            megabytes(image.layer_size() as f64),
        ),
        goals,
        figures: format!(
            "### Time\n\n{}\n### Memory\n\n{}\n### Import\n\n{}",
            times(&rows, rounds),
            memory::table(&rows),
            startup::table(&starts)
        ),
        method,
        facts,
        others,
    })
}
