//! What docker, podman, skopeo, buildx, umoci and crane write.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::shelf::{
    ARCHIVES, FORMS, Form, Item, OCI_INDEX, Shelf, WHOLE_NAME, config, gzip, named, resolve, resolve_at, with,
};
use crate::digest::sha256;
use crate::error::ErrorKind;
use crate::image::Origin;
use crate::platform::Platform;
use crate::source::container::Container;

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[tokio::test]
async fn an_oci_layout_gives_its_image_in_each_form() {
    for form in FORMS {
        let mut shelf = Shelf::default();
        let config =
            json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [sha256(b"1"), sha256(b"2")]}});
        let entry = shelf.image(&["lower", "upper"], &config);
        shelf.index(&[named(entry.clone(), "v1")]);
        let (image, layers) = resolve(&shelf, form, None).await.expect("an image");
        assert_eq!(layers, bytes(&["lower", "upper"]), "{form:?}");
        assert_eq!(image.digest().as_ref(), entry["digest"]);
        assert_eq!(image.media_type(), "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(image.config_json(), config.to_string().as_bytes());
        assert_eq!(image.layers()[0].digest(), &sha256(b"lower"));
        assert_eq!(image.diff_ids(), [sha256(b"1"), sha256(b"2")]);
        assert_eq!(image.reference(), None);
        assert!(image.name().starts_with("v1 in "), "{}", image.name());
        let digest = sha256(b"none").to_string();
        for (selection, is_there) in
            [("v1", true), (entry["digest"].as_str().expect("a digest"), true), ("v2", false), (&digest, false)]
        {
            assert_eq!(resolve(&shelf, form, Some(selection)).await.is_ok(), is_there, "{selection}");
        }
    }
}

#[tokio::test]
async fn a_platform_is_chosen_in_a_layout_as_at_a_registry() {
    let of = |platform: &str| {
        let (os, architecture) = platform.split_once('/').expect("a platform");
        json!({"os": os, "architecture": architecture})
    };
    let mut shelf = Shelf::default();
    let entries: Vec<Value> = ["linux/arm64", "linux/amd64"]
        .iter()
        .map(|name| with(shelf.image(&[name], &of(name)), "platform", of(name)))
        .collect();
    let index = shelf.document(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": entries}));
    let mut flat = shelf.clone();
    shelf.index(&[with(index, "annotations", json!({WHOLE_NAME: "docker.io/library/a:1"}))]);
    flat.index(&entries);
    for shelf in [shelf, flat] {
        let folder = TempDir::new().expect("a folder");
        let path = shelf.put(folder.path(), Form::Tar);
        for platform in ["linux/amd64", "linux/arm64"] {
            let wanted = platform.parse().expect("a platform");
            let (image, layers) = resolve_at(&path, None, &wanted).await.expect("an image");
            assert_eq!((layers, image.platform()), (bytes(&[platform]), &wanted));
        }
        let by_digest = entries[0]["digest"].as_str();
        let error = resolve_at(&path, by_digest, &Platform::default()).await.expect_err("for another platform");
        assert_eq!(error.kind(), ErrorKind::NoPlatform);
        for (platform, kind) in [("linux/s390x", ErrorKind::NoPlatform), ("windows/amd64", ErrorKind::UnsupportedImage)]
        {
            let error = resolve_at(&path, None, &platform.parse().expect("a platform")).await.expect_err(platform);
            assert_eq!(error.kind(), kind);
        }
    }
}

/// An archive of docker save: its config, its layers' archives and names.
fn saved(tags: &[&str], layers: &[&str], name: fn(&str, usize) -> String) -> Shelf {
    let mut shelf = Shelf::default();
    let diff_ids: Vec<_> = layers.iter().map(|layer| sha256(layer.as_bytes())).collect();
    let config = with(config(), "rootfs", json!({"diff_ids": diff_ids})).to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()).digest());
    shelf.file(&config_name, &config);
    let names: Vec<String> = layers.iter().enumerate().map(|(index, layer)| name(layer, index)).collect();
    for (layer, name) in layers.iter().zip(&names) {
        shelf.file(name, layer);
    }
    shelf.file("manifest.json", json!([{"Config": config_name, "RepoTags": tags, "Layers": names}]).to_string());
    shelf
}

#[tokio::test]
async fn what_docker_and_podman_save_gives_its_image() {
    for form in ARCHIVES {
        let shelf = saved(&["alpine:3.19"], &["lower", "upper"], |_, index| format!("{index}/layer.tar"));
        for selection in
            [None, Some("alpine:3.19"), Some("docker.io/library/alpine:3.19"), Some("3.19"), Some("alpine")]
        {
            let (image, layers) = resolve(&shelf, form, selection).await.expect("an image");
            assert_eq!(layers, bytes(&["lower", "upper"]), "{form:?}");
            assert_eq!(image.layers()[1].digest(), &sha256(b"upper"));
            assert_eq!(image.layers()[1].media_type(), "application/vnd.oci.image.layer.v1.tar");
            assert_eq!(image.diff_ids(), [sha256(b"lower"), sha256(b"upper")]);
            assert_eq!(image.digest(), &sha256(image.manifest_json()));
            assert!(image.name().starts_with("alpine:3.19 in "), "{}", image.name());
        }
        let error = resolve(&shelf, form, Some("debian")).await.expect_err("no such image");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("There is no debian in it. There is alpine:3.19"), "{error}");
    }
}

