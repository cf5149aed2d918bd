//! Layers made to take long or to need much memory. That the tests come to an end, and soon, is what they are about.

use crate::error::{ErrorKind, Result};
use crate::progress::Job;
use crate::rootfs::layer_entries::LayerEntries;
use crate::rootfs::merge::{ASKED_AFTER, MOST_MISSING, MOST_STEPS, Merge};
use crate::rootfs::plan::Plan;

use super::language::{named, placed};

const MANY: usize = 30_000;

/// Entries as the letter of their kind, name and link.
type Line = (&'static str, String, String);

fn merge(layers: Vec<Vec<Line>>) -> Result<Plan> {
    let mut merge = Merge::new(&Job::default());
    for lines in layers {
        merge.add_layer(layer(lines))?;
    }
    merge.finish()
}

fn layer(lines: impl IntoIterator<Item = Line>) -> LayerEntries {
    let (mut entries, mut at) = (LayerEntries::default(), 0);
    for (letter, name, link) in lines {
        entries.push(&placed(named(letter, name.as_bytes(), link.as_bytes()), &mut at));
    }
    entries
}

fn line(letter: &'static str, name: impl Into<String>) -> Line {
    (letter, name.into(), String::new())
}

fn link(letter: &'static str, name: impl Into<String>, target: impl Into<String>) -> Line {
    (letter, name.into(), target.into())
}

fn times(count: usize, make: impl Fn(usize) -> Line) -> Vec<Line> {
    (0..count).map(make).collect()
}

#[test]
fn whiteouts_again_and_again_cost_no_more_than_one() {
    let lower = times(MANY, |n| line("f", format!("a/b{}/c{n}", n % 100)));
    let own = times(MANY, |n| line("f", format!("a/b{}/d{n}", n % 100)));
    let whiteouts = times(MANY, |n| match n % 3 {
        0 => line("w", "a"),
        1 => line("o", "a"),
        _ => line("o", format!("a/b{}", n % 100)),
    });
    let plan = merge(vec![lower, [whiteouts.clone(), own, whiteouts].concat()]).expect("a plan");
    assert_eq!(plan.pieces().count(), 201, "a folder and a file a hundred times");
}

#[test]
fn opaque_markers_in_every_folder_of_a_deep_tree_cost_as_much_as_the_tree() {
    const DEPTH: usize = 400;
    let deep = |depth: usize| "a/".repeat(depth);
    let folders = times(DEPTH, |depth| line("d", deep(depth + 1)));
    let file = line("f", format!("{}f", deep(DEPTH)));
    for order in [|n: usize| n, |n: usize| DEPTH - 1 - n] {
        let opaques = times(DEPTH, |n| line("o", deep(order(n) + 1)));
        let layer = [vec![file.clone()], opaques].concat();
        let plan = merge([vec![folders.clone()], vec![layer; 10]].concat()).expect("a plan");
        assert_eq!(plan.pieces().count(), 2, "the folders, and the last layer's file");
    }
}

#[test]
fn deep_paths_are_made_or_refused() {
    let deep = times(200, |n| line("f", format!("{}f{n}", "a/".repeat(2000))));
    assert_eq!(merge(vec![deep]).expect("a plan").pieces().count(), 2001);
    for component in ["a/", "./", "a/../"] {
        let far = merge(vec![vec![line("f", format!("{}f", component.repeat(100_000)))]]);
        assert_eq!(far.is_ok(), component != "a/");
    }
}

#[test]
fn links_through_links_end() {
    let chain = times(255, |n| link("l", format!("l{n}"), format!("l{}/.", n + 1)));
    let files = times(2000, |n| line("f", format!("l0/f{n}/g{n}")));
    let layer = [vec![line("d", "l255")], chain.clone(), files].concat();
    assert_eq!(merge(vec![layer]).expect("a plan").pieces().count(), 1 + 3 * 2000);
    let one_more = [chain, vec![link("l", "l255", "d"), line("f", "l0/f")]].concat();
    assert!(merge(vec![one_more]).is_err());
}

#[test]
fn links_are_not_followed_for_ever() {
    let mut merge = Merge::new(&Job::default());
    merge.steps = MOST_STEPS - 2;
    merge.add_layer(layer([link("l", "a", "b"), line("f", "a/c")])).expect("two steps are left");
    let error = merge.add_layer(layer([line("f", "x"), line("f", "a/c")])).expect_err("none is");
    assert_eq!(
        error.to_string(),
        "The entry a/c of layer 2 is one too many in deep folders or behind long symbolic links"
    );
}

#[test]
fn folders_without_an_entry_are_not_made_for_ever() {
    let mut merge = Merge::new(&Job::default());
    merge.missing_folders = MOST_MISSING - 1;
    merge.add_layer(layer([line("f", "a/b")])).expect("one folder is left");
    let error = merge.add_layer(layer([line("f", "a/c"), line("f", "b/c")])).expect_err("none is");
    let message = "The entry b/c of layer 2 is in folders without an entry, of which the image has more than 1000000";
    assert_eq!(error.to_string(), message);
}

#[test]
fn chains_of_hard_links_are_one_inode() {
    let chain = times(MANY, |n| link("h", format!("l{}", n + 1), format!("l{n}")));
    let plan = merge(vec![[vec![line("f", "l0")], chain].concat(), vec![line("w", "l0")]]).expect("a plan");
    assert_eq!(plan.pieces().count(), MANY + 1, "only the third name links to the second as it is");
}

#[test]
fn a_tree_that_is_replaced_again_and_again_costs_what_it_has() {
    let round = || {
        let files = times(500, |n| line("f", format!("a/b/{n}")));
        [files, vec![line("f", "a"), line("d", "a"), line("f", "a/b"), line("f", "a")], vec![line("d", "a")]].concat()
    };
    let plan = merge((0..40).map(|_| round()).collect()).expect("a plan");
    assert_eq!(plan.pieces().count(), 1);
}

#[test]
fn layers_are_counted_without_wrapping() {
    let mut merge = Merge::new(&Job::default());
    for _ in 0..=u16::MAX {
        merge.add_layer(LayerEntries::default()).expect("a layer");
    }
    let error = merge.add_layer(LayerEntries::default()).expect_err("one too many");
    assert_eq!(error.to_string(), "The image has more than 65536 layers");
}

#[test]
fn whoever_cancels_does_not_wait_for_the_last_entry() {
    let files = || layer(times(4 * ASKED_AFTER, |n| line("f", n.to_string())));
    let job = Job::default();
    let mut merge = Merge::new(&job);
    merge.add_layer(files()).expect("a layer");
    let applied = merge.records.len();
    job.cancel();
    let error = merge.add_layer(files()).expect_err("it was cancelled");
    assert_eq!((error.kind(), merge.records.len()), (ErrorKind::Cancelled, applied));
    assert_eq!(merge.finish().expect_err("it was cancelled").kind(), ErrorKind::Cancelled);
}
