//! The rules once more, in the plainest way, against stacks of layers by chance.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::rootfs::entry::{Entry, Kind};

use super::extract::{Source, Thing, Things, extract};
use super::language::{Layers, merge, named, placed};

#[derive(Clone, Debug)]
enum Node {
    Folder { source: Option<Source>, layer: usize, children: BTreeMap<String, Node> },
    Leaf { inode: usize, layer: usize },
}

impl Node {
    fn folder(source: Option<Source>, layer: usize) -> Self {
        Self::Folder { source, layer, children: BTreeMap::new() }
    }

    /// Whether anything is left.
    fn keep_only(&mut self, kept: usize) -> bool {
        match self {
            Self::Folder { layer, children, .. } => {
                children.retain(|_, child| child.keep_only(kept));
                *layer == kept || !children.is_empty()
            }
            Self::Leaf { layer, .. } => *layer == kept,
        }
    }
}

struct Inode {
    kind: Kind,
    link: String,
    source: Source,
    is_left_out: bool,
}

struct Model {
    root: Node,
    inodes: Vec<Inode>,
}

type Path = Vec<String>;
/// What is at each path: the entry that it is by, and the inode that it may share.
type Expected = BTreeMap<String, (Kind, Option<Source>, Option<usize>)>;
type Outcome<T> = Result<T, &'static str>;

fn clean(name: &[u8]) -> Outcome<Path> {
    let mut path = Path::new();
    for component in std::str::from_utf8(name).expect("UTF-8").split('/') {
        match component {
            "" | "." => {}
            ".." => drop(path.pop().ok_or("leaves the root")?),
            name => path.push(name.to_owned()),
        }
    }
    Ok(path)
}

