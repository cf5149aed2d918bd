//! Which of several images in a file or folder is meant.

use std::collections::BTreeSet;

use oci_spec::image::Digest;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::platform::Platform;
use crate::reference::{Reference, Version};

/// An image that can be chosen.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its names, the most telling first.
    pub(super) names: Vec<String>,
    /// By what it can be told from others.
    pub(super) digest: Option<Digest>,
    /// The platform that the list of images names.
    pub(super) platform: Option<Platform>,
}

impl Candidate {
    /// What it is called where others are there too.
    fn label(&self) -> String {
        match (self.names.first(), &self.digest) {
            (Some(name), _) => name.clone(),
            (None, Some(digest)) => digest.to_string(),
            (None, None) => "one without a name".to_owned(),
        }
    }
}

/// The indexes of what `selection` means: one image, or several that are the same for different platforms.
pub(super) fn choose(candidates: &[Candidate], selection: Option<&str>) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..candidates.len()).collect();
    let Some(text) = selection else {
        return match is_one(candidates, &all) {
            true => Ok(all),
            false => Err(several(candidates, &all, "There are several images in it")),
        };
    };
    let found = matching(candidates, text);
    match found.as_slice() {
        [] => Err(Error::new(
            ErrorKind::NotFound,
            format!("There is no {} in it. {}", printable(text), there_is(candidates, &all)),
        )),
        found if is_one(candidates, found) => Ok(found.to_vec()),
        found => Err(several(candidates, found, &format!("{} means several images in it", printable(text)))),
    }
}

/// What a digest names, if `text` has one.
pub(super) fn digest_in(text: &str) -> Option<Digest> {
    match text.rsplit('@').next()?.parse() {
        Ok(Version::Digest(digest)) => Some(digest),
        _ => None,
    }
}

/// Those that `text` names in the first of the ways in which it names any.
fn matching(candidates: &[Candidate], text: &str) -> Vec<usize> {
    let digest = digest_in(text);
    let reference: Option<Reference> = text.parse().ok();
    let has_tag = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let any_name = |candidate: &Candidate, is_meant: &dyn Fn(&str) -> bool| {
        candidate.names.iter().any(|name| is_meant(name.as_str()))
    };
    let is_whole = |name: &str| name.parse::<Reference>().ok().filter(|_| name.contains(':'));
    let ways: [&dyn Fn(&Candidate) -> bool; 5] = [
        &|candidate| digest.is_some() && candidate.digest == digest,
        &|candidate| any_name(candidate, &|name| name == text),
        &|candidate| any_name(candidate, &|name| reference.is_some() && name.parse::<Reference>().ok() == reference),
        &|candidate| any_name(candidate, &|name| is_whole(name).is_some_and(|name| name.tag() == Some(text))),
        &|candidate| {
            any_name(candidate, &|name| match (&reference, is_whole(name)) {
                (Some(reference), Some(name)) => !has_tag && name.repository() == reference.repository(),
                _ => false,
            })
        },
    ];
    let found = |way: &&dyn Fn(&Candidate) -> bool| -> Vec<usize> {
        (0..candidates.len()).filter(|index| way(&candidates[*index])).collect()
    };
    match digest {
        // A name beside a digest is not asked: the digest names one content.
        Some(_) => found(&ways[0]),
        None => ways.iter().map(found).find(|found| !found.is_empty()).unwrap_or_default(),
    }
}

/// Whether these are one image: the same one, or one name, or without names one for each platform.
fn is_one(candidates: &[Candidate], indexes: &[usize]) -> bool {
    let chosen: Vec<&Candidate> = indexes.iter().map(|index| &candidates[*index]).collect();
    let Some((first, others)) = chosen.split_first() else { return false };
    let is_same = |other: &&Candidate| first.digest.is_some() && other.digest == first.digest;
    let has_same_name = |other: &&Candidate| !first.names.is_empty() && other.names.first() == first.names.first();
    if others.iter().all(is_same) || others.iter().all(has_same_name) {
        return true;
    }
    let platforms: BTreeSet<String> =
        chosen.iter().filter_map(|candidate| candidate.platform.as_ref()).map(Platform::to_string).collect();
    chosen.iter().all(|candidate| candidate.names.is_empty()) && platforms.len() == chosen.len()
}

fn several(candidates: &[Candidate], indexes: &[usize], sentence: &str) -> Error {
    let message = format!("{sentence}. {}", there_is(candidates, indexes));
    Error::new(ErrorKind::InvalidReference, message).advice("Say which one, by its name, tag or digest.")
}

