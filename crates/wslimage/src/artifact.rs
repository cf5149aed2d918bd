//! Manifests of what is no image: registries hold charts, signatures and more in the same form.

use oci_spec::image::MediaType;

use crate::error::{Error, ErrorKind, Result, printable};
use crate::manifest::ImageManifest;
use crate::progress::Job;

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
/// Older tools of Docker push configs with it.
const UNTYPED: &str = "application/octet-stream";
/// What a type that begins so belongs to.
const KNOWN: [(&str, &str); 7] = [
    ("application/vnd.cncf.helm.", "a Helm chart"),
    ("application/vnd.in-toto", "an attestation of how an image was built"),
    ("application/vnd.dev.cosign.", "a signature of cosign"),
    ("application/vnd.dev.sigstore.", "a signature of sigstore"),
    ("application/vnd.cncf.notary.", "a signature of notation"),
    ("application/vnd.docker.plugin.", "a plugin of Docker"),
    ("application/vnd.wasm.", "a WebAssembly module"),
];

/// Fails for a manifest that is of no image, and says what it is of.
pub(crate) fn expect_image(manifest: &ImageManifest, job: &Job) -> Result<()> {
    let layer_types = || manifest.layers.iter().map(|layer| layer.media_type());
    let config_type = manifest.config.media_type();
    let is_image_config =
        config_type.is_none_or(|it| [MediaType::ImageConfig.as_ref(), DOCKER_CONFIG, UNTYPED].contains(&it));
    if is_image_config {
        return match layer_types().all(|layer| layer.starts_with("application/vnd.in-toto")) {
            true => Err(no_image(layer_types().next())),
            false => Ok(()),
        };
    }
    if config_type == Some(EMPTY_CONFIG) || !layer_types().any(is_filesystem) {
        let given = manifest.artifact_type.as_deref().filter(|given| !given.is_empty());
        let config_type = config_type.filter(|config_type| *config_type != EMPTY_CONFIG);
        return Err(no_image(given.or(config_type).or_else(|| layer_types().next())));
    }
    job.warning(format!(
        "The image's config has the type {}, which is not that of an image's config",
        printable(config_type.unwrap_or_default())
    ));
    Ok(())
}

fn is_filesystem(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
}

fn no_image(artifact_type: Option<&str>) -> Error {
    let named = artifact_type.unwrap_or("none that is named");
    let known = KNOWN.iter().find(|(beginning, _)| named.starts_with(beginning)).map(|(_, name)| *name);
    let sort = known.unwrap_or("another artifact");
    Error::new(
        ErrorKind::UnsupportedImage,
        format!("What stands there is no container image but {sort} (of the type {})", printable(named)),
    )
    .advice("Name a container image.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Document, parse_document};

    #[test]
    fn what_is_no_image_is_told_with_what_it_is() {
        const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
        const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
        for (artifact, config, layer, told) in [
            (None, OCI_CONFIG, OCI_LAYER, None),
            (None, DOCKER_CONFIG, "application/vnd.docker.image.rootfs.diff.tar.gzip", None),
            (None, UNTYPED, OCI_LAYER, None),
            (None, "text/html", OCI_LAYER, None),
            (None, OCI_CONFIG, "a/b", None),
            (Some(""), OCI_CONFIG, OCI_LAYER, None),
            (
                None,
                "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                Some("a Helm chart (of the type application/vnd.cncf.helm.config.v1+json)"),
            ),
            (None, OCI_CONFIG, "application/vnd.in-toto+json", Some("an attestation of how an image was built")),
            (Some("a/\u{1b}[31m"), EMPTY_CONFIG, OCI_LAYER, Some("another artifact (of the type a/\u{b7}[31m)")),
            (None, EMPTY_CONFIG, OCI_LAYER, Some("another artifact (of the type application/vnd.oci.image.layer")),
            (None, "text/html", "text/plain", Some("another artifact (of the type text/html)")),
        ] {
            let digest = crate::digest::sha256(b"").to_string();
            let document = serde_json::json!({
                "artifactType": artifact,
                "config": {"mediaType": config, "digest": digest},
                "layers": [{"mediaType": layer, "digest": digest, "size": 0}],
            });
            let Ok(Document::Manifest(manifest)) = parse_document(document.to_string().as_bytes(), None) else {
                panic!("{document} is a manifest");
            };
            let error = expect_image(&manifest, &Job::default()).err();
            assert_eq!(error.is_some(), told.is_some(), "{document}: {error:?}");
            if let (Some(error), Some(told)) = (error, told) {
                assert_eq!(error.kind(), ErrorKind::UnsupportedImage);
                let expected = format!("What stands there is no container image but {told}");
                assert!(error.to_string().starts_with(&expected), "{error}");
            }
        }
    }
}
