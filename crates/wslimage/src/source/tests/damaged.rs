//! What is cut, altered, missing or made to do harm: an error in words, and nothing written but into the spool.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::shelf::{
    ARCHIVES, FORMS, Form, Item, OCI_INDEX, OCI_MANIFEST, Shelf, config, gzip, resolve, resolve_at, with,
};
use crate::digest::sha256;
use crate::error::{Error, ErrorKind};
use crate::platform::Platform;

fn layout(change: impl Fn(&mut Shelf, Value) -> Value) -> Shelf {
    let mut shelf = Shelf::default();
    let entry = shelf.image(&["layer"], &config());
    let entry = change(&mut shelf, entry);
    shelf.index(&[entry]);
    shelf
}

fn archive(manifest: &Value) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.file("config.json", config().to_string());
    shelf.file("layer.tar", "layer");
    shelf.file("manifest.json", manifest.to_string());
    shelf
}

fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", sha256(bytes).digest())
}

fn expect(name: &str, error: &Error, kind: ErrorKind, text: &str) {
    assert_eq!(error.kind(), kind, "{name}: {error}");
    assert!(error.to_string().contains(text), "{name}: {error}");
    assert!(error.target_name().is_some(), "{name}");
    crate::fuzz::expect_printable(error);
}

#[tokio::test]
async fn a_layout_that_is_not_right_is_told() {
    use ErrorKind::{BlobNotFound, DigestMismatch, InvalidResponse, UnsupportedImage};
    let cases = [
        (
            "another manifest",
            layout(|shelf, entry| {
                let Some((_, Item::File(bytes))) = shelf.0.last_mut() else { panic!("no manifest") };
                bytes[3] ^= 1;
                entry
            }),
            DigestMismatch,
            "what was sent does not match its digest",
        ),
        (
            "another config",
            layout(|shelf, entry| {
                let Some((_, Item::File(bytes))) = shelf.0.first_mut() else { panic!("no config") };
                bytes[3] ^= 1;
                entry
            }),
            DigestMismatch,
            "does not match its digest",
        ),
        ("another size", layout(|_, entry| with(entry, "size", json!(5))), InvalidResponse, "the index says 5 bytes"),
        (
            "no layer",
            layout(|shelf, entry| {
                shelf.remove(&blob(b"layer"));
                entry
            }),
            BlobNotFound,
            "is missing in it",
        ),
        (
            "a longer layer",
            layout(|shelf, entry| {
                shelf.remove(&blob(b"layer"));
                shelf.file(&blob(b"layer"), "a longer layer");
                entry
            }),
            InvalidResponse,
            "the manifest says 5 bytes for sha256:",
        ),
        (
            "no config",
            layout(|shelf, entry| {
                shelf.remove(&blob(config().to_string().as_bytes()));
                entry
            }),
            BlobNotFound,
            "is missing in it",
        ),
        (
            "no manifest",
            layout(|_, entry| with(entry, "digest", json!(sha256(b"nothing")))),
            BlobNotFound,
            "is missing in it",
        ),
        (
            "an unknown algorithm",
            layout(|_, entry| with(entry, "digest", json!("blake3:00"))),
            InvalidResponse,
            "which cannot be verified",
        ),
        (
            "a digest that is a path",
            layout(|_, entry| with(entry, "digest", json!("sha256:../../index.json"))),
            InvalidResponse,
            "\"manifests\" of the manifest cannot be read",
        ),
        (
            "a huge manifest",
            layout(|shelf, _| shelf.document(OCI_MANIFEST, &json!({"a": "x".repeat(5_000_000)}))),
            InvalidResponse,
            "has more than 4096 KiB",
        ),
        (
            "an index that leads to itself",
            layout(|shelf, _| {
                let digest = sha256(b"index");
                let index = json!({"manifests": [{"digest": digest, "size": 5, "mediaType": OCI_INDEX}]});
                shelf.file(&blob(b"index"), index.to_string());
                json!({"digest": digest, "size": index.to_string().len(), "mediaType": OCI_INDEX})
            }),
            DigestMismatch,
            "does not match its digest",
        ),
        (
            "deep indexes",
            layout(|shelf, mut entry| {
                for _ in 0..12 {
                    entry = shelf.document(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [entry]}));
                }
                entry
            }),
            UnsupportedImage,
            "The index leads to indexes more than 8 deep",
        ),
        (
            "deep brackets",
            {
                let mut shelf = Shelf::default();
                shelf.file("index.json", "[".repeat(1_000_000));
                shelf
            },
            InvalidResponse,
            "the answer is not a manifest",
        ),
        (
            "no images",
            {
                let mut shelf = Shelf::default();
                shelf.index(&[]);
                shelf
            },
            UnsupportedImage,
            "No manifests found in the image manifest",
        ),
        (
            "a huge index",
            {
                let mut shelf = Shelf::default();
                shelf.file("index.json", format!("{{\"a\":\"{}\"}}", "x".repeat(5_000_000)));
                shelf
            },
            InvalidResponse,
            "index.json has more than 4096 KiB",
        ),
    ];
    for (name, shelf, kind, text) in cases {
        for form in FORMS {
            let error = resolve(&shelf, form, None).await.expect_err(name);
            expect(&format!("{name} as {form:?}"), &error, kind, text);
        }
    }
}

