//! The module as users get it: what the PowerShell Gallery takes, a zip file, who is in it, and the sums of all; the same bytes
//! from the same files.

mod archive;
mod manifest;
mod nupkg;
mod parts;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest as _, Sha256};

pub(crate) use self::manifest::{Manifest, release_notes};
pub(crate) use self::parts::notices;
use crate::libraries::{self, Library, TARGETS, Target};
use crate::module;
use crate::process;

/// What goes into a package.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Take the native libraries from FOLDER, which has one in a folder RID for each system, and build none
    #[arg(long, value_name = "FOLDER")]
    libraries: Option<PathBuf>,
    /// Fail unless there is a library for every system
    #[arg(long)]
    complete: bool,
    /// Pack the module in FOLDER as it is, such as a signed one, and build nothing
    #[arg(long, value_name = "FOLDER", conflicts_with = "libraries")]
    module: Option<PathBuf>,
}

/// A package that was made.
pub(crate) struct Package {
    pub(crate) nupkg: PathBuf,
    pub(crate) zip: PathBuf,
}

impl Package {
    /// Both files.
    pub(crate) fn bytes(&self) -> Result<[Vec<u8>; 2]> {
        Ok([fs::read(&self.nupkg)?, fs::read(&self.zip)?])
    }
}

/// Puts the module together and writes the packages into out/package.
pub(crate) fn build(options: &Options) -> Result<Package> {
    let module = match (&options.module, &options.libraries) {
        (Some(module), _) => module.clone(),
        (None, Some(folder)) => module::build_with(&find(folder)?)?.to_owned(),
        (None, None) => module::build_with(&libraries::build_all()?)?.to_owned(),
    };
    let lacking: Vec<&str> =
        TARGETS.iter().filter(|target| !has_library(&module, target)).map(|target| target.rid).collect();
    if !lacking.is_empty() {
        let list = lacking.join(", ");
        if options.complete {
            bail!("the package lacks the native library for {list}");
        }
        println!("This package is for trying out, not for publishing: it lacks the native library for {list}.");
    }
    write(&module, &process::root().join("out/package"))
}

