//! Indexes, manifests and configs: what a registry sends, read with the types of the OCI image-spec.
//!
//! Docker's schema 2 has the same members under other media types, so one reader serves both.

use std::collections::HashMap;

use oci_spec::image::{Digest, MediaType};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::digest;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::platform::Platform;

pub(crate) const DOCKER_MANIFEST_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// What is asked for in `Accept` when the sort of manifest is not known yet.
pub(crate) fn accepted_media_types() -> String {
    [MediaType::ImageIndex.as_ref(), MediaType::ImageManifest.as_ref(), DOCKER_MANIFEST_LIST, DOCKER_MANIFEST]
        .join(", ")
}

/// A manifest of an index, for one platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
pub(crate) struct IndexEntry {
    media_type: Option<String>,
    #[serde(deserialize_with = "digest::deserialize")]
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) platform: Option<Platform>,
    #[serde(default, deserialize_with = "text")]
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    annotations: HashMap<String, String>,
}

impl IndexEntry {
    /// The entry for a document that no index names.
    pub(crate) fn of(digest: Digest, size: u64) -> Self {
        Self { media_type: None, digest, size, platform: None, artifact_type: None, annotations: HashMap::new() }
    }

    pub(crate) fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref().and_then(media_type)
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.get(name).map(String::as_str)
    }

    /// Whether it leads to something that goes with an image, and says so: a signature, an attestation (BuildKit,
    /// attestation-storage.md), something that is no manifest.
    pub(crate) fn is_beside_images(&self) -> bool {
        let is_of_images = |media_type: &str| {
            [MediaType::ImageIndex.as_ref(), MediaType::ImageManifest.as_ref(), DOCKER_MANIFEST_LIST, DOCKER_MANIFEST]
                .contains(&media_type)
        };
        self.annotation("vnd.docker.reference.type") == Some("attestation-manifest")
            || self.artifact_type.as_deref().is_some_and(|artifact_type| !artifact_type.is_empty())
            || self.media_type().is_some_and(|media_type| !is_of_images(media_type))
    }

    /// What is asked for in `Accept`.
    pub(crate) fn accepted(&self) -> String {
        self.media_type().map_or_else(accepted_media_types, str::to_owned)
    }
}

/// A member that is of no use where it is no text, and then no reason to fail.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

/// The texts among the members of an object.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
    let serde_json::Value::Object(members) = serde_json::Value::deserialize(deserializer)? else {
        return Ok(HashMap::new());
    };
    let texts = members.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        _ => None,
    });
    Ok(texts.collect())
}

/// `text` where it is a media type (RFC 6838 section 4.2): what is none would spoil the request.
fn media_type(text: &str) -> Option<&str> {
    const LONGEST: usize = 127;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.len() <= LONGEST
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (sort, subtype) = text.split_once('/')?;
    (is_name(sort) && is_name(subtype)).then_some(text)
}

/// A blob of an image: its root filesystem or a change to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
pub struct Layer {
    media_type: MediaType,
    #[serde(deserialize_with = "digest::deserialize")]
    digest: Digest,
    size: u64,
    urls: Option<Vec<String>>,
}

impl Layer {
    /// The media type, such as `application/vnd.oci.image.layer.v1.tar+gzip`.
    pub fn media_type(&self) -> &str {
        self.media_type.as_ref()
    }

    /// The digest of the blob as the registry holds it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The length of the blob in bytes, as the manifest says it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the blob is too (OCI image-spec, descriptor.md, `urls`): registries need not hold a foreign layer.
    pub fn urls(&self) -> &[String] {
        self.urls.as_deref().unwrap_or_default()
    }
}

/// Where the config is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor")]
pub(crate) struct ConfigDescriptor {
    media_type: Option<String>,
    #[serde(deserialize_with = "digest::deserialize")]
    pub(crate) digest: Digest,
}

impl ConfigDescriptor {
    pub(crate) fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref().filter(|media_type| !media_type.is_empty())
    }

    /// What is asked for in `Accept`.
    pub(crate) fn accepted(&self) -> &str {
        self.media_type.as_deref().and_then(media_type).unwrap_or("*/*")
    }
}

/// What stands under a tag or digest.
pub(crate) enum Document {
    Index(Vec<IndexEntry>),
    Manifest(ImageManifest),
}

pub(crate) struct ImageManifest {
    pub(crate) config: ConfigDescriptor,
    pub(crate) layers: Vec<Layer>,
    /// What it is, where it says so and is no image (OCI image-spec, manifest.md, "artifactType").
    pub(crate) artifact_type: Option<String>,
}

