//! The main job as a user sees it: an image becomes one file.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;

use crate::cargo;
use crate::machine::{self, Program};
use crate::module;
use crate::process;
use crate::registry::Registry;
use crate::rootfs;

/// What is asked for when nothing is said; the demo leaves it out as a user would.
const DEFAULT_PLATFORM: &str = "linux/amd64";

/// Gets `reference`, or without one an image from the project's own registry on loopback.
pub(crate) fn run(reference: Option<&str>) -> Result<()> {
    let missing: Vec<&str> = [Program::DotnetSdk, Program::PowerShell]
        .into_iter()
        .filter(|program| !program.is_available())
        .map(Program::name)
        .collect();
    if !missing.is_empty() && machine::is_ci() {
        bail!("the demo needs {}", missing.join(" and "));
    }
    let folder = process::root().join("out/demo");
    fs::create_dir_all(&folder)?;

    let (image, registry) = match reference {
        Some(reference) => (Image::parse(reference), None),
        None => {
            let registry = serve_root_filesystem(&folder)?;
            let image = Image {
                registry: registry.https().to_owned(),
                name: "demo/rootfs".to_owned(),
                tag: "latest".to_owned(),
                platform: format!("linux/{}", architecture()),
            };
            (image, Some(registry))
        }
    };
    let ca = registry.as_ref().map(Registry::ca);
    if missing.is_empty() {
        with_powershell(&image, ca, &folder)
    } else {
        println!("Without {}: the Rust example does the same job.", missing.join(" and "));
        with_rust(&image, ca, &folder.join("rootfs.tar.gz"))
    }
}

/// Starts a registry over TLS, with a token service, that has one image of one layer.
fn serve_root_filesystem(folder: &Path) -> Result<Registry> {
    let program = cargo::build(["--package", "wslimage-test-registry"])?.program("wslimage-test-registry")?;
    let layer = folder.join("layer.tar.gz");
    rootfs::write(&layer)?;
    let registry = Registry::start(&program)?;
    registry.add_image(&json!({
        "repository": "demo/rootfs",
        "tags": ["latest"],
        "auth": {"scheme": "bearer", "anonymous": true},
        "index": true,
        "platforms": [{
            "platform": {"os": "linux", "architecture": architecture()},
            "layers": [{"file": layer}],
        }],
    }))?;
    println!("The registry on https://{} has the image demo/rootfs:latest.", registry.https());
    Ok(registry)
}

/// This machine's architecture, as images name it: the programs of the image are this machine's own.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn with_powershell(image: &Image, ca: Option<&Path>, folder: &Path) -> Result<()> {
    let module = module::build()?;
    let mut command = process::command("pwsh");
    command.args(["-NoLogo", "-NoProfile"]);
    if cfg!(windows) {
        command.args(["-ExecutionPolicy", "Bypass"]);
    }
    command.args(["-File", "crates/xtask/src/demo.ps1"]).arg("-Module").arg(module);
    command.args(["-Registry", &image.registry, "-ImageName", &image.name, "-Tag", &image.tag]);
    command.arg("-Folder").arg(folder);
    if image.platform != DEFAULT_PLATFORM {
        command.args(["-Platform", &image.platform]);
    }
    if let Some(ca) = ca {
        command.arg("-CACertificatePath").arg(ca);
    }
    process::run(&mut command)
}

fn with_rust(image: &Image, ca: Option<&Path>, file: &Path) -> Result<()> {
    let mut command = cargo::command("run");
    command.args(["--release", "--package", "wslimage", "--example", "pull", "--"]);
    if image.platform != DEFAULT_PLATFORM {
        command.args(["--platform", &image.platform]);
    }
    if let Some(ca) = ca {
        command.arg("--ca-certificate").arg(ca);
    }
    command.arg(image.reference()).arg("-o").arg(file);
    process::run(&mut command)?;
    process::run(process::command("tar").arg("-tvf").arg(file))
}

/// What the commands take in three parameters.
#[derive(Debug, PartialEq, Eq)]
struct Image {
    registry: String,
    name: String,
    tag: String,
    platform: String,
}

impl Image {
    /// Cuts a reference into its parts and checks none: the commands do that.
    fn parse(reference: &str) -> Self {
        let (registry, rest) = match reference.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => ("docker.io", reference),
        };
        let (name, tag) = match rest.split_once('@') {
            Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
            None => rest.split_once(':').unwrap_or((rest, "latest")),
        };
        Self {
            registry: registry.to_owned(),
            name: name.to_owned(),
            tag: tag.to_owned(),
            platform: DEFAULT_PLATFORM.to_owned(),
        }
    }

    fn reference(&self) -> String {
        let separator = if self.tag.contains(':') { '@' } else { ':' };
        format!("{}/{}{separator}{}", self.registry, self.name, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn a_reference_becomes_the_parameters_of_the_commands() {
        for (reference, registry, name, tag) in [
            ("alpine", "docker.io", "alpine", "latest"),
            ("owner/name:1.2", "docker.io", "owner/name", "1.2"),
            ("ghcr.io/owner/deep/name:tag", "ghcr.io", "owner/deep/name", "tag"),
            ("localhost:5000/name", "localhost:5000", "name", "latest"),
            ("[::1]:5000/name:tag", "[::1]:5000", "name", "tag"),
            ("ghcr.io/a/b:tag@sha256:00ff", "ghcr.io", "a/b", "sha256:00ff"),
        ] {
            let image = Image::parse(reference);
            assert_eq!((&*image.registry, &*image.name, &*image.tag), (registry, name, tag));
        }
        assert_eq!(Image::parse("ghcr.io/a/b@sha256:00ff").reference(), "ghcr.io/a/b@sha256:00ff");
    }
}
