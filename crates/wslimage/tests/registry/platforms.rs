//! Which image of an index comes, whatever form the index has.

use serde_json::{Value, json};
use wslimage::{ErrorKind, ImageRequest};
use wslimage_test_registry::{Blob, Descriptor, Image, Manifest, Platform as Served};

use crate::fixture::{Fixture, LAYER};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A repository of the case's own.
struct Shelf<'a> {
    fixture: &'a Fixture,
    repository: String,
}

impl Shelf<'_> {
    fn blob(&self, text: &str) -> Descriptor {
        self.fixture.registry.add_blob(&self.repository, Blob::text(text)).expect("a blob")
    }

    fn document(&self, media_type: &str, document: &Value) -> Value {
        let text = document.to_string();
        let size = text.len();
        let manifest = Manifest {
            repository: self.repository.clone(),
            reference: "latest".to_owned(),
            media_type: media_type.to_owned(),
            text: Some(text),
            json: None,
        };
        let digest = self.fixture.registry.add_manifest(manifest).expect("a manifest");
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    /// An image with one layer of the text `name`, and its entry without a platform.
    fn image(&self, name: &str, config: &Value) -> Value {
        self.manifest(CONFIG, GZIP_LAYER, name, config)
    }

    fn manifest(&self, config_type: &str, layer_type: &str, name: &str, config: &Value) -> Value {
        let (config, layer) = (self.blob(&config.to_string()), self.blob(name));
        self.document(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "config": {"mediaType": config_type, "digest": config.digest, "size": config.size},
                "layers": [{"mediaType": layer_type, "digest": layer.digest, "size": layer.size}],
            }),
        )
    }

    /// An image whose config names the platform `OS/ARCHITECTURE[/VARIANT]`.
    fn silent(&self, platform: &str) -> Value {
        self.image(platform, &platform_of(platform))
    }

    /// The same with the platform in its entry.
    fn named(&self, platform: &str) -> Value {
        for_platform(self.silent(platform), platform)
    }

    /// An index of the entries, which becomes the tag's.
    fn index(&self, entries: &[Value]) -> Value {
        self.document(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))
    }

    fn attestation(&self) -> Value {
        let manifest =
            self.manifest(CONFIG, "application/vnd.in-toto+json", "attestation", &platform_of("unknown/unknown"));
        let mut entry = for_platform(manifest, "unknown/unknown");
        entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        entry
    }

    fn chart(&self) -> Value {
        let helm = "application/vnd.cncf.helm";
        self.manifest(
            &format!("{helm}.config.v1+json"),
            &format!("{helm}.chart.content.v1.tar+gzip"),
            "chart",
            &json!({}),
        )
    }
}

fn platform_of(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut value = json!({"os": parts.next(), "architecture": parts.next()});
    if let Some(variant) = parts.next() {
        value["variant"] = variant.into();
    }
    value
}

fn for_platform(mut entry: Value, platform: &str) -> Value {
    entry["platform"] = platform_of(platform);
    entry
}

fn with(mut entry: Value, member: &str, value: Value) -> Value {
    entry[member] = value;
    entry
}

struct Case {
    name: &'static str,
    wanted: &'static str,
    put: fn(&Shelf<'_>),
    /// The layer that comes, or the beginning of the message.
    end: Result<&'static str, (ErrorKind, &'static str)>,
    /// How many manifests and indexes are asked for.
    asked: usize,
}