/// Builds the libraries of the named systems, or all that this machine can, into out/libraries/RID.
pub(crate) fn build_libraries(rids: &[String]) -> Result<()> {
    let folder = process::root().join("out/libraries");
    let libraries = if rids.is_empty() { libraries::build_all()? } else { libraries::build_named(rids)? };
    for library in libraries {
        let file = folder.join(&library.rid).join(library.path.file_name().context("a library without a name")?);
        fs::create_dir_all(folder.join(&library.rid))?;
        fs::copy(&library.path, &file).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The libraries in FOLDER/RID, each as the rules want it.
fn find(folder: &Path) -> Result<Vec<Library>> {
    let mut found = Vec::new();
    for target in &TARGETS {
        let path = folder.join(target.rid).join(file_name(target));
        if path.is_file() {
            found.push(libraries::checked(Library { rid: target.rid.to_owned(), path, is_untried: false })?);
        }
    }
    if found.is_empty() {
        bail!("there is no native library in {}", folder.display());
    }
    Ok(found)
}

/// What a module says of itself that is no release: some system's library is not in it, or was never run. `None` for one
/// that lacks nothing.
pub(crate) fn caveat(libraries: &[Library]) -> Option<String> {
    let has = |target: &&Target| libraries.iter().any(|library| library.rid == target.rid);
    let lacking: Vec<_> = TARGETS.iter().filter(|target| !has(target)).map(|target| target.rid).collect();
    let untried: Vec<_> = libraries.iter().filter(|library| library.is_untried).map(|library| &*library.rid).collect();
    if lacking.is_empty() && untried.is_empty() {
        return None;
    }
    let mut text = "This is a local build for trying out, not a release.".to_owned();
    if !lacking.is_empty() {
        let _ = write!(text, " It has no native library for {}.", lacking.join(", "));
    }
    if !untried.is_empty() {
        let _ = write!(text, " Nobody has run the native library for {}.", untried.join(", "));
    }
    Some(text)
}

fn has_library(module: &Path, target: &Target) -> bool {
    module.join("runtimes").join(target.rid).join("native").join(file_name(target)).is_file()
}

/// What the library is called on a system; the module looks for it by this name.
fn file_name(target: &Target) -> &'static str {
    match target.rid.split('-').next() {
        Some("win") => "wslimage.dll",
        Some("osx") => "libwslimage.dylib",
        _ => "libwslimage.so",
    }
}

/// Writes the packages of a module's folder into an empty `folder`.
pub(crate) fn write(module: &Path, folder: &Path) -> Result<Package> {
    let files = archive::read(module)?;
    let manifest = fs::read_to_string(module.join("WslImage.psd1"))
        .with_context(|| format!("there is no module in {}", module.display()))?;
    let manifest = Manifest::new(manifest);
    let (mut told, mut there) = (manifest.list("FileList")?, files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    told.sort();
    there.sort();
    if !told.iter().eq(there) {
        bail!("the files of {} are not those that its manifest lists", module.display());
    }
    let (version, label) = (manifest.string("ModuleVersion")?, manifest.version()?);

    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    // A folder for each version: an update does not touch the files of a session that has the older one loaded.
    let installed: archive::Files =
        files.iter().map(|(name, content)| (format!("WslImage/{version}/{name}"), content.clone())).collect();
    let (nupkg, zip) = (format!("WslImage.{label}.nupkg"), format!("WslImage-{label}.zip"));
    let mut sums = String::new();
    for (name, content) in [
        (&nupkg, nupkg::pack(&manifest, &files)?),
        (&zip, archive::zip(&installed)?),
        (&format!("WslImage-{label}.cdx.json"), parts::bill_of_materials(&label)?.into_bytes()),
    ] {
        let file = folder.join(name);
        fs::write(&file, &content).with_context(|| format!("cannot write {}", file.display()))?;
        let _ = writeln!(sums, "{}  {name}", hex(&Sha256::digest(&content)));
    }
    fs::write(folder.join("SHA256SUMS"), &sums)?;
    print!("{sums}");
    println!("The packages are in {}", folder.display());
    Ok(Package { nupkg: folder.join(nupkg), zip: folder.join(zip) })
}

/// Installs a package into a folder of `$env:PSModulePath` as Install-PSResource does, and returns where the module lies.
pub(crate) fn install_nupkg(nupkg: &Path, modules: &Path) -> Result<PathBuf> {
    let folder = modules.join("WslImage").join(module::VERSION);
    extract(nupkg, &folder, |name| !nupkg::is_of_the_package(name))?;
    Ok(folder)
}

/// The same of the zip file, which a user extracts there.
pub(crate) fn install_zip(zip: &Path, modules: &Path) -> Result<PathBuf> {
    extract(zip, modules, |_| true)?;
    Ok(modules.join("WslImage").join(module::VERSION))
}

fn extract(archive: &Path, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let file = fs::File::open(archive).with_context(|| archive.display().to_string())?;
    let mut zip = zip::ZipArchive::new(file)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.enclosed_name().with_context(|| format!("{} has an unsafe name", archive.display()))?;
        if wanted(&manifest::name(&name)) {
            let target = folder.join(name);
            fs::create_dir_all(target.parent().unwrap_or(folder))?;
            std::io::copy(&mut entry, &mut fs::File::create(target)?)?;
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use anyhow::Result;

    use super::{archive, caveat, install_nupkg, install_zip, write};
    use crate::libraries::{Library, TARGETS};
    use crate::module;

    const FILES: [&str; 4] = ["WslImage.psd1", "WslImage.psm1", "bin/net472/WslImage.dll", "runtimes/a-b/native/lib"];

    fn module(folder: &Path, order: &[&str]) -> Result<()> {
        let list = FILES.map(|file| format!("'{file}'")).join(", ");
        let manifest = format!(
            "@{{\nModuleVersion = '{}'\nAuthor = 'A'\nCompanyName = 'C'\nCopyright = '(c)'\nDescription = 'D'\n\
             CmdletsToExport = @('Get-It')\nFileList = @({list})\nTags = @('WSL')\nLicenseUri = 'https://l'\n\
             ProjectUri = 'https://p'\nReleaseNotes = 'N'\n}}\n",
            module::VERSION
        );
        for name in order {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap_or(folder))?;
            fs::write(file, if name.ends_with("psd1") { &manifest } else { *name })?;
        }
        Ok(())
    }

    #[test]
    fn equal_modules_give_equal_packages_and_what_is_installed_is_the_module() -> Result<()> {
        let place = tempfile::tempdir()?;
        let mut reversed = FILES;
        reversed.reverse();
        let mut written = Vec::new();
        for (name, order) in [("one", FILES), ("two", reversed)] {
            let folder = place.path().join(name);
            module(&folder.join("module"), &order)?;
            let package = write(&folder.join("module"), &folder.join("package"))?;
            for (kind, installed) in [
                ("nupkg", install_nupkg(&package.nupkg, &folder.join("from nupkg"))?),
                ("zip", install_zip(&package.zip, &folder.join("from zip"))?),
            ] {
                assert_eq!(archive::read(&installed)?, archive::read(&folder.join("module"))?, "{kind}");
            }
            written.push(archive::read(&folder.join("package"))?);
        }
        assert!(written[0] == written[1], "the packages differ");
        let names: Vec<_> = written[0].iter().map(|(name, _)| name.replace(module::VERSION, "V")).collect();
        assert_eq!(names, ["SHA256SUMS", "WslImage-V.cdx.json", "WslImage-V.zip", "WslImage.V.nupkg"]);
        Ok(())
    }

    #[test]
    fn a_module_is_no_release_without_a_library_for_each_system_that_somebody_has_run() {
        let library = |rid: &str, is_untried| Library { rid: rid.to_owned(), path: "lib".into(), is_untried };
        let mut all = TARGETS.map(|target| library(target.rid, false)).to_vec();
        assert_eq!(caveat(&all), None);
        all[1].is_untried = true;
        let untried = caveat(&all).unwrap_or_default();
        assert!(untried.ends_with("Nobody has run the native library for linux-arm64."), "{untried}");
        let lacking = caveat(&[library("linux-x64", false)]).unwrap_or_default();
        assert!(lacking.contains("no native library for linux-arm64, win-x64, win-arm64, osx-arm64"), "{lacking}");
    }

    #[test]
    fn a_file_that_the_manifest_does_not_list_is_refused() -> Result<()> {
        let place = tempfile::tempdir()?;
        module(&place.path().join("module"), &FILES)?;
        fs::write(place.path().join("module/left over"), "")?;
        assert!(write(&place.path().join("module"), &place.path().join("package")).is_err());
        assert!(!place.path().join("package").exists());
        Ok(())
    }
}
