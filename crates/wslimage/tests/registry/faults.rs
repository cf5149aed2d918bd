//! Registries that do something wrong: each fault ends in a clear error, and what was at the destination stays.

use serde_json::{Map, Value, json};
use wslimage::ErrorKind;
use wslimage_test_registry::{Blob, Image, ImageDigests, Layers, Platform as Served, Step};

use crate::fixture::{Fixture, LAYER};

fn members(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// What a registry does wrong, and what must be said of it.
struct Fault {
    name: &'static str,
    image: fn() -> Image,
    /// Where the steps apply: below `/v2/a/b/`, with `LAYER`, `CONFIG` and `MANIFEST` for the digests.
    path: &'static str,
    steps: fn() -> Vec<Step>,
    kind: ErrorKind,
    status: Option<u16>,
    message: &'static str,
}

fn no_steps() -> Vec<Step> {
    Vec::new()
}

pub(crate) fn image() -> Image {
    Fixture::image("a/b")
}

pub(crate) fn with_layers(layers: Layers) -> Image {
    Image { platforms: vec![Served { layers, ..Served::linux_amd64(vec![]) }], ..image() }
}

pub(crate) fn lying_layer(digest: Option<String>, size: Option<u64>) -> Image {
    with_layers(vec![Blob { digest, size, ..Blob::text(LAYER) }].into())
}

fn with_config(config: &str) -> Image {
    Image {
        platforms: vec![Served {
            config_text: Some(config.to_owned()),
            ..Served::linux_amd64(vec![Blob::text(LAYER)])
        }],
        ..image()
    }
}

const MANIFEST: &str = "manifests/latest";
const LAYER_PATH: &str = "blobs/LAYER";

fn faults() -> Vec<Fault> {
    use ErrorKind as Kind;
    let fault = |name, path, steps, kind, status, message| Fault { name, image, path, steps, kind, status, message };
    let bad_image =
        |name, image, kind, message| Fault { name, image, path: "", steps: no_steps, kind, status: None, message };
    vec![
        fault(
            "a missing tag",
            MANIFEST,
            || vec![Step::text(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#)],
            Kind::NotFound,
            Some(404),
            "Image not found: REGISTRY/a/b:latest. REGISTRY answered 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)",
        ),
        fault(
            "a manifest that the index names and the registry lacks",
            "manifests/MANIFEST",
            || vec![Step::status(404)],
            Kind::NotFound,
            Some(404),
            "Image not found: REGISTRY/a/b:latest. ",
        ),
        fault(
            "403",
            MANIFEST,
            || vec![Step::text(403, r#"{"errors":[{"code":"DENIED","message":"requested access is denied"}]}"#)],
            Kind::Denied,
            Some(403),
            "Failed to get manifest: REGISTRY answered 403 Forbidden (DENIED: requested access is denied)",
        ),
        fault(
            "401 that does not say how to sign in",
            MANIFEST,
            || vec![Step::status(401)],
            Kind::Unauthorized,
            Some(401),
            "Access denied to registry. The image may not exist or authentication failed. REGISTRY answered 401",
        ),
        fault(
            "too many requests",
            MANIFEST,
            || {
                vec![
                    Step::text(429, r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#)
                        .header("Retry-After", "7"),
                ]
            },
            Kind::RateLimited,
            Some(429),
            "Failed to get manifest: REGISTRY answered 429 Too Many Requests (TOOMANYREQUESTS: slow down). Wait",
        ),
        fault(
            "a broken registry",
            MANIFEST,
            || vec![Step::text(502, "<html>bad gateway</html>")],
            Kind::Server,
            Some(502),
            "Failed to get manifest: REGISTRY answered 502 Bad Gateway",
        ),
        fault(
            "the page of a hotel's network",
            MANIFEST,
            || vec![Step::text(200, "<html><title>Welcome</title>").header("Content-Type", "text/html; charset=utf-8")],
            Kind::InvalidResponse,
            None,
            "Failed to get manifest: the answer is not a manifest (text/html, beginning \"<html><title>Welcome</title>\")",
        ),
        fault(
            "an empty answer",
            MANIFEST,
            || vec![Step::status(200)],
            Kind::InvalidResponse,
            None,
            "Failed to get manifest: the answer is not a manifest",
        ),
        fault(
            "a manifest without end",
            MANIFEST,
            || vec![Step { body: Some(" ".repeat(5 * 1024 * 1024)), chunked: true, ..Step::default() }],
            Kind::InvalidResponse,
            None,
            "Failed to get manifest: REGISTRY sent more than 4096 KiB",
        ),
        fault(
            "a manifest that says it is too long",
            MANIFEST,
            || vec![Step { body: Some(" ".repeat(5 * 1024 * 1024)), ..Step::default() }],
            Kind::InvalidResponse,
            None,
            "Failed to get manifest: REGISTRY sent more than 4096 KiB",
        ),
        fault(
            "a manifest that was altered on the way",
            "manifests/MANIFEST",
            || vec![Step::text(200, r#"{"schemaVersion":2,"layers":[]}"#)],
            Kind::DigestMismatch,
            None,
            "Failed to get manifest: what was sent does not match its digest. Expected: ",
        ),
        fault(
            "an index whose told digest is another",
            MANIFEST,
            || {
                let digest = format!("sha256:{}", "0".repeat(64));
                vec![Step::pass().header("Docker-Content-Digest", &digest)]
            },
            Kind::DigestMismatch,
            None,
            "Failed to get manifest: what was sent does not match its digest. Expected: 0000",
        ),
        fault(
            "a config that was altered on the way",
            "blobs/CONFIG",
            || vec![Step::text(200, "{}")],
            Kind::DigestMismatch,
            None,
            "Failed to get manifest: what was sent does not match its digest. ",
        ),
        fault(
            "a manifest cut short",
            MANIFEST,
            || vec![Step { cut_after: Some(10), ..Step::pass() }],
            Kind::Connection,
            None,
            "Failed to get manifest: the connection to REGISTRY was cut",
        ),
        fault(
            "a schema 1 manifest",
            MANIFEST,
            || vec![Step::text(200, r#"{"schemaVersion":1,"fsLayers":[]}"#)],
            Kind::UnsupportedImage,
            None,
            "The image has a Docker schema 1 manifest",
        ),
        fault(
            "a list of tags in the place of a manifest",
            MANIFEST,
            || vec![Step::text(200, r#"{"name":"a/b","tags":[]}"#)],
            Kind::UnsupportedImage,
            None,
            "No manifests found in the image manifest",
        ),
        fault(
            "an empty index",
            MANIFEST,
            || vec![Step::text(200, r#"{"schemaVersion":2,"manifests":[]}"#)],
            Kind::UnsupportedImage,
            None,
            "No manifests found in the image manifest",
        ),
        fault(
            "an index with a size that is no size",
            MANIFEST,
            || {
                let index = json!({"manifests": [{"digest": format!("sha256:{}", "0".repeat(64)), "size": -1}]});
                vec![Step::text(200, &index.to_string())]
            },
            Kind::InvalidResponse,
            None,
            "Failed to get manifest: \"manifests\" of the manifest cannot be read: ",
        ),
        bad_image("no layers", || with_layers(Layers::Absent), Kind::UnsupportedImage, "The image layers are missing"),
        bad_image("null layers", || with_layers(Layers::Null), Kind::UnsupportedImage, "The image layers are missing"),
        bad_image(
            "empty layers",
            || with_layers(vec![].into()),
            Kind::UnsupportedImage,
            "The image layers are missing",
        ),
        bad_image(
            "no config",
            || {
                let manifest = members(json!({"config": null}));
                Image {
                    platforms: vec![Served { manifest, ..Served::linux_amd64(vec![Blob::text(LAYER)]) }],
                    ..image()
                }
            },
            Kind::InvalidResponse,
            "Failed to get manifest: the image manifest names no config",
        ),
        bad_image(
            "a config that is no object",
            || with_config("[1]"),
            Kind::InvalidResponse,
            "Failed to get manifest: the image config cannot be read: it is not a JSON object",
        ),
        bad_image(
            "a config that is no JSON",
            || with_config("{\"a\":"),
            Kind::InvalidResponse,
            "Failed to get manifest: the image config cannot be read: ",
        ),
        bad_image(
            "an algorithm that nobody knows",
            || lying_layer(Some("md5:d41d8cd98f00b204e9800998ecf8427e".to_owned()), None),
            Kind::InvalidResponse,
            "Failed to download Docker image layer: the digest md5:",
        ),
        bad_image(
            "a layer of another size than its manifest says",
            || lying_layer(None, Some(7)),
            Kind::InvalidResponse,
            "Failed to download Docker image layer: the layer has 7 bytes, the registry sent 49",
        ),
        bad_image(
            "a layer that is not what its digest says",
            || lying_layer(Some(format!("sha256:{}", "0".repeat(64))), None),
            Kind::DigestMismatch,
            "Downloaded file hash does not match expected hash. Expected: \
             0000000000000000000000000000000000000000000000000000000000000000, Actual: \
             1a0b0f726dca843f94a511837f6490a3cfa95e53189b77a9922f6eb6f472df0a. Try again",
        ),
        fault(
            "a missing layer",
            LAYER_PATH,
            || vec![Step::text(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#)],
            Kind::BlobNotFound,
            Some(404),
            "Failed to download Docker image layer: REGISTRY answered 404 Not Found (BLOB_UNKNOWN: blob unknown)",
        ),
        fault(
            "a layer cut short again and again",
            LAYER_PATH,
            || vec![Step { cut_after: Some(0), ..Step::pass() }],
            Kind::Connection,
            None,
            "Failed to download Docker image layer: the connection to REGISTRY was cut: ",
        ),
        fault(
            "a layer whose connection is reset again and again",
            LAYER_PATH,
            || vec![Step { reset_after: Some(0), ..Step::pass() }],
            Kind::Connection,
            None,
            "Failed to download Docker image layer: the connection to REGISTRY was cut: ",
        ),
        fault(
            "a layer that is shorter and does not say so",
            LAYER_PATH,
            || vec![Step { body: Some("short".to_owned()), chunked: true, ..Step::default() }],
            Kind::Connection,
            None,
            "Failed to download Docker image layer: the layer has 49 bytes, the registry sent only 5",
        ),
        fault(
            "a layer that is longer and does not say so",
            LAYER_PATH,
            || vec![Step { body: Some("x".repeat(1000)), chunked: true, ..Step::default() }],
            Kind::InvalidResponse,
            None,
            "Failed to download Docker image layer: the layer has 49 bytes, the registry sent more",
        ),
        fault(
            "a part of the layer, for which nobody asked",
            LAYER_PATH,
            || vec![Step { status: Some(206), ..Step::pass() }],
            Kind::Server,
            Some(206),
            "Failed to download Docker image layer: REGISTRY answered 206",
        ),
        fault(
            "a redirect to nowhere",
            LAYER_PATH,
            || vec![Step::status(307)],
            Kind::InvalidResponse,
            Some(307),
            "Failed to download Docker image layer: REGISTRY answered 307 Temporary Redirect without saying where to",
        ),
        fault(
            "a redirect to itself",
            LAYER_PATH,
            || vec![Step::status(302).header("Location", "?again")],
            Kind::InvalidResponse,
            None,
            "Failed to download Docker image layer: REGISTRY redirects more than 10 times",
        ),
        fault(
            "a redirect to a file",
            LAYER_PATH,
            || vec![Step::status(302).header("Location", "file:///etc/passwd")],
            Kind::InvalidResponse,
            Some(302),
            "Failed to download Docker image layer: REGISTRY answered 302 Found to an address of scheme file",
        ),
        fault(
            "a redirect from https to http",
            LAYER_PATH,
            || vec![Step::status(302).header("Location", "http://127.0.0.1:1/blob?X-Signature=secret")],
            Kind::Insecure,
            None,
            "Failed to download Docker image layer: REGISTRY redirects from https to plain http at 127.0.0.1:1, which is refused",
        ),
    ]
}

fn path_of(fault: &Fault, served: &ImageDigests) -> String {
    let digest = |digests: &[String]| digests.first().cloned().unwrap_or_default();
    let layer = served.layers.first().and_then(|layers| layers.first()).map(|layer| layer.digest.clone());
    fault
        .path
        .replace("LAYER", &layer.unwrap_or_default())
        .replace("CONFIG", &digest(&served.configs))
        .replace("MANIFEST", &digest(&served.manifests))
}

#[tokio::test]
async fn a_fault_ends_in_a_clear_error_and_changes_nothing() {
    for fault in faults() {
        let fixture = Fixture::new().await;
        fixture.put_older_file();
        let served = fixture.serve((fault.image)());
        let steps = (fault.steps)();
        if !steps.is_empty() {
            fixture.route(&format!("/v2/a/b/{}", path_of(&fault, &served)), steps);
        }
        let Err(error) = fixture.pull(&fixture.client(), "a/b").await else { panic!("{} went unseen", fault.name) };
        let message = fault.message.replace("REGISTRY", fixture.registry.https_address());
        assert!(error.to_string().starts_with(&message), "{}:\n{error}\n{message}", fault.name);
        assert_eq!(error.kind(), fault.kind, "{}: {error}", fault.name);
        assert_eq!(error.http_status(), fault.status, "{}: {error}", fault.name);
        assert!(!format!("{error:?} {error}").contains("secret"), "{}: {error:?}", fault.name);
        fixture.expect_older_file();
    }
}