fn there_is(candidates: &[Candidate], indexes: &[usize]) -> String {
    let labels: BTreeSet<String> = indexes.iter().map(|index| candidates[*index].label()).collect();
    let labels: Vec<String> = labels.into_iter().collect();
    format!("There is {}", printable(&labels.join(", ")))
}

/// Panics where a choice among `candidates`, of which there is at least one, is not what it should be, whatever they are.
#[cfg(test)]
pub(super) fn expect_sound(candidates: &[Candidate]) {
    let all = candidates.iter().flat_map(|candidate| candidate.names.iter().cloned().chain([candidate.label()]));
    let selections: Vec<Option<String>> = all.take(20).map(Some).chain([None, Some("latest".to_owned())]).collect();
    for selection in selections {
        match choose(candidates, selection.as_deref()) {
            Ok(found) => assert!(!found.is_empty() && found.iter().all(|index| *index < candidates.len())),
            Err(error) => crate::fuzz::expect_printable(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(names: &[&str], content: &str, platform: Option<&str>) -> Candidate {
        Candidate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            digest: Some(crate::digest::sha256(content.as_bytes())),
            platform: platform.map(|platform| platform.parse().expect("a platform")),
        }
    }

    #[test]
    fn an_image_is_chosen_by_name_tag_or_digest() {
        let one = &[candidate(&["docker.io/library/alpine:3.19", "3.19"], "a", None)][..];
        let nameless = &[candidate(&[], "a", None)][..];
        let many = &[
            candidate(&["alpine:3.19"], "a", None),
            candidate(&["alpine:3.20"], "b", None),
            candidate(&["alpine:latest"], "b", None),
            candidate(&["ghcr.io/o/debian:latest"], "c", None),
            candidate(&[], "d", None),
        ][..];
        let tags = &[candidate(&["v1"], "a", None), candidate(&["v2"], "b", None)][..];
        let platforms = &[candidate(&[], "a", Some("linux/amd64")), candidate(&[], "b", Some("linux/arm64"))][..];
        let twins = &[candidate(&[], "a", Some("linux/amd64")), candidate(&[], "b", Some("linux/amd64"))][..];
        let tagged = &[candidate(&["v1"], "a", Some("linux/amd64")), candidate(&["v1"], "b", None)][..];
        let same = &[candidate(&["a:1"], "a", None), candidate(&["b:2"], "a", None)][..];
        let digest = crate::digest::sha256(b"d").to_string();
        let with_name = format!("alpine@{digest}");
        for (candidates, selection, expected) in [
            (one, None, Ok(&[0][..])),
            (one, Some("alpine:3.19"), Ok(&[0])),
            (one, Some("3.19"), Ok(&[0])),
            (one, Some("alpine"), Ok(&[0])),
            (one, Some("debian"), Err("There is no debian in it. There is docker.io/library/alpine:3.19")),
            (one, Some("\u{1b}[31m"), Err("There is no \u{b7}[31m in it. ")),
            (one, Some(""), Err("There is no  in it. ")),
            (nameless, None, Ok(&[0])),
            (nameless, Some("latest"), Err("There is no latest in it. There is sha256:")),
            (
                many,
                None,
                Err("There are several images in it. There is alpine:3.19, alpine:3.20, alpine:latest, ghcr."),
            ),
            (many, Some("docker.io/library/alpine:3.19"), Ok(&[0])),
            (many, Some("3.20"), Ok(&[1])),
            (many, Some("alpine"), Ok(&[2])),
            (many, Some("ghcr.io/o/debian"), Ok(&[3])),
            (many, Some("latest"), Err("latest means several images in it. There is alpine:latest, ghcr.io/o/debian")),
            (many, Some(&digest), Ok(&[4])),
            (many, Some(&with_name), Ok(&[4])),
            (tags, None, Err("There are several images in it. There is v1, v2. Say which one")),
            (tags, Some("v2"), Ok(&[1])),
            (platforms, None, Ok(&[0, 1])),
            (twins, None, Err("There are several images in it. There is sha256:")),
            (tagged, None, Ok(&[0, 1])),
            (same, None, Ok(&[0, 1])),
        ] {
            match (choose(candidates, selection), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{selection:?}"),
                (Err(error), Err(expected)) => assert!(error.to_string().starts_with(expected), "{error}"),
                (found, expected) => panic!("{selection:?}: {found:?}, not {expected:?}"),
            }
        }
    }
}
