//! Registries, token services and CDNs that send anything at all. Each answer ends in the right file or in a clear error:
//! one without control characters, of a length that can be read, soon, and with nothing but the older file at the
//! destination.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use wslimage::{Client, ClientOptions, Error, ErrorKind};
use wslimage_test_registry::{Blob, Descriptor, Image, ImageDigests, Manifest, Step};

use crate::fixture::{Fixture, LAYER, Recorder};

mod blobs;
mod configs;
mod documents;
mod indexes;
mod raw;
mod statuses;
mod tags;
mod tokens;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Drives terminals, reorders what stands beside it, or hides.
const HOSTILE: &str = "\u{0}\u{1b}[31m\u{9b}2J\r\n\t\u{7f}\u{85}\u{202e}\u{2066}\u{200f}\u{61c}\u{feff}\u{ad}\u{e0041}";
/// Longer than any case takes on the slowest machine.
const HANG: Duration = Duration::from_secs(60);

/// What a server does, and how the pull ends.
struct Case {
    name: String,
    prepare: Box<dyn Fn(&Place<'_>)>,
    end: End,
    /// How often a path that contains the text is asked for.
    asked: Option<(&'static str, usize)>,
}

enum End {
    File,
    Error { kind: ErrorKind, status: Option<u16>, message: String },
}

/// The right file comes all the same.
fn file(name: impl Into<String>, prepare: impl Fn(&Place<'_>) + 'static) -> Case {
    Case { name: name.into(), prepare: Box::new(prepare), end: End::File, asked: None }
}

/// An error of `kind` whose text begins with `message`, in which `REGISTRY` and `REPOSITORY` stand for themselves.
fn error(
    name: impl Into<String>,
    kind: ErrorKind,
    message: impl Into<String>,
    prepare: impl Fn(&Place<'_>) + 'static,
) -> Case {
    let end = End::Error { kind, status: None, message: message.into() };
    Case { name: name.into(), prepare: Box::new(prepare), end, asked: None }
}

impl Case {
    fn status(mut self, expected: u16) -> Self {
        if let End::Error { status, .. } = &mut self.end {
            *status = Some(expected);
        }
        self
    }

    fn asked(mut self, path: &'static str, times: usize) -> Self {
        self.asked = Some((path, times));
        self
    }
}

/// A repository of the case's own.
struct Place<'a> {
    fixture: &'a Fixture,
    repository: String,
}

impl Place<'_> {
    fn image(&self) -> Image {
        Fixture::image(&self.repository)
    }

    /// A good image under `latest`.
    fn serve(&self) -> ImageDigests {
        self.fixture.serve(self.image())
    }

    fn path(&self, below: &str) -> String {
        format!("/v2/{}/{below}", self.repository)
    }

    fn at(&self, below: &str, steps: impl Into<Vec<Step>>) {
        self.fixture.route(&self.path(below), steps);
    }

    /// Answers the question for the tag.
    fn at_tag(&self, steps: impl Into<Vec<Step>>) {
        self.at("manifests/latest", steps);
    }

    /// A good image whose layer's answer is `step`.
    fn at_layer(&self, step: Step) {
        let served = self.serve();
        self.at(&format!("blobs/{}", served.layers[0][0].digest), [step]);
    }

    fn blob(&self, text: impl Into<String>) -> Descriptor {
        self.fixture.registry.add_blob(&self.repository, Blob::text(text)).expect("a blob")
    }

    /// A good manifest, with its blobs in the registry.
    fn manifest(&self) -> Value {
        self.manifest_with_config(r#"{"os":"linux","architecture":"amd64","config":{}}"#)
    }

    fn manifest_with_config(&self, config: &str) -> Value {
        let (config, layer) = (self.blob(config), self.blob(LAYER));
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config.digest,
                "size": config.size,
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": layer.digest,
                "size": layer.size,
            }],
        })
    }

    /// Puts a document up under `reference` and tells its digest.
    fn put_as(&self, reference: &str, media_type: &str, text: impl Into<String>) -> String {
        let (repository, reference, media_type) =
            (self.repository.clone(), reference.to_owned(), media_type.to_owned());
        let manifest = Manifest { repository, reference, media_type, text: Some(text.into()), json: None };
        self.fixture.registry.add_manifest(manifest).expect("a manifest")
    }

    fn put(&self, text: impl Into<String>) {
        self.put_as("latest", OCI_MANIFEST, text);
    }

    /// The entry of an index for `document`, which the registry then has.
    fn entry(&self, document: &Value) -> Value {
        let text = document.to_string();
        let size = text.len();
        let digest = self.put_as("entry", OCI_MANIFEST, text);
        json!({
            "mediaType": OCI_MANIFEST,
            "digest": digest,
            "size": size,
            "platform": {"os": "linux", "architecture": "amd64"},
        })
    }

    fn put_index(&self, entries: &Value) {
        self.put_as("latest", OCI_INDEX, json!({"schemaVersion": 2, "manifests": entries}).to_string());
    }
}

