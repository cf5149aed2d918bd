//! The package of the PowerShell Gallery: a NuGet package, which is an OPC package, with the module's files at its root, as
//! Publish-PSResource makes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::archive::{self, Files};
use super::hex;
use super::manifest::Manifest;

/// What installing leaves out again.
pub(crate) fn is_of_the_package(name: &str) -> bool {
    name == CONTENT_TYPES || name == RELATIONSHIPS || name.starts_with("package/") || name == "WslImage.nuspec"
}

const CONTENT_TYPES: &str = "[Content_Types].xml";
const RELATIONSHIPS: &str = "_rels/.rels";

/// The package of a module's files.
pub(crate) fn pack(manifest: &Manifest, module: &Files) -> Result<Vec<u8>> {
    let nuspec = nuspec(manifest)?;
    let properties = core_properties(manifest)?;
    // NuGet takes a random name.
    let properties_name =
        format!("package/services/metadata/core-properties/{}.psmdcp", &hex(&Sha256::digest(&properties))[..32]);
    let relationships = relationships(&properties_name);

    let mut files: Files = vec![
        (RELATIONSHIPS.to_owned(), relationships.into_bytes()),
        ("WslImage.nuspec".to_owned(), nuspec.into_bytes()),
    ];
    files.extend(module.iter().cloned());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let types = content_types(&names);
    files.push((CONTENT_TYPES.to_owned(), types.into_bytes()));
    files.push((properties_name, properties.into_bytes()));
    archive::zip(&files)
}

/// What the gallery reads. Its search finds commands by tags, which Publish-PSResource adds from the manifest.
fn nuspec(manifest: &Manifest) -> Result<String> {
    let mut tags = manifest.list("Tags")?;
    let commands = manifest.list("CmdletsToExport")?;
    tags.extend(["PSModule".to_owned(), "PSIncludes_Cmdlet".to_owned()]);
    for command in &commands {
        tags.extend([format!("PSCmdlet_{command}"), format!("PSCommand_{command}")]);
    }
    let mut text = format!(
        "{DECLARATION}<package xmlns=\"http://schemas.microsoft.com/packaging/2011/08/nuspec.xsd\">\n  <metadata>\n"
    );
    for (element, value) in [
        ("id", "WslImage".to_owned()),
        ("version", manifest.version()?),
        ("authors", manifest.string("Author")?),
        ("owners", manifest.string("CompanyName")?),
        ("requireLicenseAcceptance", "false".to_owned()),
        ("licenseUrl", manifest.string("LicenseUri")?),
        ("projectUrl", manifest.string("ProjectUri")?),
        ("description", manifest.string("Description")?),
        ("releaseNotes", manifest.string("ReleaseNotes")?),
        ("copyright", manifest.string("Copyright")?),
        ("tags", tags.join(" ")),
    ] {
        let _ = writeln!(text, "    <{element}>{}</{element}>", escaped(&value));
    }
    text.push_str("  </metadata>\n</package>\n");
    Ok(text)
}

fn core_properties(manifest: &Manifest) -> Result<String> {
    Ok(format!(
        "{DECLARATION}<coreProperties xmlns=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n  <dc:creator>{}</dc:creator>\n  \
         <dc:description>{}</dc:description>\n  <dc:identifier>WslImage</dc:identifier>\n  <version>{}</version>\n  \
         <keywords>{}</keywords>\n</coreProperties>\n",
        escaped(&manifest.string("Author")?),
        escaped(&manifest.string("Description")?),
        escaped(&manifest.version()?),
        escaped(&manifest.list("Tags")?.join(" ")),
    ))
}

fn relationships(properties: &str) -> String {
    format!(
        "{DECLARATION}<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\n  \
         <Relationship Type=\"http://schemas.microsoft.com/packaging/2010/07/manifest\" Target=\"/WslImage.nuspec\" \
         Id=\"R1\" />\n  <Relationship \
         Type=\"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties\" \
         Target=\"/{properties}\" Id=\"R2\" />\n</Relationships>\n"
    )
}

/// Each extension once, and each file without one.
fn content_types(names: &[&str]) -> String {
    let mut types = format!(
        "{DECLARATION}<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\n  \
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\" />\n  \
         <Default Extension=\"psmdcp\" ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\" />\n"
    );
    let mut extensions = BTreeSet::new();
    for name in names {
        let file = name.rsplit('/').next().unwrap_or(name);
        match file.rsplit_once('.') {
            Some((_, "rels")) => {}
            Some((_, extension)) => {
                if extensions.insert(extension) {
                    let _ =
                        writeln!(types, "  <Default Extension=\"{extension}\" ContentType=\"application/octet\" />");
                }
            }
            None => {
                let _ = writeln!(types, "  <Override PartName=\"/{name}\" ContentType=\"application/octet\" />");
            }
        }
    }
    types.push_str("</Types>\n");
    types
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use anyhow::Result;

    use super::{Files, Manifest, is_of_the_package, pack};

    #[test]
    fn has_the_parts_of_a_package_around_the_files_of_the_module() -> Result<()> {
        let manifest = Manifest::new(
            "ModuleVersion = '1.2.3'\nAuthor = 'A & B'\nCompanyName = 'C'\nCopyright = '(c)'\nDescription = 'D'\n\
             CmdletsToExport = @('Get-It')\nTags = @('WSL', 'PSEdition_Core')\nLicenseUri = 'https://l'\n\
             ProjectUri = 'https://p'\nReleaseNotes = 'first\nit''s <second>'\n"
                .to_owned(),
        );
        let module: Files = vec![("LICENSE".to_owned(), b"l".to_vec()), ("bin/a/W.dll".to_owned(), b"w".to_vec())];
        let bytes = pack(&manifest, &module)?;
        assert_eq!(bytes, pack(&manifest, &module)?);

        let mut zip = zip::ZipArchive::new(Cursor::new(bytes))?;
        let names = zip.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<Vec<_>>>()?;
        assert_eq!(names[..4], ["_rels/.rels", "WslImage.nuspec", "LICENSE", "bin/a/W.dll"]);
        assert_eq!(names.iter().filter(|name| !is_of_the_package(name)).count(), 2);
        let mut part = |name: &str| -> Result<String> { Ok(std::io::read_to_string(zip.by_name(name)?)?) };
        let nuspec = part("WslImage.nuspec")?;
        for text in [
            "<id>WslImage</id>",
            "<version>1.2.3</version>",
            "<authors>A &amp; B</authors>",
            "<releaseNotes>first\nit's &lt;second&gt;</releaseNotes>",
            "<tags>WSL PSEdition_Core PSModule PSIncludes_Cmdlet PSCmdlet_Get-It PSCommand_Get-It</tags>",
        ] {
            assert!(nuspec.contains(text), "{text} is not in {nuspec}");
        }
        let types = part("[Content_Types].xml")?;
        assert!(types.contains("PartName=\"/LICENSE\"") && types.contains("Extension=\"dll\""), "{types}");
        let relationships = part("_rels/.rels")?;
        let properties = names.last().map(String::as_str).unwrap_or_default();
        assert!(properties.ends_with(".psmdcp") && relationships.contains(&format!("Target=\"/{properties}\"")));
        Ok(())
    }
}
