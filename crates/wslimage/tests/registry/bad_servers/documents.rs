//! What comes where an index or a manifest should.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wslimage::ErrorKind as Kind;
use wslimage_test_registry::{HeaderValues, Step};

use super::{Case, HOSTILE, OCI_MANIFEST, error, expect, file, with, without};

const NO_MANIFEST: &str = "Failed to get manifest: the answer is not a manifest (";

fn bytes(bytes: impl AsRef<[u8]>) -> Step {
    Step { body_base64: Some(STANDARD.encode(bytes)), ..Step::default() }
}

fn answer(name: &str, kind: Kind, message: &str, body: impl AsRef<[u8]> + 'static) -> Case {
    error(name, kind, message, move |place| place.at_tag([bytes(&body).header("Content-Type", OCI_MANIFEST)]))
}

#[tokio::test]
async fn what_is_no_document_is_told_with_its_beginning() {
    let utf_16 = r#"{"schemaVersion":2}"#.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let beginning = |text: &str| format!("{NO_MANIFEST}{OCI_MANIFEST}, beginning \"{text}\"): ");
    let not = |name, text: &str, body: Vec<u8>| answer(name, Kind::InvalidResponse, &beginning(text), body);
    let json = |name, text: &'static str| not(name, &text.chars().take(40).collect::<String>(), text.into());
    expect(vec![
        not("only spaces", " \u{b7}\u{b7}\u{b7} ", b" \r\n\t ".into()),
        not("a byte order mark", "\u{b7}{\"schemaVersion\":2}", "\u{feff}{\"schemaVersion\":2}".into()),
        json("something behind the end", r#"{"schemaVersion":2} {"schemaVersion":2}"#),
        not("UTF-16", &String::from_utf8_lossy(&utf_16[..40.min(utf_16.len())]).replace('\0', "\u{b7}"), utf_16),
        not("zero bytes", &"\u{b7}".repeat(40), vec![0; 1000]),
        not("colours", "\u{b7}[31mred", "\u{1b}[31mred".into()),
        not("gzip", "\u{b7}\u{fffd}\u{b7}\u{b7}", vec![0x1f, 0x8b, 8, 0]),
        json("an array", r#"[{"schemaVersion":2}]"#),
        json("a text", r#""no manifest today""#),
        json("a number", "42"),
        json("null", "null"),
        json("true", "true"),
        not("an endless text", &format!("\"{}", "x".repeat(39)), format!("\"{}\"", "x".repeat(4_000_000)).into()),
        not("a hostile text", "\"\\u001b[2J\\u202e\"", r#""\u001b[2J\u202e""#.into()),
        not("brackets without end", &"[".repeat(40), "[".repeat(100_000).into()),
        not(
            "braces without end",
            "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
            "{\"a\":".repeat(100_000).into(),
        ),
        json("manifests twice", r#"{"manifests":[],"manifests":[]}"#),
        json("layers twice", r#"{"layers":[],"layers":[]}"#),
        json("a version that is a text", r#"{"schemaVersion":"2","layers":[]}"#),
        json("a version below zero", r#"{"schemaVersion":-2,"layers":[]}"#),
        json("a fractional version", r#"{"schemaVersion":2.5,"layers":[]}"#),
    ])
    .await;
}

#[tokio::test]
async fn a_document_that_is_no_image_is_told_so() {
    let member = |name, member: &str, value: String| {
        let message = format!("Failed to get manifest: \"{member}\" of the manifest cannot be read: ");
        answer(name, Kind::InvalidResponse, &message, format!("{{\"{member}\":{value}}}"))
    };
    let unsupported = |name, message, json: &'static str| answer(name, Kind::UnsupportedImage, message, json);
    let empty = "No manifests found in the image manifest";
    let layerless = "The image layers are missing";
    let deep = |bracket: &str, end: &str| format!("{}{}", bracket.repeat(100_000), end.repeat(100_000));
    expect(vec![
        unsupported("an empty object", empty, "{}"),
        unsupported("null manifests", empty, r#"{"manifests":null}"#),
        unsupported("an array in the order of the members", empty, "[2,[],null,null]"),
        unsupported("a version alone", empty, r#"{"schemaVersion":2}"#),
        unsupported("null members", empty, r#"{"manifests":null,"layers":null,"config":null}"#),
        unsupported("a config alone", layerless, r#"{"config":{}}"#),
        unsupported("no layer at all", layerless, r#"{"schemaVersion":2,"layers":[]}"#),
        answer(
            "a deep member that nobody knows",
            Kind::UnsupportedImage,
            empty,
            format!("{{\"a\":{}}}", deep("[", "]")),
        ),
        member("manifests as an object", "manifests", "{}".to_owned()),
        member("manifests as a text", "manifests", r#""sha256:00""#.to_owned()),
        member("manifests as a hostile text", "manifests", json!(HOSTILE.repeat(1000)).to_string()),
        member("manifests with null", "manifests", "[null]".to_owned()),
        member("manifests with arrays", "manifests", "[[]]".to_owned()),
        member("manifests with a number", "manifests", "[5]".to_owned()),
        member("deep manifests", "manifests", deep("[", "]")),
        member("layers as an object", "layers", "{}".to_owned()),
        member("layers with null", "layers", "[null]".to_owned()),
        member("layers with texts", "layers", r#"["sha256:00"]"#.to_owned()),
        member("deep layers", "layers", deep("[", "]")),
        member("a layer without anything", "layers", "[{}]".to_owned()),
        answer(
            "an index that is a manifest too",
            Kind::InvalidResponse,
            "Failed to get manifest: the document is an index and a manifest at once",
            r#"{"manifests":[],"layers":[]}"#,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_manifest_counts_by_its_members_whatever_it_calls_itself() {
    let typed = |name: &str, content_type: &'static str| {
        file(name, move |place| {
            place.serve();
            place.at_tag([Step::pass().header("Content-Type", content_type)]);
        })
    };
    let version = |name: &str, version: serde_json::Value| {
        file(name, move |place| {
            place.put(with(place.manifest(), "/schemaVersion", version.clone()).to_string());
        })
    };
    expect(vec![
        typed("text", "text/plain"),
        typed("HTML", "text/html; charset=utf-8"),
        typed("bytes", "application/octet-stream"),
        typed("a type that is none", ";;; /"),
        typed("an empty type", ""),
        typed("a manifest's type for an index", OCI_MANIFEST),
        file("two types", |place| {
            place.serve();
            let types = HeaderValues::Many(vec!["text/html".to_owned(), OCI_MANIFEST.to_owned()]);
            let headers = [("Content-Type".to_owned(), types)].into();
            place.at_tag([Step { headers, ..Step::pass() }]);
        }),
        version("version 3", json!(3)),
        version("version null", json!(null)),
        file("no version", |place| place.put(without(place.manifest(), "", "schemaVersion").to_string())),
        file("no media type", |place| place.put(without(place.manifest(), "", "mediaType").to_string())),
        file("a null media type", |place| {
            place.put(with(place.manifest(), "/mediaType", json!(null)).to_string());
        }),
        file("another media type", |place| {
            place.put(with(place.manifest(), "/mediaType", json!("text/html")).to_string());
        }),
        file("null manifests beside the layers", |place| {
            let mut manifest = place.manifest();
            manifest["manifests"] = json!(null);
            place.put(manifest.to_string());
        }),
        file("members that nobody knows", |place| {
            let mut manifest = place.manifest();
            manifest["subject"] = json!([[[HOSTILE]]]);
            manifest["annotations"] = json!(5);
            place.put(manifest.to_string());
        }),
        error(
            "version 1 with all that version 2 has",
            Kind::UnsupportedImage,
            "The image has a Docker schema 1 manifest",
            |place| place.put(with(place.manifest(), "/schemaVersion", json!(1)).to_string()),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_layer_that_a_manifest_describes_wrongly_is_told() {
    let unreadable = "Failed to get manifest: \"layers\" of the manifest cannot be read: ";
    let layer = |name: &str, kind: Kind, message: &str, member: &'static str, value: &'static str| {
        error(name, kind, message, move |place| {
            let manifest = with(place.manifest(), &format!("/layers/0/{member}"), json!("VALUE"));
            place.put(manifest.to_string().replace("\"VALUE\"", value));
        })
    };
    let bad = |name, member, value| layer(name, Kind::InvalidResponse, unreadable, member, value);
    let digest = |name, value: &'static str| bad(name, "digest", value);
    let size = |name, value: &'static str| bad(name, "size", value);
    let missing = |name: &str, member: &'static str| {
        error(name, Kind::InvalidResponse, unreadable, move |place| {
            place.put(without(place.manifest(), "/layers/0", member).to_string());
        })
    };
    expect(vec![
        digest("an upper case digest", r#""sha256:ABCDEF0000000000000000000000000000000000000000000000000000000000""#),
        digest(
            "an upper case algorithm",
            r#""SHA256:0000000000000000000000000000000000000000000000000000000000000000""#,
        ),
        digest("a short digest", r#""sha256:00""#),
        digest(
            "a digest without an algorithm",
            r#""0000000000000000000000000000000000000000000000000000000000000000""#,
        ),
        digest("a digest that is empty", r#""""#),
        digest("a digest that is null", "null"),
        digest("a digest that is a number", "5"),
        digest("a digest that is a path", r#""sha256:../../../etc/passwd""#),
        digest("a digest whose algorithm is a path", r#""../../v2/other/blobs/sha256:00""#),
        digest("a digest with a query", r#""md5:00?x=y""#),
        digest("a hostile digest", r#""\u001b[31m\u202e:\u0000\r\n""#),
        size("a size of 2^64", "18446744073709551616"),
        size("a size below zero", "-1"),
        size("a fractional size", "49.5"),
        size("a size in floating point", "4.9e1"),
        size("a size that is a text", r#""49""#),
        size("a size that is null", "null"),
        missing("no digest", "digest"),
        missing("no size", "size"),
        missing("no media type", "mediaType"),
        layer("a size of 2^63", Kind::File, "Failed to write destination file: ", "size", "9223372036854775808"),
        layer("a size of 2^64 - 1", Kind::File, "Failed to write destination file: ", "size", "18446744073709551615"),
        layer(
            "a size of 0",
            Kind::DigestMismatch,
            "Downloaded file hash does not match expected hash. Expected: ",
            "size",
            "0",
        ),
        layer(
            "an algorithm that nobody knows",
            Kind::InvalidResponse,
            "Failed to download Docker image layer: the digest blake3:AAAA is of the algorithm blake3, which cannot",
            "digest",
            r#""blake3:AAAA""#,
        ),
        error("an endless digest", Kind::InvalidResponse, unreadable, |place| {
            let digest = format!("blake3:{}", "A".repeat(1_000_000));
            place.put(with(place.manifest(), "/layers/0/digest", json!(digest)).to_string());
        }),
        error("the digest twice", Kind::InvalidResponse, unreadable, |place| {
            let text = place.manifest().to_string();
            let (before, layers) = text.split_once("\"layers\":").expect("layers");
            place.put(format!("{before}\"layers\":{}", layers.replacen("{", "{\"digest\":\"sha256:00\",", 1)));
        }),
        error("more layers than any image has", Kind::UnsupportedImage, "Failed to read layer 1 of ", |place| {
            let manifest = place.manifest();
            let layers = vec![manifest["layers"][0].clone(); 20_000];
            place.put(with(manifest, "/layers", json!(layers)).to_string());
        })
        // The config, and the only layer that there is.
        .asked("blobs/", 2),
        error(
            "100 000 layers",
            Kind::InvalidResponse,
            "Failed to get manifest: REGISTRY sent more than 4096 KiB",
            |place| {
                let manifest = place.manifest();
                let layers = vec![manifest["layers"][0].clone(); 100_000];
                place.put(with(manifest, "/layers", json!(layers)).to_string());
            },
        )
        .asked("manifests/", 1),
        file("a media type that nobody knows", |place| {
            place.put(with(place.manifest(), "/layers/0/mediaType", json!(HOSTILE)).to_string());
        }),
    ])
    .await;
}