/// Reads an index or a manifest, told apart by their members: servers send wrong types.
pub(crate) fn parse_document(json: &[u8], content_type: Option<&str>) -> Result<Document> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Members<'a> {
        schema_version: Option<u64>,
        #[serde(borrow)]
        manifests: Option<&'a RawValue>,
        #[serde(borrow)]
        layers: Option<&'a RawValue>,
        #[serde(borrow)]
        config: Option<&'a RawValue>,
        #[serde(default, deserialize_with = "text")]
        artifact_type: Option<String>,
    }
    let members: Members<'_> = serde_json::from_slice(json).map_err(|error| not_json(json, content_type, &error))?;
    if members.schema_version == Some(1) || content_type.is_some_and(|t| t.starts_with(DOCKER_SCHEMA_1)) {
        return Err(Error::new(
            ErrorKind::UnsupportedImage,
            "The image has a Docker schema 1 manifest, a form given up in 2017 that says neither sizes nor platform",
        )
        .advice("Push the image again with a current tool."));
    }
    // One reader would take it for the one, the next for the other (CVE-2021-41190).
    if members.manifests.is_some() && members.layers.is_some() {
        return Err(Error::new(ErrorKind::InvalidResponse, "the document is an index and a manifest at once"));
    }
    if let Some(manifests) = members.manifests {
        let entries: Option<Vec<IndexEntry>> = parse_member(manifests, "manifests")?;
        return match entries {
            Some(entries) if !entries.is_empty() => Ok(Document::Index(entries)),
            _ => Err(no_manifests()),
        };
    }
    if members.config.is_none() && members.layers.is_none() {
        return Err(no_manifests());
    }
    let layers: Vec<Layer> = match members.layers {
        Some(layers) => parse_member::<Option<_>>(layers, "layers")?.unwrap_or_default(),
        None => Vec::new(),
    };
    if layers.is_empty() {
        return Err(Error::new(ErrorKind::UnsupportedImage, "The image layers are missing"));
    }
    let config =
        members.config.ok_or_else(|| Error::new(ErrorKind::InvalidResponse, "the image manifest names no config"))?;
    let config = parse_member(config, "config")?;
    Ok(Document::Manifest(ImageManifest { config, layers, artifact_type: members.artifact_type }))
}

/// The media type that a manifest gives itself, if it is one.
pub(crate) fn own_media_type(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Members {
        media_type: Option<String>,
    }
    serde_json::from_slice::<Members>(json).ok()?.media_type.filter(|text| media_type(text).is_some())
}

fn no_manifests() -> Error {
    Error::new(ErrorKind::UnsupportedImage, "No manifests found in the image manifest")
}

fn parse_member<'a, T: Deserialize<'a>>(value: &'a RawValue, name: &str) -> Result<T> {
    serde_json::from_str(value.get()).map_err(|error| {
        let reason = printable(&error.to_string());
        Error::new(ErrorKind::InvalidResponse, format!("\"{name}\" of the manifest cannot be read: {reason}"))
    })
}

fn not_json(body: &[u8], content_type: Option<&str>, error: &serde_json::Error) -> Error {
    let is_page = content_type.is_some_and(|content_type| content_type.starts_with("text/html"));
    let content_type = content_type.map_or_else(|| "no content type".to_owned(), printable);
    let beginning = String::from_utf8_lossy(&body[..body.len().min(40)]);
    let failure = Error::new(
        ErrorKind::InvalidResponse,
        format!(
            "the answer is not a manifest ({content_type}, beginning \"{}\"): {}",
            printable(&beginning),
            printable(&error.to_string())
        ),
    );
    if is_page {
        return failure.advice("A web page came instead: a proxy or the network's sign-in page may stand in between.");
    }
    failure
}

/// The platform that a config says its image is for.
pub(crate) fn config_platform(config: &[u8]) -> Result<Platform> {
    serde_json::from_slice(config).map_err(|error| {
        Error::new(
            ErrorKind::InvalidResponse,
            format!("the image config cannot be read: {}", printable(&error.to_string())),
        )
    })
}