impl Model {
    fn at(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, name| match node {
            Node::Folder { children, .. } => children.get(name),
            Node::Leaf { .. } => None,
        })
    }

    fn children(&mut self, path: &[String]) -> &mut BTreeMap<String, Node> {
        let mut node = &mut self.root;
        for name in path {
            let Node::Folder { children, .. } = node else { panic!("{path:?} is no folder") };
            node = children.get_mut(name).expect("it exists");
        }
        let Node::Folder { children, .. } = node else { panic!("{path:?} is no folder") };
        children
    }

    /// The real path, which need not exist.
    fn real(&self, path: &[String], links: &mut u32) -> Outcome<Path> {
        self.real_from(Path::new(), path, links)
    }

    fn real_from(&self, mut real: Path, rest: &[String], links: &mut u32) -> Outcome<Path> {
        let Some((name, rest)) = rest.split_first() else { return Ok(real) };
        if let Some(Node::Leaf { .. }) = self.at(&real) {
            return Err("is not a folder");
        }
        if name == ".." {
            real.pop();
            return self.real_from(real, rest, links);
        }
        real.push(name.clone());
        if let Some(Node::Leaf { inode, .. }) = self.at(&real)
            && self.inodes[*inode].kind == Kind::Symlink
        {
            *links += 1;
            if *links > 255 {
                return Err("more than 255 symbolic links");
            }
            real.pop();
            let link = &self.inodes[*inode].link;
            if link.starts_with('/') {
                real.clear();
            }
            let target = link.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned);
            let rest: Path = target.chain(rest.iter().cloned()).collect();
            return self.real_from(real, &rest, links);
        }
        self.real_from(real, rest, links)
    }

    fn real_folder(&self, path: &[String]) -> Outcome<Path> {
        let real = self.real(path, &mut 0)?;
        match self.at(&real) {
            Some(Node::Leaf { .. }) => Err("is not a folder"),
            _ => Ok(real),
        }
    }

    fn apply(&mut self, entry: &Entry, layer: usize, number: usize) -> Outcome<()> {
        let mut path = clean(&entry.name)?;
        let Some(base) = path.pop() else {
            if entry.kind == Kind::Folder
                && let Node::Folder { source, layer: of, .. } = &mut self.root
            {
                (*source, *of) = (Some((layer, number)), layer);
            }
            return Ok(());
        };
        if path.iter().any(|name| name.starts_with(".wh.")) {
            return Ok(());
        }
        if let Some(gone) = base.strip_prefix(".wh.") {
            if matches!(gone, "" | "." | "..") || (gone.starts_with(".wh.") && gone != ".wh..opq") {
                return Ok(());
            }
            let folder = match self.real_folder(&path) {
                Err("is not a folder") => return Ok(()),
                found => found?,
            };
            if self.at(&folder).is_none() {
                return Ok(());
            }
            self.children(&folder).retain(|name, child| (gone != ".wh..opq" && name != gone) || child.keep_only(layer));
            return Ok(());
        }
        let linked = match entry.kind {
            Kind::HardLink => Some(self.target(&entry.link)?),
            _ => None,
        };
        let folder = self.real_folder(&path)?;
        for length in 1..=folder.len() {
            if self.at(&folder[..length]).is_none() {
                let name = folder[length - 1].clone();
                self.children(&folder[..length - 1]).insert(name, Node::folder(None, layer));
            }
        }
        let source = (layer, number);
        let node = match (entry.kind, linked) {
            (Kind::Folder, _) => {
                let mut node = Node::folder(Some(source), layer);
                if let Some(Node::Folder { children: old, .. }) = self.children(&folder).remove(&base)
                    && let Node::Folder { children, .. } = &mut node
                {
                    *children = old;
                }
                node
            }
            (_, Some(inode)) => Node::Leaf { inode, layer },
            _ => {
                let link = String::from_utf8(entry.link.clone()).expect("UTF-8");
                self.inodes.push(Inode { kind: entry.kind, link, source, is_left_out: entry.needs.leaving_out });
                Node::Leaf { inode: self.inodes.len() - 1, layer }
            }
        };
        self.children(&folder).insert(base, node);
        Ok(())
    }

    fn target(&self, link: &[u8]) -> Outcome<usize> {
        let mut path = clean(link)?;
        let base = path.pop().ok_or("is a folder")?;
        let mut target = self.real_folder(&path)?;
        target.push(base);
        match self.at(&target) {
            None => Err("does not exist"),
            Some(Node::Folder { .. }) => Err("is a folder"),
            Some(Node::Leaf { inode, .. }) => Ok(*inode),
        }
    }

    fn things(&self) -> Expected {
        let mut things = BTreeMap::new();
        self.collect("", &self.root, &mut things);
        things
    }

    fn collect(&self, path: &str, node: &Node, things: &mut Expected) {
        match node {
            Node::Folder { source, children, .. } => {
                if !path.is_empty() || source.is_some() {
                    let name = if path.is_empty() { "." } else { path };
                    things.insert(name.to_owned(), (Kind::Folder, *source, None));
                }
                for (name, child) in children {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    self.collect(&path, child, things);
                }
            }
            Node::Leaf { inode, .. } => {
                let Inode { kind, source, is_left_out, .. } = self.inodes[*inode];
                if !is_left_out {
                    // Names of something other than a file become things of their own.
                    let shared = (kind == Kind::File).then_some(*inode);
                    things.insert(path.to_owned(), (kind, Some(source), shared));
                }
            }
        }
    }
}

fn apply(layers: &Layers) -> Outcome<Expected> {
    let mut model = Model { root: Node::folder(None, 0), inodes: Vec::new() };
    for (layer, entries) in layers.iter().enumerate() {
        for (number, entry) in entries.iter().enumerate() {
            model.apply(entry, layer, number)?;
        }
    }
    Ok(model.things())
}

fn is_same(things: &Things, expected: &Expected) -> bool {
    let alike = |thing: &Thing, expected: &(Kind, Option<Source>, Option<usize>)| {
        (thing.kind, thing.source) == (expected.0, expected.1)
    };
    let groups = things.iter().all(|(path, thing)| {
        // The names of an inode, found by its first name, have one inode in the model, and no other name has.
        let inode = expected.get(path).and_then(|thing| thing.2);
        things.iter().all(|(other, another)| {
            let same = inode.is_some() && expected.get(other).and_then(|thing| thing.2) == inode;
            path == other || same == (thing.inode == another.inode)
        })
    });
    things.len() == expected.len()
        && groups
        && things.iter().all(|(path, thing)| expected.get(path).is_some_and(|expected| alike(thing, expected)))
}