#[tokio::test]
async fn layers_of_an_archive_may_be_links_or_compressed() {
    for form in ARCHIVES {
        let mut shelf = saved(&["a:1"], &["lower", "upper", "lower"], |layer, _| format!("{layer}/layer.tar"));
        shelf.remove("lower/");
        shelf.remove("upper/");
        shelf.file("./store/one.tar", "lower");
        shelf.file("store/two.tar", "upper");
        shelf.0.push(("lower/layer.tar".to_owned(), Item::Symlink("../store/../one".to_owned())));
        shelf.0.push(("one".to_owned(), Item::HardLink("store/one.tar".to_owned())));
        shelf.0.push(("upper/layer.tar".to_owned(), Item::HardLink("store/two.tar".to_owned())));
        let (_, layers) = resolve(&shelf, form, None).await.expect("an image");
        assert_eq!(layers, bytes(&["lower", "upper", "lower"]), "{form:?}");

        let mut shelf = saved(&["a:1"], &["lower", "upper"], |layer, _| format!("{layer}.tar.gz"));
        shelf.remove("lower.tar.gz");
        shelf.file("lower.tar.gz", gzip(b"lower"));
        let (image, layers) = resolve(&shelf, form, None).await.expect("an image");
        assert_eq!(layers, [gzip(b"lower"), b"upper".to_vec()], "{form:?}");
        assert_eq!(image.layers()[0].media_type(), "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(image.layers()[0].digest(), &sha256(&gzip(b"lower")));
        assert_eq!(image.diff_ids()[0], sha256(b"lower"));
    }
}

#[tokio::test]
async fn of_an_archive_with_both_forms_the_layout_is_read_where_it_is_whole() {
    let mut shelf = saved(&["a:1"], &["of docker"], |_, _| "layer.tar".to_owned());
    let entry = shelf.image(&["of the layout"], &config());
    let mut partial = shelf.clone();
    shelf.index(&[named(entry.clone(), "1")]);
    let digest = entry["digest"].as_str().expect("a digest");
    partial.remove(&format!("blobs/sha256/{}", digest.strip_prefix("sha256:").expect("sha256")));
    partial.index(&[named(entry, "1")]);
    for (shelf, expected) in [(shelf, "of the layout"), (partial, "of docker")] {
        let (_, layers) = resolve(&shelf, Form::Tar, None).await.expect("an image");
        assert_eq!(layers, bytes(&[expected]));
    }
}

#[tokio::test]
async fn of_several_images_one_has_to_be_named() {
    let mut layout = Shelf::default();
    let entries: Vec<Value> = ["v1", "v2"].iter().map(|name| named(layout.image(&[name], &config()), name)).collect();
    layout.index(&entries);
    let mut archive = Shelf::default();
    let images: Vec<Value> = ["v1", "v2"]
        .iter()
        .map(|name| {
            archive.file(name, name);
            archive.file(&format!("{name}.json"), config().to_string());
            json!({"Config": format!("{name}.json"), "RepoTags": [format!("app:{name}")], "Layers": [name]})
        })
        .collect();
    archive.file("manifest.json", Value::from(images).to_string());
    for (shelf, list) in [(layout, "v1, v2"), (archive, "app:v1, app:v2")] {
        let (_, layers) = resolve(&shelf, Form::Gzip, Some("v2")).await.expect("an image");
        assert_eq!(layers, bytes(&["v2"]));
        let error = resolve(&shelf, Form::Gzip, None).await.expect_err("several");
        assert_eq!(error.kind(), ErrorKind::InvalidReference);
        let expected = format!("There are several images in it. There is {list}. Say which one, ");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn compressed_layers_of_a_compressed_archive_are_hashed_in_one_pass() {
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let mut layers: Vec<Vec<u8>> = texts.iter().map(|text| gzip(text.as_bytes())).collect();
    // A zstd layer may begin with a frame of something else (RFC 8878, section 3.1.2).
    let frame = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'?'];
    layers[19] = [&frame[..], &zstd::encode_all(texts[19].as_bytes(), 1).expect("zstd")].concat();
    let mut shelf = Shelf::default();
    let diff_ids: Vec<_> = texts.iter().map(|text| sha256(text.as_bytes())).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}}).to_string();
    shelf.file("config.json", &config);
    let names: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    for (name, layer) in names.iter().zip(&layers) {
        shelf.file(name, layer);
    }
    let image = json!({"Config": "config.json", "RepoTags": ["a:1"], "Layers": names});
    shelf.file("manifest.json", json!([image]).to_string());
    let folder = TempDir::new().expect("a folder");
    let path = shelf.put(folder.path(), Form::Gzip);
    let (image, found) = resolve_at(&path, None, &Platform::default()).await.expect("an image");
    assert!(image.layers().iter().zip(&layers).all(|(layer, bytes)| *layer.digest() == sha256(bytes)));
    assert_eq!(found, layers);
    let Origin::Local(local) = image.origin() else { panic!("{image:?}") };
    let Container::Archive(archive) = &*local.container else { panic!("no archive") };
    // What is in it, the digests, and the layers themselves.
    assert_eq!(archive.passes.load(std::sync::atomic::Ordering::Relaxed), 3);
}
