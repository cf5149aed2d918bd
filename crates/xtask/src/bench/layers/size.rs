//! What an archive of layers has to be as large as, worked out without the library.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::image::{Layer, Layout};
use crate::bench::measure::capture;
use crate::process;

/// How large an archive is, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) is: u64,
    /// What remains of the blobs: of each as much as of its plain bytes.
    pub(super) remains: f64,
}

impl Size {
    pub(super) fn of(archive: &Path, layout: &Layout) -> Result<Self> {
        let mut list = process::command("tar");
        list.args(["--quoting-style=literal", "-tzf"]).arg(archive);
        let names = capture(list)?.text;
        let live = live(&layout.entries()?, &names, layout.layers.len())?;
        Ok(Self { is: archive.metadata()?.len(), remains: remains(&layout.layers, &live) })
    }
}

/// The plain bytes of each layer's entries that are in the archive. `entries` has lines of layer, bytes and name.
fn live(entries: &str, names: &str, layers: usize) -> Result<Vec<u64>> {
    let mut by_name: HashMap<&str, Vec<(usize, u64)>> = HashMap::new();
    for line in entries.lines() {
        let mut words = line.splitn(3, ' ');
        let (layer, bytes, name) = (words.next(), words.next(), words.next());
        let (Some(layer), Some(bytes), Some(name)) = (layer, bytes, name) else { bail!("{line:?} is no entry") };
        by_name.entry(name).or_default().push((layer.parse()?, bytes.parse()?));
    }
    let mut live = vec![0; layers];
    for name in names.lines() {
        // Of the highest layer; a folder may be there several times.
        let entries = by_name.get_mut(name.trim_end_matches('/'));
        let (layer, bytes) = entries.and_then(Vec::pop).with_context(|| format!("no layer has {name}"))?;
        live[layer] += bytes;
    }
    Ok(live)
}

fn remains(layers: &[Layer], live: &[u64]) -> f64 {
    layers.iter().zip(live).map(|(layer, live)| layer.size as f64 * *live as f64 / layer.plain as f64).sum()
}

#[cfg(test)]
mod tests {
    use super::{Layer, live, remains};

    #[test]
    fn an_entry_is_of_the_highest_layer_that_has_its_name() {
        let entries = "0 512 etc\n0 1024 etc/a\n0 2048 etc/b\n1 512 etc\n1 4096 etc/a\n1 512 etc/.wh.b\n";
        let live = live(entries, "etc/\netc/\netc/a\n", 2).expect("all names are known");
        assert_eq!(live, [512, 4096 + 512]);
        let layer = |size| Layer { hex: String::new(), size, plain: 5120 };
        assert_eq!(remains(&[layer(100), layer(1000)], &live), 10.0 + 900.0);
    }

    #[test]
    fn a_name_that_no_layer_has_is_an_error() {
        assert!(live("0 512 etc\n", "etc/a\n", 1).is_err());
    }
}
