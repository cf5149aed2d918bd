//! The module as users get it, put together in out/WslImage from what cargo and dotnet build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::libraries::{self, Library};
use crate::machine::Program;
use crate::package::{self, Manifest};
use crate::process;

/// The C# project, from the repository's folder.
pub(crate) const PROJECT: &str = "powershell/src/WslImage.csproj";

/// The version of everything in the workspace.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

const MANIFEST: &str = "WslImage.psd1";

const FRAMEWORKS: [&str; 2] = ["net8.0", "net472"];

/// Where the built module lies.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: std::sync::LazyLock<PathBuf> = std::sync::LazyLock::new(|| process::root().join("out/WslImage"));
    &FOLDER
}

/// Builds the module with the native library for this machine.
pub(crate) fn build() -> Result<&'static Path> {
    build_with(&[libraries::build_own()?])
}

/// Builds the assemblies, and brings out/WslImage up to date with them and the native libraries.
pub(crate) fn build_with(libraries: &[Library]) -> Result<&'static Path> {
    build_in(folder(), libraries)?;
    Ok(folder())
}

/// The same in another folder.
pub(crate) fn build_in(folder: &Path, libraries: &[Library]) -> Result<()> {
    if !Program::DotnetSdk.is_available() {
        bail!("the module needs {}", Program::DotnetSdk.name());
    }
    process::run(process::command("dotnet").args([
        "build",
        PROJECT,
        "--configuration",
        "Release",
        "--nologo",
        "--verbosity",
        "quiet",
        "-consoleLoggerParameters:NoSummary",
        // A server that stays would keep files open.
        "--disable-build-servers",
    ]))?;

    let powershell = process::root().join("powershell");
    let mut files = BTreeMap::new();
    add_folder(&powershell.join("WslImage"), Path::new(""), &mut files)?;
    for framework in FRAMEWORKS {
        files.insert(
            Path::new("bin").join(framework).join("WslImage.dll"),
            powershell.join("src/bin/Release").join(framework).join("WslImage.dll"),
        );
    }
    for library in libraries {
        let name = library.path.file_name().context("a library without a name")?;
        files.insert(Path::new("runtimes").join(&library.rid).join("native").join(name), library.path.clone());
    }
    files.insert("LICENSE".into(), process::root().join("LICENSE"));
    let notices = target("THIRD-PARTY-NOTICES.txt");
    write(&notices, &package::notices()?)?;
    files.insert("THIRD-PARTY-NOTICES.txt".into(), notices);
    let manifest = complete_manifest(&powershell.join("WslImage").join(MANIFEST), &files, libraries)?;
    files.insert(MANIFEST.into(), manifest);

    update(folder, &files)?;
    println!("The module is in {}", folder.display());
    Ok(())
}

/// Writes the manifest with what only the whole knows, and returns where.
fn complete_manifest(source: &Path, files: &BTreeMap<PathBuf, PathBuf>, libraries: &[Library]) -> Result<PathBuf> {
    let changelog = fs::read_to_string(process::root().join("CHANGELOG.md")).context("CHANGELOG.md")?;
    let notes = package::release_notes(&changelog, VERSION)?;
    let text = fs::read_to_string(source).with_context(|| source.display().to_string())?;
    let manifest = Manifest::new(text).completed(files.keys(), &notes, package::caveat(libraries).as_deref())?;
    let target = target(MANIFEST);
    write(&target, manifest.text())?;
    Ok(target)
}

/// Where a file of the module lies that is written here.
fn target(name: &str) -> PathBuf {
    process::root().join("target/module").join(name)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(file.parent().context("no folder")?)?;
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Adds all files below `source`, under `name`.
fn add_folder(source: &Path, name: &Path, files: &mut BTreeMap<PathBuf, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(source).with_context(|| source.display().to_string())? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            add_folder(&entry.path(), &name, files)?;
        } else {
            files.insert(name, entry.path());
        }
    }
    Ok(())
}