fn path() -> impl Strategy<Value = String> {
    let component = || prop_oneof![8 => "[a-d]", 1 => Just("..".to_owned()), 1 => Just(".".to_owned())];
    let plain = vec("[a-d]", 1..4).prop_map(|names| names.join("/"));
    let wild = ("(|/|\\./)", vec(component(), 0..5)).prop_map(|(start, names)| format!("{start}{}", names.join("/")));
    prop_oneof![5 => plain, 1 => wild]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let letter = prop_oneof![
        6 => Just("d"), 8 => Just("f"), 4 => Just("l"), 5 => Just("h"), 1 => Just("p"), 1 => Just("z"),
        4 => Just("w"), 2 => Just("o"),
    ];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (letter, path(), path(), flags, 0..200_u32).prop_map(|(letter, name, link, (rewriting, xattrs, slash), odd)| {
        let name = match (letter, odd) {
            ("f", 0) => format!("{name}/.wh."),
            ("f", 1) => format!(".wh.a/{name}"),
            ("f", 2) => format!("{name}/.wh..wh.aufs"),
            ("d", _) if slash => format!("{name}/"),
            _ => name,
        };
        let link = if matches!(letter, "l" | "h") { link } else { String::new() };
        let link = if letter == "l" && link.is_empty() { ".".to_owned() } else { link };
        let mut entry = named(letter, name.as_bytes(), link.as_bytes());
        entry.needs.rewriting = rewriting;
        entry.has_xattrs = xattrs;
        entry
    })
}

/// Entries at which the model stops are taken out, so that whole stacks come through.
fn stack() -> impl Strategy<Value = (Layers, bool)> {
    (vec(vec((any_entry(), prop::bool::weighted(0.05)), 0..12), 1..6), prop::bool::weighted(0.8)).prop_map(
        |(layers, only_good)| {
            let mut model = Model { root: Node::folder(None, 0), inodes: Vec::new() };
            let mut kept = Layers::new();
            for (layer, entries) in layers.into_iter().enumerate() {
                let (mut at, mut good) = (0, Vec::new());
                for (entry, has_gap) in entries {
                    if !only_good || model.apply(&entry, layer, good.len()).is_ok() {
                        at += if has_gap { 512 } else { 0 };
                        good.push(placed(entry, &mut at));
                    }
                }
                kept.push(good);
            }
            (kept, only_good)
        },
    )
}

fn written(layers: &Layers) -> String {
    let show = |entry: &Entry| {
        let link = String::from_utf8_lossy(&entry.link).into_owned();
        format!("{:?} {} {link} {:?}", entry.kind, String::from_utf8_lossy(&entry.name), entry.needs)
    };
    layers.iter().map(|layer| layer.iter().map(show).collect::<Vec<_>>().join("\n")).collect::<Vec<_>>().join("\n|\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_makes_what_the_layers_make((layers, only_good) in stack()) {
        match (merge(&layers), apply(&layers)) {
            (Ok(plan), Ok(expected)) => {
                let things = extract(&plan, &layers);
                prop_assert!(
                    is_same(&things, &expected),
                    "{}\n{things:#?}\n{expected:#?}\n{:#?}", written(&layers), plan.pieces().collect::<Vec<_>>(),
                );
                let end = layers[0].last().map_or(0, |entry| entry.end);
                if layers.len() == 1 {
                    prop_assert_eq!(plan.is_untouched(end), plan.changes.words().next().is_none());
                }
            }
            (Err(error), Err(reason)) => {
                crate::fuzz::expect_printable(&error);
                prop_assert!(!only_good && error.to_string().contains(reason), "{error}: {reason}");
            }
            (Ok(_), Err(reason)) => prop_assert!(false, "{}\nnot refused: {reason}", written(&layers)),
            (Err(error), Ok(_)) => prop_assert!(false, "{}\nrefused: {error}", written(&layers)),
        }
    }
}
