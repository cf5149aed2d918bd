//! The crates that are part of the native libraries: which they are, for programs (SBOM), and their licences, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cargo;
use crate::libraries::TARGETS;
use crate::module;
use crate::process;

/// A name and a version.
type Id = (String, String);

/// The crates that cargo links into the library, on any of its systems.
fn shipped() -> Result<BTreeSet<Id>> {
    let mut ids = BTreeSet::new();
    for triple in TARGETS.map(|target| target.triple) {
        let output = cargo::command("tree")
            .args(["--package", "wslimage-capi", "--edges", "normal", "--prefix", "none", "--target", triple])
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("cargo tree ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split(' ');
            if let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) {
                ids.insert((name.to_owned(), version.to_owned()));
            }
        }
    }
    Ok(ids)
}

/// An SBOM of the module of that version: CycloneDX 1.6, without a time or a number of its own, so that it is the same for
/// the same Cargo.lock.
pub(crate) fn bill_of_materials(version: &str) -> Result<String> {
    let shipped = shipped()?;
    let metadata = metadata()?;
    let lock = fs::read_to_string(process::root().join("Cargo.lock"))?;
    let sums = checksums(&lock);

    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let mut references = BTreeMap::new();
    let mut components = BTreeMap::new();
    for package in packages {
        let id = id(package);
        if !shipped.contains(&id) {
            continue;
        }
        let reference = format!("pkg:cargo/{}@{}", id.0, id.1);
        let mut component = json!({
            "type": "library",
            "bom-ref": reference,
            "name": id.0,
            "version": id.1,
            // Some say `A/B`, as was usual before there were expressions.
            "licenses": [{ "expression": text(&package["license"]).replace('/', " OR ") }],
        });
        if let Some(sum) = sums.get(&id) {
            component["purl"] = json!(reference);
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        if let Some(repository) = package["repository"].as_str() {
            component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
        }
        references.insert(text(&package["id"]), reference.clone());
        components.insert(reference, component);
    }
    if components.len() != shipped.len() {
        bail!("cargo metadata tells {} of the {} crates that cargo tree tells", components.len(), shipped.len());
    }

    let module = format!("pkg:nuget/WslImage@{version}");
    let own = format!("pkg:cargo/wslimage-capi@{}", module::VERSION);
    let mut dependencies = vec![json!({ "ref": module, "dependsOn": [own] })];
    let mut of_crates = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let Some(reference) = references.get(&text(&node["id"])) else { continue };
        let of_normal_kind = |dependency: &&Value| {
            dependency["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
        };
        let depends_on: BTreeSet<&String> = node["deps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(of_normal_kind)
            .filter_map(|dependency| references.get(dependency["pkg"].as_str()?))
            .collect();
        of_crates.insert(reference, json!({ "ref": reference, "dependsOn": depends_on }));
    }
    dependencies.extend(of_crates.into_values());
    let bom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": module,
                "name": "WslImage",
                "version": version,
                "licenses": [{ "expression": "Apache-2.0" }],
            },
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&bom)? + "\n")
}

/// The SHA-256 of each crate's archive, which Cargo.lock has for those of a registry.
fn checksums(lock: &str) -> BTreeMap<Id, String> {
    let mut sums = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
            line.and_then(|value| value.strip_suffix('"')).map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(sum)) = (field("name"), field("version"), field("checksum")) {
            sums.insert((name, version), sum);
        }
    }
    sums
}

/// The licences of all crates, each text once, as the crates carry them: the whole of what the licences ask to be told.
/// (cargo-about compares each file with all licences that there are, for minutes, and the result is the same texts.)
pub(crate) fn notices() -> Result<String> {
    let shipped = shipped()?;
    let mut crates_of = BTreeMap::<String, BTreeSet<String>>::new();
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    for package in packages.iter().filter(|package| !package["source"].is_null()) {
        let (name, version) = id(package);
        if !shipped.contains(&(name.clone(), version.clone())) {
            continue;
        }
        let licence = text(&package["license"]);
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().context("a manifest in no folder")?;
        let mut texts = BTreeSet::new();
        add_licences(folder, &mut texts).with_context(|| folder.display().to_string())?;
        if texts.is_empty() {
            // Who offers a choice need not repeat what stands in LICENSE.
            if !licence.contains("Apache-2.0") {
                bail!("{name} {version} ({licence}) carries no text of its licence");
            }
            texts.insert("The Apache License, Version 2.0, as in the file LICENSE.\n".to_owned());
        }
        for text in texts {
            crates_of.entry(text).or_default().insert(format!("- {name} {version} ({licence})"));
        }
    }
    // By the crates, so that a new one changes no more than its own place.
    let mut sections: Vec<_> = crates_of.into_iter().map(|(text, crates)| (crates, text)).collect();
    sections.sort();
    let mut notices = String::from(
        "WslImage's native library contains the crates below. Each text is that of the crates that stand before it.\n",
    );
    for (crates, text) in sections {
        let crates: Vec<_> = crates.into_iter().collect();
        let _ = write!(notices, "\n{}\n{}\n\n{}\n", "=".repeat(80), crates.join("\n"), text.trim_end());
    }
    Ok(notices)
}

/// The texts of all files of licences below `folder`: what a crate takes from others has its own beside it.
fn add_licences(folder: &Path, texts: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.file_type()?.is_dir() {
            add_licences(&entry.path(), texts)?;
        } else if ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"]
            .iter()
            .any(|word| name.starts_with(word))
            && ![".RS", ".C", ".H"].iter().any(|end| name.ends_with(end))
        {
            texts.insert(String::from_utf8_lossy(&fs::read(entry.path())?).replace("\r\n", "\n"));
        }
    }
    Ok(())
}

/// What cargo metadata tells.
fn metadata() -> Result<Value> {
    let output = cargo::command("metadata").args(["--format-version", "1"]).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn id(package: &Value) -> Id {
    (text(&package["name"]), text(&package["version"]))
}

#[cfg(test)]
mod tests {
    use super::{bill_of_materials, checksums, notices};

    #[test]
    fn reads_the_sums_of_cargo_lock() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\ndependencies = [\n \
            \"b\",\n]\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        let sums = checksums(lock);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[&("a".to_owned(), "1.0.0".to_owned())], "ab");
    }

    #[test]
    fn what_is_linked_is_named_with_its_licence_and_what_is_not_is_not() -> anyhow::Result<()> {
        let (notices, bill) = (notices()?, bill_of_materials("1.2.3")?);
        let bill: serde_json::Value = serde_json::from_str(&bill)?;
        let components = bill["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        let named = |name: &str| components.iter().any(|component| component["name"] == name);
        // Of Windows, of C, and of the core; the last two are of tests and of this program.
        for (name, is_linked) in
            [("windows-sys", true), ("zstd-sys", true), ("rustls", true), ("proptest", false), ("cbindgen", false)]
        {
            assert_eq!(named(name), is_linked, "{name}");
            assert_eq!(notices.contains(&format!("\n- {name} ")), is_linked, "{name}");
        }
        assert!(notices.contains("Meta Platforms"), "zstd's own licence");
        for component in components.iter().filter(|component| component["purl"].is_string()) {
            let line = format!(
                "\n- {} {} (",
                component["name"].as_str().unwrap_or_default(),
                component["version"].as_str().unwrap_or_default()
            );
            assert!(notices.contains(&line), "{line}");
            assert_eq!(component["hashes"][0]["content"].as_str().map(str::len), Some(64), "{line}");
        }
        Ok(())
    }
}
