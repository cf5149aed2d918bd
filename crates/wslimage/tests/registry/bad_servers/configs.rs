//! Configs that are missing, huge, or hold what a config should not.

use serde_json::{Value, json};
use wslimage::ErrorKind as Kind;
use wslimage_test_registry::Step;

use super::{Case, HOSTILE, error, expect, file, with, without};

const UNREADABLE: &str = "Failed to get manifest: the image config cannot be read: ";

fn put(name: &str, config: impl Into<String>) -> Case {
    let config = config.into();
    file(name, move |place| place.put(place.manifest_with_config(&config).to_string())).asked("blobs/", 2)
}

fn bad(name: &str, message: &str, config: impl Into<String>) -> Case {
    let config = config.into();
    let message = format!("{UNREADABLE}{message}");
    error(name, Kind::InvalidResponse, message, move |place| {
        place.put(place.manifest_with_config(&config).to_string());
    })
    .asked("blobs/", 1)
}

#[tokio::test]
async fn a_config_with_strange_members_is_no_reason_to_fail() {
    let of = |members: &str| format!(r#"{{"os":"linux","architecture":"amd64",{members}}}"#);
    expect(vec![
        put("labels as an array", of(r#""config":{"Labels":["a","b"]}"#)),
        put("labels that are null", of(r#""config":{"Labels":null}"#)),
        put("a label that is an object", of(r#""config":{"Labels":{"a":{"b":{}}}}"#)),
        put("created as a number", of(r#""created":5"#)),
        put("a year that does not exist", of(r#""created":"99999-99-99T99:99:99Z""#)),
        put("an environment that is null", of(r#""config":{"Env":null}"#)),
        put("an environment of numbers", of(r#""config":{"Env":[1,null]}"#)),
        put("config as a text", of(r#""config":"none""#)),
        put("rootfs as a number", of(r#""rootfs":5"#)),
        put("history as a text", of(r#""history":"long""#)),
        put("equal keys", of(r#""config":{},"config":{"Labels":{}}"#)),
        put("keys that differ by case", of(r#""config":{"Labels":{"a":"1","A":"2"}}"#)),
        put("hostile texts", of(&format!(r#""config":{{"Labels":{{{0}:{0}}}}}"#, json!(HOSTILE)))),
        put("large numbers", of(r#""config":{"size":1e400,"other":123456789012345678901234567890}"#)),
        put("no architecture", r#"{"os":"linux"}"#),
        put("an empty architecture", r#"{"os":"linux","architecture":""}"#),
        put("a null architecture", r#"{"os":"linux","architecture":null}"#),
        put("no operating system, which is Linux", r#"{"architecture":"amd64"}"#),
        put("nothing", "{}"),
        put("spaces around it", " \r\n{}\t "),
    ])
    .await;
}

#[tokio::test]
async fn a_config_that_cannot_be_read_is_told() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    expect(vec![
        bad("empty", "", ""),
        bad("only spaces", "", " \n "),
        bad("HTML", "expected value at line 1 column 1", "<html></html>"),
        bad("a byte order mark", "expected value at line 1 column 1", "\u{feff}{}"),
        bad("an array", "it is not a JSON object", "[]"),
        bad("an array in the order of the members", "it is not a JSON object", r#"["amd64","linux",null]"#),
        bad("null", "it is not a JSON object", "null"),
        bad("a number", "it is not a JSON object", "5"),
        bad("a hostile text", "it is not a JSON object", json!(HOSTILE.repeat(10_000)).to_string()),
        bad("something behind the end", "trailing characters", "{} {}"),
        bad("nested too deep", "it is nested more than 100 deep", deep),
        bad("an architecture that is a number", "invalid type: integer `5`", r#"{"architecture":5}"#),
        bad("an architecture that is an object", "invalid type: map", r#"{"architecture":{}}"#),
        bad("an operating system that is an array", "invalid type: sequence", r#"{"os":["linux"]}"#),
        bad("half a character in a key", "", r#"{"\ud800":1}"#),
    ])
    .await;
}

#[tokio::test]
async fn a_config_for_another_platform_is_told_by_its_name() {
    let other = |name: &str, message: &str, platform: Value| {
        let message = format!("No amd64 manifest found in the image manifest. {message}");
        let config = platform.to_string();
        error(name, Kind::NoPlatform, message, move |place| {
            place.put(place.manifest_with_config(&config).to_string());
        })
    };
    expect(vec![
        other("another", "The image is for linux/arm64, not", json!({"os": "linux", "architecture": "arm64"})),
        other("hostile", "The image is for linux/\u{b7}", json!({"os": "linux", "architecture": HOSTILE})),
        other("endless", "The image is for linux/xx", json!({"os": "linux", "architecture": "X".repeat(1_000_000)})),
    ])
    .await;
}

#[tokio::test]
async fn a_config_is_found_by_its_digest_and_nothing_else() {
    let described = |name: &str, member: &'static str, value: Value| {
        file(name, move |place| place.put(with(place.manifest(), member, value.clone()).to_string()))
    };
    let unreadable = |name: &str, value: Value| {
        let message = "Failed to get manifest: \"config\" of the manifest cannot be read: ";
        error(name, Kind::InvalidResponse, message, move |place| {
            place.put(with(place.manifest(), "/config", value.clone()).to_string());
        })
        .asked("blobs/", 0)
    };
    expect(vec![
        described("another size", "/config/size", json!(5)),
        described("a size that is none", "/config/size", json!("large")),
        described("a media type of something else", "/config/mediaType", json!("text/html")),
        described("a hostile media type", "/config/mediaType", json!(HOSTILE)),
        described("a null media type", "/config/mediaType", json!(null)),
        file("no media type", |place| place.put(without(place.manifest(), "/config", "mediaType").to_string())),
        unreadable("a text", json!("sha256:00")),
        unreadable("an array", json!([])),
        unreadable("an empty object", json!({})),
        unreadable("a digest that is a path", json!({"mediaType": "a/b", "digest": "sha256:../../x"})),
        error(
            "an algorithm that nobody knows",
            Kind::InvalidResponse,
            "Failed to get manifest: the digest md5:00 is of the algorithm md5, which cannot be verified",
            |place| place.put(with(place.manifest(), "/config/digest", json!("md5:00")).to_string()),
        )
        // What cannot be verified is not asked for.
        .asked("blobs/", 0),
        error("nowhere", Kind::NotFound, "Image not found: REGISTRY/REPOSITORY:latest. ", |place| {
            let digest = format!("sha256:{}", "0".repeat(64));
            place.put(with(place.manifest(), "/config/digest", json!(digest)).to_string());
        })
        .status(404),
        error("20 MB", Kind::InvalidResponse, "Failed to get manifest: REGISTRY sent more than 16384 KiB", |place| {
            let config = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000_000));
            place.put(place.manifest_with_config(&config).to_string());
        })
        .asked("blobs/", 1),
        error("no bytes", Kind::DigestMismatch, "Failed to get manifest: what was sent does not match", |place| {
            let served = place.serve();
            place.at(&format!("blobs/{}", served.configs[0]), [Step::status(200)]);
        })
        // A wrong digest is asked for once more.
        .asked("blobs/", 2),
        error("204", Kind::Server, "Failed to get manifest: REGISTRY answered 204 No Content", |place| {
            let served = place.serve();
            place.at(&format!("blobs/{}", served.configs[0]), [Step::status(204)]);
        })
        .status(204),
    ])
    .await;
}