/// Makes `folder` hold exactly `files` (name in the folder, where it comes from).
///
/// A file that is the same stays, another one is replaced in one rename, so that a session that has
/// the module loaded keeps what it has loaded.
fn update(folder: &Path, files: &BTreeMap<PathBuf, PathBuf>) -> Result<()> {
    for (name, source) in files {
        let target = folder.join(name);
        place(source, &target).with_context(|| format!("cannot put {} at {}", source.display(), target.display()))?;
    }
    remove_others(folder, Path::new(""), files)
        .with_context(|| format!("cannot remove old files from {}", folder.display()))
}

fn place(source: &Path, target: &Path) -> Result<()> {
    let content = fs::read(source)?;
    if fs::read(target).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let folder = target.parent().context("no folder")?;
    fs::create_dir_all(folder)?;
    let mut part = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    std::io::Write::write_all(&mut part, &content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        part.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    let part = part.into_temp_path();
    match part.persist(target) {
        Ok(()) => Ok(()),
        // Windows replaces no library that a process has loaded, but lets it be renamed.
        Err(error) if cfg!(windows) => {
            let old = tempfile::Builder::new().prefix(OLD).make_in(folder, |old| fs::rename(target, old))?;
            // Removed by the next build that finds it free.
            old.into_temp_path().keep()?;
            Ok(error.path.persist(target)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// How a file begins that was in use when it was replaced.
const OLD: &str = ".old-";

fn remove_others(root: &Path, name: &Path, files: &BTreeMap<PathBuf, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(name))? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if files.keys().any(|file| file.starts_with(&name)) {
                remove_others(root, &name, files)?;
            } else {
                fs::remove_dir_all(&path)?;
            }
        } else if !files.contains_key(&name) {
            match fs::remove_file(&path) {
                Err(_) if entry.file_name().to_string_lossy().starts_with(OLD) => {}
                other => other?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    use anyhow::Result;

    use super::update;

    fn files(list: &[(&str, PathBuf)]) -> BTreeMap<PathBuf, PathBuf> {
        list.iter().map(|(name, source)| (name.into(), source.clone())).collect()
    }

    #[test]
    fn the_folder_holds_exactly_the_files_named() -> Result<()> {
        let place = tempfile::tempdir()?;
        let (source, folder) = (place.path().join("source"), place.path().join("out/Module"));
        fs::write(&source, "first")?;
        update(&folder, &files(&[("a/b/new", source.clone()), ("kept", source.clone())]))?;
        assert_eq!(fs::read_to_string(folder.join("a/b/new"))?, "first");

        fs::create_dir_all(folder.join("stale/deep"))?;
        fs::write(folder.join("stale/deep/file"), "")?;
        fs::write(folder.join("a/stale"), "")?;
        fs::write(&source, "second")?;
        update(&folder, &files(&[("kept", source)]))?;
        assert_eq!(fs::read_to_string(folder.join("kept"))?, "second");
        assert_eq!(fs::read_dir(&folder)?.count(), 1);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_file_in_use_keeps_its_content_and_an_equal_one_is_not_touched() -> Result<()> {
        use std::io::Read as _;
        use std::os::unix::fs::MetadataExt as _;

        let place = tempfile::tempdir()?;
        let (source, folder) = (place.path().join("source"), place.path().join("out"));
        fs::write(&source, "first")?;
        update(&folder, &files(&[("library", source.clone())]))?;
        let inode = fs::metadata(folder.join("library"))?.ino();
        update(&folder, &files(&[("library", source.clone())]))?;
        assert_eq!(fs::metadata(folder.join("library"))?.ino(), inode);

        let mut used = fs::File::open(folder.join("library"))?;
        fs::write(&source, "second")?;
        update(&folder, &files(&[("library", source)]))?;
        let mut content = String::new();
        used.read_to_string(&mut content)?;
        assert_eq!(content, "first");
        assert_eq!(fs::read_to_string(folder.join("library"))?, "second");
        Ok(())
    }
}