#[tokio::test]
async fn an_archive_of_docker_that_is_not_right_is_told() {
    use ErrorKind::{BlobNotFound, DigestMismatch, InvalidResponse, UnsupportedImage};
    let image = |config: &str, layers: Value| json!([{"Config": config, "RepoTags": null, "Layers": layers}]);
    let linked = |target: &str| {
        let mut shelf = archive(&image("config.json", json!(["link"])));
        shelf.0.push(("link".to_owned(), Item::Symlink(target.to_owned())));
        shelf
    };
    let mut wrong_id = archive(&image(&format!("{}.json", sha256(b"").digest()), json!(["layer.tar"])));
    wrong_id.file(&format!("{}.json", sha256(b"").digest()), config().to_string());
    let mut outside = archive(&image("config.json", json!(["../layer.tar"])));
    outside.file("../layer.tar", "outside");
    let mut diff_ids = archive(&image("count.json", json!(["layer.tar", "layer.tar"])));
    diff_ids.file("count.json", with(config(), "rootfs", json!({"diff_ids": [sha256(b"layer")]})).to_string());
    let mut old = Shelf::default();
    old.file("repositories", r#"{"alpine":{"latest":"00"}}"#);
    old.file("00/layer.tar", "layer");
    let mut root = Shelf::default();
    root.file("./etc/os-release", "ID=alpine");
    let mut other = Shelf::default();
    other.file("readme.txt", "hello");
    for (name, shelf, kind, text) in [
        ("no JSON", archive(&json!("text")), InvalidResponse, "its manifest.json cannot be read: "),
        ("no images", archive(&json!([])), UnsupportedImage, "its manifest.json names no image"),
        ("no layers", archive(&image("config.json", json!(null))), UnsupportedImage, "The image layers are missing"),
        ("no config", archive(&image("none.json", json!(["layer.tar"]))), BlobNotFound, "none.json is missing in it"),
        ("no layer", archive(&image("config.json", json!(["none"]))), BlobNotFound, "none is missing in it"),
        ("another config", wrong_id, DigestMismatch, "does not match its digest"),
        ("a number of layers", diff_ids, UnsupportedImage, "The image's config names 1 layers"),
        ("outside", outside, BlobNotFound, "../layer.tar is missing in it"),
        ("an absolute link", linked("/etc/passwd"), BlobNotFound, "link is missing in it"),
        ("a link to outside", linked("../../etc/passwd"), BlobNotFound, "link is missing in it"),
        ("a link to itself", linked("link"), BlobNotFound, "link is missing in it"),
        (
            "a config that is an archive",
            archive(&image("layer.tar", json!(["layer.tar"]))),
            InvalidResponse,
            "the image config",
        ),
        ("the old form", old, UnsupportedImage, "it is of the form that docker save had before its version 1.10"),
        ("a root filesystem", root, UnsupportedImage, "no image. `wsl --import` takes it as it is."),
        ("something else", other, UnsupportedImage, "there is no image in it"),
        ("nothing", Shelf::default(), UnsupportedImage, "it is an archive without anything in it"),
    ] {
        for form in ARCHIVES {
            let error = resolve(&shelf, form, None).await.expect_err(name);
            expect(&format!("{name} as {form:?}"), &error, kind, text);
        }
    }
}

#[tokio::test]
async fn what_is_cut_short_is_told() {
    let mut shelf = layout(|_, entry| entry);
    let noise: Vec<u8> =
        (0..20_000_u32).flat_map(|number| sha256(&number.to_le_bytes()).as_ref().as_bytes()[7..9].to_vec()).collect();
    shelf.file("blobs/sha256/ff", &noise);
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("cut");
    let zstd = zstd::encode_all(shelf.tar().as_slice(), 1).expect("an archive");
    for whole in [shelf.tar(), gzip(&shelf.tar()), zstd] {
        for length in [whole.len() / 2, whole.len() * 3 / 4, 700, 100] {
            fs::write(&path, &whole[..length]).expect("a file");
            let error = resolve_at(&path, None, &Platform::default()).await.expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{length} of {}: {error}", whole.len());
            crate::fuzz::expect_printable(&error);
        }
    }
}

#[tokio::test]
async fn what_is_no_archive_is_told() {
    use ErrorKind::{InvalidResponse, NotFound, UnsupportedImage};
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("file");
    let mut long_name = tar::Header::new_gnu();
    long_name.set_entry_type(tar::EntryType::GNULongName);
    long_name.set_size(1 << 40);
    long_name.set_cksum();
    let endless_name = [long_name.as_bytes().as_slice(), &[b'a'; 3_000_000]].concat();
    for (bytes, kind, text) in [
        (b"\xfd7zXZ\0...".to_vec(), UnsupportedImage, "it is compressed with xz; archives may be plain"),
        (b"BZh9".to_vec(), UnsupportedImage, "it is compressed with bzip2"),
        (b"PK\x03\x04".to_vec(), UnsupportedImage, "it is compressed with zip"),
        (vec![b'x'; 5000], InvalidResponse, "it cannot be read as an archive: "),
        (b"short".to_vec(), InvalidResponse, "it cannot be read as an archive: "),
        (Vec::new(), UnsupportedImage, "it is an archive without anything in it"),
        (gzip(&[b'x'; 5000]), InvalidResponse, "it cannot be read as an archive: "),
        (gzip(&endless_name), InvalidResponse, "a header is longer than any that is needed"),
        (endless_name.clone(), InvalidResponse, "a header is longer than any that is needed"),
    ] {
        fs::write(&path, bytes).expect("a file");
        let error = resolve_at(&path, None, &Platform::default()).await.expect_err(text);
        expect(text, &error, kind, text);
    }
    let missing = folder.path().join("missing");
    let error = resolve_at(&missing, None, &Platform::default()).await.expect_err("nothing there");
    expect("missing", &error, NotFound, &format!("Failed to open {}: ", missing.display()));
    let error = resolve_at(folder.path(), None, &Platform::default()).await.expect_err("no layout");
    expect("a folder", &error, UnsupportedImage, "it is no OCI image layout: it has no index.json");
}

#[tokio::test]
async fn nothing_is_written_but_into_the_spool_and_the_job_can_be_cancelled() {
    use crate::image::Origin;
    use crate::progress::Job;
    let folder = TempDir::new().expect("a folder");
    let shelf = layout(|_, entry| entry);
    let path = shelf.put(folder.path(), Form::Zstd);
    let image = crate::resolve_local(&path, None, &Platform::default(), &Job::default()).await.expect("an image");
    let Origin::Local(local) = image.origin() else { panic!("{image:?}") };
    let spool = folder.path().join("spool");
    fs::create_dir(&spool).expect("a folder");
    let blobs = local.blobs(&spool, &Job::default()).expect("blobs");
    let names: Vec<_> = fs::read_dir(&spool).expect("the spool").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(names, [blobs[0].path.clone()]);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 2);
    // A file that is there already is not written over.
    let error = local.blobs(&spool, &Job::default()).expect_err("there already");
    assert_eq!(error.kind(), ErrorKind::File);

    let (cancellation, observer) = (crate::CancellationToken::new(), std::sync::Arc::new(Silent));
    cancellation.cancel();
    let job = Job::new(observer, cancellation);
    let error = crate::resolve_local(&path, None, &Platform::default(), &job).await.expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let error = local.blobs(&folder.path().join("other"), &job).expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);

    // The file is replaced while the image is in use.
    fs::write(&path, zstd::encode_all(Shelf::default().tar().as_slice(), 1).expect("an archive")).expect("a file");
    let error = local.blobs(&folder.path().join("other"), &Job::default()).expect_err("another file");
    assert!(error.to_string().contains("it is not what it was a moment ago"), "{error}");
}

struct Silent;

impl crate::Observer for Silent {}
