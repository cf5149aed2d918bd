//! Indexes whose entries are wrong, many, or lead elsewhere.

use serde_json::{Value, json};
use wslimage::ErrorKind as Kind;
use wslimage_test_registry::Step;

use super::{Case, HOSTILE, OCI_INDEX, OCI_MANIFEST, Place, error, expect, file, with, without};

const UNREADABLE: &str = "Failed to get manifest: \"manifests\" of the manifest cannot be read: ";

/// An entry of an index that leads nowhere.
fn other(architecture: &str) -> Value {
    json!({
        "mediaType": OCI_MANIFEST,
        "digest": format!("sha256:{}", "0".repeat(64)),
        "size": 100,
        "platform": {"os": "linux", "architecture": architecture},
    })
}

fn entry(place: &Place<'_>) -> Value {
    place.entry(&place.manifest())
}

/// The good entry with `value`, which need not be a value of JSON that fits, as its `member`.
fn put_entry(place: &Place<'_>, member: &str, value: &str) {
    let mut entry = entry(place);
    entry[member] = json!("VALUE");
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    place.put_as("latest", OCI_INDEX, index.replace("\"VALUE\"", value));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_told() {
    let unreadable = |member: &'static str, value: &'static str| {
        error(format!("{member} is {value}"), Kind::InvalidResponse, UNREADABLE, move |place| {
            put_entry(place, member, value);
        })
        .asked("manifests/", 1)
    };
    let missing = |member: &'static str| {
        error(format!("no {member}"), Kind::InvalidResponse, UNREADABLE, move |place| {
            place.put_index(&json!([without(entry(place), "", member)]));
        })
        .asked("manifests/", 1)
    };
    expect(vec![
        missing("digest"),
        missing("size"),
        unreadable("size", "18446744073709551616"),
        unreadable("size", "1e400"),
        unreadable("size", "-1"),
        unreadable("size", "0.5"),
        unreadable("size", "\"100\""),
        unreadable("size", "null"),
        unreadable("size", "[]"),
        unreadable("digest", "\"sha256:XYZ\""),
        unreadable("digest", "\"sha256:ABCDEF0000000000000000000000000000000000000000000000000000000000\""),
        unreadable("digest", "\"sha512:0000000000000000000000000000000000000000000000000000000000000000\""),
        unreadable("digest", "\"latest\""),
        unreadable("digest", "\"md5:../../manifests/latest\""),
        unreadable("digest", r#""\u001b[2J\u202e:\u0000""#),
        unreadable("digest", "null"),
        unreadable("digest", "{}"),
        unreadable("mediaType", "5"),
        unreadable("platform", "5"),
        unreadable("platform", "\"linux/amd64\""),
        unreadable("platform", r#"{"os":5,"architecture":"amd64"}"#),
        unreadable("platform", r#"{"os":"linux","architecture":["amd64"]}"#),
        unreadable("platform", r#"{"os":"linux","os":"linux"}"#),
        error("an endless digest", Kind::InvalidResponse, UNREADABLE, |place| {
            let digest = format!("blake3:{}", "A".repeat(1_000_000));
            place.put_index(&json!([with(entry(place), "/digest", json!(digest))]));
        })
        .asked("manifests/", 1),
        error("a digest twice", Kind::InvalidResponse, UNREADABLE, |place| {
            let index = json!({"manifests": [entry(place)]}).to_string();
            place.put_as("latest", OCI_INDEX, index.replace("{\"digest\"", "{\"digest\":\"sha256:0\",\"digest\""));
        })
        .asked("manifests/", 1),
    ])
    .await;
}

#[tokio::test]
async fn an_entry_that_lies_is_told() {
    let size = |size: u64| {
        error(
            format!("size is {size}"),
            Kind::InvalidResponse,
            format!("Failed to get manifest: the index says {size} bytes for sha256:"),
            move |place| {
                place.put_index(&json!([with(entry(place), "/size", json!(size))]));
            },
        )
    };
    let leads_to = |name: &str, kind: Kind, message: &str, document: Value| {
        error(name, kind, message, move |place| {
            let entry = place.entry(&document);
            place.put_index(&json!([entry]));
        })
    };
    let unknown_algorithm = |algorithm: &'static str| {
        let message = format!("Failed to get manifest: the digest {algorithm} is of the algorithm ");
        error(algorithm, Kind::InvalidResponse, message, move |place| {
            place.put_index(&json!([with(entry(place), "/digest", json!(algorithm))]));
        })
        // What cannot be verified is not asked for.
        .asked("manifests/", 1)
    };
    expect(vec![
        size(0),
        size(1),
        size(i64::MAX as u64 + 1),
        size(u64::MAX),
        unknown_algorithm("md5:d41d8cd98f00b204e9800998ecf8427e"),
        unknown_algorithm("sha256+b64:AAAA=_-"),
        error(
            "itself",
            Kind::DigestMismatch,
            "Failed to get manifest: what was sent does not match its digest",
            |place| {
                place.put_index(&json!([entry(place)]));
                let digest = entry(place)["digest"].as_str().expect("a digest").to_owned();
                // No index holds its own digest: one that claims to is another document than the digest says.
                let index = json!({"schemaVersion": 2, "manifests": [entry(place)]}).to_string();
                place.at(&format!("manifests/{digest}"), [Step::text(200, &index)]);
            },
        ),
        error(
            "an index that leads nowhere",
            Kind::NotFound,
            "Image not found: REGISTRY/REPOSITORY:latest. ",
            |place| {
                let entry = place.entry(&json!({"schemaVersion": 2, "manifests": [other("amd64")]}));
                place.put_index(&json!([entry]));
            },
        )
        .status(404),
        leads_to(
            "an index for others",
            Kind::NoPlatform,
            "No amd64 manifest found in the image manifest. The image is for linux/amd64, linux/arm64, not for",
            json!({"schemaVersion": 2, "manifests": [other("arm64")]}),
        ),
        leads_to(
            "an artifact",
            Kind::UnsupportedImage,
            "No manifests found in the image manifest",
            json!({"blobs": []}),
        ),
        leads_to(
            "no layers",
            Kind::UnsupportedImage,
            "The image layers are missing",
            json!({"config": {}, "layers": []}),
        ),
        leads_to(
            "a text",
            Kind::InvalidResponse,
            "Failed to get manifest: the answer is not a manifest (",
            json!("text"),
        ),
        error("nowhere", Kind::NotFound, "Image not found: REGISTRY/REPOSITORY:latest. ", |place| {
            place.put_index(&json!([other("amd64")]));
        })
        .status(404),
    ])
    .await;
}

#[tokio::test]
async fn the_right_entry_is_found_among_strange_ones() {
    let entries = |name: &str, before: fn() -> Vec<Value>| -> Case {
        file(name, move |place| {
            let mut entries = before();
            entries.push(entry(place));
            place.put_index(&json!(entries));
        })
        .asked("manifests/", 2)
    };
    let changed = |name: &str, member: &'static str, value: Value| -> Case {
        file(name, move |place| place.put_index(&json!([with(entry(place), member, value.clone())])))
            .asked("manifests/", 2)
    };
    expect(vec![
        entries("behind ten thousand", || (0..10_000).map(|number| other(&format!("riscv{number}"))).collect()),
        entries("behind ones without a platform", || {
            vec![without(other("x"), "", "platform"), with(other("x"), "/platform", json!(null))]
        }),
        entries("behind empty platforms", || {
            vec![with(other("x"), "/platform", json!({})), other(""), with(other("x"), "/platform/os", json!(null))]
        }),
        entries("behind hostile names", || vec![other(HOSTILE), with(other("amd64"), "/platform/os", json!(HOSTILE))]),
        entries("behind variants that are none", || {
            let variant = |variant: &str| json!({"os": "linux", "architecture": "amd64", "variant": variant});
            ["v", "1", "v99999999999999999999", "v1.", "v-1", "v+1", HOSTILE]
                .into_iter()
                .map(|text| with(other("x"), "/platform", variant(text)))
                .collect()
        }),
        entries("behind digests that nobody can verify", || vec![with(other("arm64"), "/digest", json!("md5:00"))]),
        entries("behind large sizes", || vec![with(other("arm64"), "/size", json!(u64::MAX))]),
        changed("no operating system", "/platform/os", json!("")),
        changed("upper case", "/platform/architecture", json!("AMD64")),
        changed("a null variant", "/platform", json!({"os": "linux", "architecture": "amd64", "variant": null})),
        changed("a null media type", "/mediaType", json!(null)),
        changed("an empty media type", "/mediaType", json!("")),
        changed("a hostile media type", "/mediaType", json!(HOSTILE)),
        changed("an endless media type", "/mediaType", json!("x".repeat(1_000_000))),
        changed("a media type of something else", "/mediaType", json!("text/html")),
    ])
    .await;
}

#[tokio::test]
async fn an_index_without_the_platform_says_shortly_what_it_has() {
    let none = |name: &str, names: &str, entries: fn() -> Vec<Value>| {
        let message = format!("No amd64 manifest found in the image manifest. {names}");
        error(name, Kind::NoPlatform, message, move |place| place.put_index(&json!(entries()))).asked("manifests/", 1)
    };
    expect(vec![
        none("ten thousand others", "The image is for linux/riscv0, linux/riscv1, linux/riscv10, ", || {
            (0..10_000).map(|number| other(&format!("riscv{number}"))).collect()
        }),
        none("an endless name", "The image is for linux/xxxxxxxx", || vec![other(&"x".repeat(1_000_000))]),
        none("a hostile name", "The image is for linux/\u{b7}\u{b7}[31m", || vec![other(HOSTILE)]),
        none("unknown everywhere", "The image names no platform, not for linux/amd64", || vec![other("unknown")]),
        none("newer processors only", "The image is for linux/amd64/v4, not for linux/amd64", || {
            vec![with(other("x"), "/platform", json!({"os": "linux", "architecture": "amd64", "variant": "v4"}))]
        }),
    ])
    .await;
}
