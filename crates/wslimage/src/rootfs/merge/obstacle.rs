//! Why an entry cannot be applied.

use super::names::LeavesRoot;
use super::tree::{NodeId, Tree};
use super::{shown, tree};

/// Why an entry cannot be applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    LeavesRoot,
    /// The path leads through something that is neither a folder nor a link.
    NotAFolder(NodeId),
    TooManyLinks,
    /// Following the links of this image takes longer than any image needs.
    TooMuchFollowing,
    /// More folders without an entry than any image needs.
    TooManyMissing,
    LongComponent,
    LongPath,
    LongTarget,
    NoTarget,
    TargetLeavesRoot,
    TargetIsMissing,
    TargetIsFolder,
    LongHeaders,
    /// More of something than the ids count.
    TooMuch,
}

impl From<LeavesRoot> for Obstacle {
    fn from(_: LeavesRoot) -> Self {
        Self::LeavesRoot
    }
}

impl Obstacle {
    /// What follows "The entry x of layer 3".
    pub(super) fn words(&self, tree: &Tree, link: &[u8]) -> String {
        let target = || format!("is a hard link to {}", shown(link));
        match self {
            Self::LeavesRoot => "has a name whose .. leaves the root".to_owned(),
            Self::NotAFolder(node) => {
                let mut path = Vec::new();
                tree.path(*node, &mut path);
                format!("leads through {}, which is not a folder", shown(&path))
            }
            Self::TooManyLinks => format!("leads through more than {} symbolic links", super::resolve::MOST_LINKS),
            Self::TooMuchFollowing => "is one too many in deep folders or behind long symbolic links".to_owned(),
            Self::TooManyMissing => {
                format!("is in folders without an entry, of which the image has more than {}", super::MOST_MISSING)
            }
            Self::LongComponent => format!("has a component of more than {} bytes", tree::LONGEST_COMPONENT),
            Self::LongPath => format!("has a path of more than {} bytes", tree::LONGEST_PATH),
            Self::LongTarget => format!("is a symbolic link to more than {} bytes", tree::LONGEST_PATH),
            Self::NoTarget => "is a symbolic link without a target".to_owned(),
            Self::TargetLeavesRoot => format!("{}, whose .. leaves the root", target()),
            Self::TargetIsMissing => format!("{}, which does not exist", target()),
            Self::TargetIsFolder => format!("{}, which is a folder", target()),
            Self::LongHeaders => "has headers of more than 4 GB".to_owned(),
            Self::TooMuch => "is more than can be counted".to_owned(),
        }
    }
}