/// The digests of the layers' plain bytes that a config names (`rootfs.diff_ids`); none where it names them in no form
/// that can be read.
pub(crate) fn config_diff_ids(config: &[u8]) -> Vec<Digest> {
    #[derive(Deserialize)]
    struct Config {
        rootfs: RootFs,
    }
    #[derive(Deserialize)]
    struct RootFs {
        diff_ids: Vec<DiffId>,
    }
    #[derive(Deserialize)]
    struct DiffId(#[serde(deserialize_with = "digest::deserialize")] Digest);
    serde_json::from_slice::<Config>(config)
        .map(|config| config.rootfs.diff_ids.into_iter().map(|DiffId(digest)| digest).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_server_sends_does_not_drive_the_terminal() {
        for document in [
            r#"{"manifests":[{"digest":"\u001b[31m:00","size":1}]}"#,
            r#"{"manifests":[{"digest":"sha256:\u202e","size":1}]}"#,
            r#"{"layers":[{"mediaType":"a","digest":"\u0000:","size":1}],"config":{}}"#,
            "\"\u{202e}\"",
            "\u{1b}[31m",
        ] {
            let error = parse_document(document.as_bytes(), Some("text/\u{1b}[31m")).err().expect(document);
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{document}");
            crate::fuzz::expect_printable(&error);
        }
    }

    #[test]
    fn fuzz_manifest() {
        crate::fuzz::check("manifest", |document| {
            for content_type in [None, Some(DOCKER_MANIFEST), Some("text/html; charset=utf-8")] {
                match parse_document(document, content_type) {
                    Ok(Document::Index(entries)) => {
                        assert!(!entries.is_empty());
                        for entry in &entries {
                            expect_to_be_read_again(&entry.digest);
                            if let Some(platform) = &entry.platform {
                                assert_eq!(platform.distance(platform).unwrap_or(0), 0, "{platform:?}");
                            }
                        }
                    }
                    Ok(Document::Manifest(manifest)) => {
                        assert!(!manifest.layers.is_empty());
                        manifest.layers.iter().for_each(|layer| expect_to_be_read_again(layer.digest()));
                        expect_to_be_read_again(&manifest.config.digest);
                    }
                    Err(error) => crate::fuzz::expect_printable(&error),
                }
            }
        });
    }

    /// It becomes a part of addresses and of file names.
    fn expect_to_be_read_again(digest: &Digest) {
        assert_eq!(digest.as_ref().parse::<Digest>().expect("a digest"), *digest);
        let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '+' | '.' | '_' | '=' | '-');
        assert!(digest.as_ref().chars().all(is_safe), "{digest:?}");
    }

    #[test]
    fn only_a_media_type_is_asked_for() {
        let all = accepted_media_types();
        for (given, accepted) in [
            (r#""application/vnd.oci.image.manifest.v1+json""#, "application/vnd.oci.image.manifest.v1+json"),
            (r#""text/html""#, "text/html"),
            ("null", &all),
            (r#""""#, &all),
            (r#""text""#, &all),
            (r#""/""#, &all),
            (r#""text/html, */*""#, &all),
            (r#""text/html; q=0""#, &all),
            (r#""text/html\r\nX-Injected: 1""#, &all),
            (r#""text/\u00e4""#, &all),
        ] {
            let entry = format!(r#"{{"mediaType":{given},"digest":"sha256:{}","size":1}}"#, "0".repeat(64));
            let entry: IndexEntry = serde_json::from_str(&entry).expect("an entry");
            assert_eq!(entry.accepted(), accepted, "{given}");
        }
    }

    #[test]
    fn a_manifest_has_the_media_type_that_it_gives_itself_if_it_is_one() {
        for (given, expected) in [
            (r#"{"mediaType":"text/html"}"#, Some("text/html")),
            (r#"{"mediaType":"\u001b[31m/x"}"#, None),
            (r#"{"mediaType":null}"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(own_media_type(given.as_bytes()).as_deref(), expected, "{given}");
        }
    }

    fn hostile(text: &str) -> bool {
        text.contains(char::is_control) || text.chars().count() > 2100
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(error) = parse_document(&bytes, None) {
                prop_assert!(!hostile(&error.to_string()));
            }
        }

        #[test]
        fn no_text_of_a_server_drives_a_terminal(text in any::<String>(), content_type in any::<String>()) {
            let text = serde_json::Value::from(text);
            for document in [
                text.clone(),
                serde_json::json!({"manifests": text}),
                serde_json::json!({"manifests": [{"digest": text, "size": 1}]}),
                serde_json::json!({"layers": [{"mediaType": text, "digest": text, "size": text}]}),
                serde_json::json!({"schemaVersion": text}),
            ] {
                if let Err(error) = parse_document(document.to_string().as_bytes(), Some(&content_type)) {
                    prop_assert!(!hostile(&error.to_string()), "{error}");
                    let debug = format!("{error:?}");
                    prop_assert!(!debug.contains(char::is_control));
                }
            }
        }
    }
}
