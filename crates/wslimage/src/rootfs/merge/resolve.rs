//! Where paths lead in the tree, through symbolic links and never out of the root.

use super::names;
use super::obstacle::Obstacle;
use super::tree::{NodeId, ROOT, Tree};

pub(super) const MOST_LINKS: u32 = 255;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Found {
    /// The last thing on the path that exists.
    pub(super) node: NodeId,
    /// How many symbolic links it leads through.
    pub(super) links: u32,
    /// How many components were looked at.
    pub(super) steps: u64,
}

/// Follows `path` from the root. What is missing of it, below the node that is found, is put into `missing`, as a clean
/// path: a `..` behind something missing takes it away again, as in containerd and umoci.
pub(super) fn follow(tree: &Tree, path: &[u8], missing: &mut Vec<u8>) -> Result<Found, Obstacle> {
    missing.clear();
    let mut found = Found { node: ROOT, links: 0, steps: 0 };
    let mut rest = path;
    // What has to be followed after the target of a link.
    let mut later: Vec<&[u8]> = Vec::new();
    loop {
        let Some(component) = take_component(&mut rest) else {
            match later.pop() {
                Some(path) => rest = path,
                None => return Ok(found),
            }
            continue;
        };
        found.steps += 1;
        if component == b"." {
            continue;
        }
        if tree.folder(found.node).is_none() {
            return Err(Obstacle::NotAFolder(found.node));
        }
        if component == b".." {
            match missing.is_empty() {
                true => found.node = tree.parent(found.node),
                false => names::pop(missing),
            }
            continue;
        }
        match tree.child(found.node, component).filter(|_| missing.is_empty()) {
            None => names::push(missing, component),
            Some(node) => match tree.symlink(node) {
                None => found.node = node,
                Some(_) if found.links == MOST_LINKS => return Err(Obstacle::TooManyLinks),
                Some(symlink) => {
                    found.links += 1;
                    if !rest.is_empty() {
                        later.push(rest);
                    }
                    rest = tree.target(symlink);
                    if rest.starts_with(b"/") {
                        found.node = ROOT;
                    }
                }
            },
        }
    }
}

/// What is at `path` when all links are followed, the last one too.
pub(super) fn find(tree: &Tree, path: &[u8]) -> Option<NodeId> {
    let mut missing = Vec::new();
    let found = follow(tree, path, &mut missing).ok()?;
    missing.is_empty().then_some(found.node)
}

fn take_component<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    while let [b'/', after @ ..] = *rest {
        *rest = after;
    }
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (component, after) = rest.split_at(end);
    *rest = after;
    (!component.is_empty()).then_some(component)
}