#[tokio::test]
async fn the_image_for_the_platform_comes() {
    use ErrorKind::{NoPlatform, UnsupportedImage};
    let case = |name, wanted, asked, end, put| Case { name, wanted, put, end, asked };
    let cases = [
        case("an index in an index", "linux/amd64", 3, Ok("linux/amd64"), |shelf| {
            let inner = shelf.index(&[shelf.named("linux/arm64"), shelf.named("linux/amd64")]);
            shelf.index(&[inner]);
        }),
        case("an index for a platform", "linux/arm64", 3, Ok("linux/arm64"), |shelf| {
            let inner = shelf.index(&[shelf.silent("linux/amd64"), shelf.named("linux/arm64")]);
            shelf.index(&[shelf.named("linux/amd64"), for_platform(inner, "linux/arm64")]);
        }),
        case("an image in the second of two indexes", "linux/arm64", 4, Ok("linux/arm64"), |shelf| {
            let first = shelf.index(&[shelf.named("linux/amd64")]);
            let second = shelf.index(&[shelf.named("linux/arm64")]);
            shelf.index(&[first, second]);
        }),
        case("configs alone", "linux/arm64", 3, Ok("linux/arm64"), |shelf| {
            shelf.index(&[shelf.silent("linux/amd64"), shelf.silent("linux/arm64"), shelf.silent("linux/arm/v7")]);
        }),
        case("the nearest of configs", "linux/amd64/v3", 5, Ok("linux/amd64/v2"), |shelf| {
            let of = |platform| shelf.silent(platform);
            shelf.index(&[of("linux/amd64"), of("linux/amd64/v2"), of("linux/amd64/v4"), of("linux/arm64")]);
        }),
        case("a named platform before silent ones", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            shelf.index(&[shelf.silent("linux/amd64/v2"), shelf.named("linux/amd64")]);
        }),
        case("a silent one where no other is for it", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            shelf.index(&[shelf.named("linux/arm64"), shelf.silent("linux/amd64")]);
        }),
        case("a config that names none", "linux/amd64", 2, Ok("alone"), |shelf| {
            shelf.index(&[shelf.image("alone", &json!({}))]);
        }),
        case("a config that names one before one that names none", "linux/amd64", 3, Ok("linux/amd64"), |shelf| {
            shelf.index(&[shelf.image("none", &json!({})), shelf.silent("linux/amd64")]);
        }),
        case("the first of equals", "linux/amd64", 2, Ok("first"), |shelf| {
            let of = |name| for_platform(shelf.image(name, &json!({})), "linux/amd64");
            shelf.index(&[of("first"), of("second")]);
        }),
        case("the exact one before the first", "linux/arm/v7", 2, Ok("linux/arm/v7"), |shelf| {
            shelf.index(&[shelf.named("linux/arm/v5"), shelf.named("linux/arm/v6"), shelf.named("linux/arm/v7")]);
        }),
        case("the nearest before", "linux/arm/v7", 2, Ok("linux/arm/v6"), |shelf| {
            shelf.index(&[shelf.named("linux/arm/v5"), shelf.named("linux/arm/v6"), shelf.named("linux/arm/v8")]);
        }),
        case("attestations beside it", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            shelf.index(&[shelf.attestation(), shelf.named("linux/amd64"), shelf.attestation()]);
        }),
        case("attestations beside a silent one", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            let mut attestation = shelf.attestation();
            attestation.as_object_mut().expect("an object").remove("platform");
            shelf.index(&[attestation, shelf.silent("linux/amd64")]);
        }),
        case("artifacts that say so", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            shelf.index(&[
                with(shelf.chart(), "artifactType", json!("application/x")),
                with(shelf.chart(), "mediaType", json!("application/x")),
                shelf.silent("linux/amd64"),
            ]);
        }),
        case("an artifact that does not say so", "linux/amd64", 3, Ok("linux/amd64"), |shelf| {
            shelf.index(&[shelf.chart(), shelf.silent("linux/amd64")]);
        }),
        case("a manifest that is gone", "linux/amd64", 3, Ok("linux/amd64"), |shelf| {
            let gone = json!({"mediaType": MANIFEST, "digest": format!("sha256:{}", "0".repeat(64)), "size": 5});
            shelf.index(&[gone, shelf.silent("linux/amd64")]);
        }),
        case("an image for a file system of its own beside it", "linux/amd64", 2, Ok("linux/amd64"), |shelf| {
            let platform = json!({"os": "linux", "architecture": "amd64", "os.features": ["erofs"]});
            let entry = with(shelf.image("erofs", &platform), "platform", platform);
            shelf.index(&[entry, shelf.named("linux/amd64")]);
        }),
        case(
            "an artifact only",
            "linux/amd64",
            1,
            Err((UnsupportedImage, "What stands there is no container image but a Helm chart (")),
            |shelf| {
                shelf.chart();
            },
        ),
        case(
            "an attestation only",
            "linux/amd64",
            1,
            Err((UnsupportedImage, "What stands there is no container image but an attestation ")),
            |shelf| {
                shelf.attestation();
            },
        ),
        case(
            "an index of an artifact",
            "linux/amd64",
            2,
            Err((UnsupportedImage, "What stands there is no container image but a Helm chart (")),
            |shelf| {
                shelf.index(&[shelf.chart()]);
            },
        ),
        case(
            "others in several indexes",
            "linux/amd64",
            3,
            Err((
                NoPlatform,
                "No amd64 manifest found in the image manifest. The image is for linux/arm/v7, linux/arm64, linux/s390x, not for linux/amd64",
            )),
            |shelf| {
                let inner = shelf.index(&[shelf.named("linux/arm64"), shelf.silent("linux/s390x")]);
                shelf.index(&[shelf.named("linux/arm"), inner, shelf.attestation()]);
            },
        ),
        case(
            "configs for others",
            "linux/amd64",
            2,
            Err((
                NoPlatform,
                "No amd64 manifest found in the image manifest. The image is for linux/arm64, not for linux/amd64",
            )),
            |shelf| {
                shelf.index(&[shelf.silent("linux/arm64")]);
            },
        ),
        case(
            "Windows only",
            "linux/amd64",
            1,
            Err((
                NoPlatform,
                "No amd64 manifest found in the image manifest. The image is for windows/amd64, not for linux/amd64. It is a Windows image; WSL runs Linux distributions. ",
            )),
            |shelf| {
                let windows = json!({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1"});
                let windows = with(shelf.silent("windows/amd64"), "platform", windows);
                shelf.index(&[windows, shelf.named("windows/amd64")]);
            },
        ),
        case(
            "a Windows image without an index",
            "linux/amd64",
            1,
            Err((
                NoPlatform,
                "No amd64 manifest found in the image manifest. The image is for windows/amd64, not for linux/amd64. It is a Windows image; ",
            )),
            |shelf| {
                shelf.silent("windows/amd64");
            },
        ),
        case(
            "Windows is asked for",
            "windows/amd64",
            0,
            Err((UnsupportedImage, "An image for windows/amd64 is a Windows image; WSL runs Linux distributions. ")),
            |shelf| {
                shelf.index(&[shelf.named("windows/amd64")]);
            },
        ),
        case(
            "no end of configs",
            "linux/amd64",
            51,
            Err((
                UnsupportedImage,
                "None of the first 50 manifests of the index is for the platform, and no entry names one. ",
            )),
            |shelf| {
                let entries: Vec<Value> = (0..60).map(|number| shelf.silent(&format!("linux/riscv{number}"))).collect();
                shelf.index(&entries);
            },
        ),
        case(
            "no end of indexes",
            "linux/amd64",
            10,
            Err((UnsupportedImage, "The index leads to indexes more than 8 deep. ")),
            |shelf| {
                let mut entry = shelf.named("linux/amd64");
                for _ in 0..10 {
                    entry = for_platform(shelf.index(&[entry]), "linux/amd64");
                }
            },
        ),
        case(
            "one index twice",
            "linux/amd64",
            3,
            Err((NoPlatform, "No amd64 manifest found in the image manifest. The image is for linux/arm64, ")),
            |shelf| {
                let inner = shelf.index(&[shelf.silent("linux/arm64")]);
                shelf.index(&[inner.clone(), inner]);
            },
        ),
    ];
    let fixture = Fixture::new().await;
    let client = fixture.client();
    let mut complaints = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let shelf = Shelf { fixture: &fixture, repository: format!("platforms/{number}") };
        (case.put)(&shelf);
        let mut request: ImageRequest = fixture.request(&shelf.repository);
        request.platform = case.wanted.parse().expect("a platform");
        let ended = fixture.pull_request(&client, request).await;
        let asked = fixture.registry.log(&shelf.repository).iter().filter(|it| it.path.contains("/manifests/")).count();
        let told = match &ended {
            Ok(file) => Ok(std::fs::read_to_string(file.path()).expect("the file")),
            Err(error) => Err((error.kind(), error.to_string())),
        };
        let is_right = match (&told, case.end) {
            (Ok(layer), Ok(expected)) => layer == expected,
            (Err((kind, message)), Err((expected, beginning))) => *kind == expected && message.starts_with(beginning),
            _ => false,
        };
        if !is_right || asked != case.asked {
            complaints.push(format!("{}: {told:?}, asked {asked} times", case.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[tokio::test]
async fn an_image_has_the_digests_of_its_plain_layers_where_they_fit() {
    let fixture = Fixture::new().await;
    let client = fixture.client();
    let digest = |number: usize| format!("sha256:{}", number.to_string().repeat(64));
    for (number, (layers, config, expected)) in [
        (1, json!({"rootfs": {"diff_ids": [digest(1)]}}), Some(1)),
        (1, json!({"rootfs": {"diff_ids": [digest(1), digest(2)]}}), Some(0)),
        (1, json!({"rootfs": 5}), Some(0)),
        (2, json!({"rootfs": {"diff_ids": [digest(1), digest(2)]}}), Some(2)),
        (2, json!({"rootfs": {"diff_ids": [digest(1)]}}), None),
        (2, json!({"rootfs": {"diff_ids": []}}), Some(0)),
        (2, json!({"rootfs": {"diff_ids": ["none", 5]}}), Some(0)),
        (2, json!({}), Some(0)),
    ]
    .into_iter()
    .enumerate()
    {
        let layers = (0..layers).map(|layer| Blob::text(format!("{LAYER} {layer}"))).collect();
        let platforms = vec![Served { config: Some(config.clone()), ..Served::linux_amd64(layers) }];
        let repository = format!("diff/ids{number}");
        fixture.serve(Image { platforms, ..Fixture::image(&repository) });
        let image = fixture.resolve(&client, &repository).await;
        match (image, expected) {
            (Ok(image), Some(expected)) => {
                assert_eq!(image.diff_ids().len(), expected, "{config}");
                assert_eq!(image.name(), image.reference().expect("a reference").to_string());
            }
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::UnsupportedImage);
                let expected = "The image's config names 1 layers (rootfs.diff_ids), but its manifest 2. ";
                assert!(error.to_string().starts_with(expected), "{error}");
            }
            (image, _) => panic!("{config}: {image:?}"),
        }
    }
}