/// `member` of a JSON document becomes `value`.
fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).expect("a member") = value;
    document
}

fn without(mut document: Value, parent: &str, member: &str) -> Value {
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.remove(member).expect("a member");
    document
}

async fn expect(cases: Vec<Case>) {
    expect_with(|fixture| fixture.options(), cases).await;
}

async fn expect_with(options: impl Fn(&Fixture) -> ClientOptions, cases: Vec<Case>) {
    let fixture = Fixture::new().await;
    let client = Client::new(options(&fixture)).expect("a client");
    let mut complaints = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let place = Place { fixture: &fixture, repository: format!("bad/server{number}") };
        if let Err(complaint) = play(&client, case, &place).await {
            complaints.push(format!("{}: {complaint}", case.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

async fn play(client: &Client, case: &Case, place: &Place<'_>) -> Result<(), String> {
    let fixture = place.fixture;
    (case.prepare)(place);
    fixture.put_older_file();
    let (recorder, _, job) = Recorder::job();
    let pull = async {
        let image = wslimage::resolve(client, fixture.request(&place.repository), &job).await?;
        wslimage::pull(client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let ended = timeout(HANG, pull).await.map_err(|_| "it hangs")?;
    match (&case.end, ended) {
        (End::File, Ok(_)) => fixture.expect_layer_in_file(),
        (End::File, Err(error)) => return Err(format!("no file: {error}")),
        (End::Error { .. }, Ok(_)) => return Err("it went unseen".to_owned()),
        (End::Error { kind, status, message }, Err(error)) => {
            fixture.expect_older_file();
            expect_readable(&error)?;
            let registry = fixture.registry.https_address();
            let message = message.replace("REGISTRY", registry).replace("REPOSITORY", &place.repository);
            if !error.to_string().starts_with(&message) {
                return Err(format!("another message:\n{error}\n{message}"));
            }
            if (error.kind(), error.http_status()) != (*kind, *status) {
                return Err(format!("{:?} with status {:?}: {error}", error.kind(), error.http_status()));
            }
        }
    }
    for line in recorder.verbose_lines() {
        expect_clean(&line, 3000)?;
    }
    let Some((path, times)) = case.asked else { return Ok(()) };
    let log = fixture.registry.log(&place.repository);
    match log.iter().filter(|request| request.path.contains(path)).count() {
        count if count == times => Ok(()),
        count => Err(format!("asked {count} times for {path}")),
    }
}

/// All that a user may see of an error can be shown in a terminal.
fn expect_readable(error: &Error) -> Result<(), String> {
    expect_clean(&error.to_string(), 2500)?;
    expect_clean(&format!("{error:?}"), 12_000)?;
    for text in error.causes() {
        expect_clean(&text, 1000)?;
    }
    expect_clean(error.registry_code().unwrap_or_default(), 1000)?;
    expect_clean(error.recommended_action().unwrap_or_default(), 1000)?;
    expect_clean(error.target_name().unwrap_or_default(), 5001)?;
    if format!("{error} {error:?}").contains("secret") {
        return Err(format!("it tells secrets: {error:?}"));
    }
    Ok(())
}

fn expect_clean(text: &str, longest: usize) -> Result<(), String> {
    // Hostile, but for what makes the sequences complete.
    let is_hostile = |c: char| c.is_control() || !c.is_ascii() && HOSTILE.contains(c);
    if text.contains(is_hostile) {
        return Err(format!("control characters: {text:?}"));
    }
    match text.chars().count() {
        length if length <= longest => Ok(()),
        length => Err(format!("{length} characters: {}…", text.chars().take(500).collect::<String>())),
    }
}
