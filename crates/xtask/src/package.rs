//! The module as one zip file, the same bytes from the same files.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::machine;
use crate::module;

/// Builds the module and writes out/WslImage-VERSION-RID.zip and its SHA-256, as `sha256sum -c` reads it.
pub(crate) fn build() -> Result<()> {
    let folder = module::build()?;
    let name = format!("WslImage-{}-{}.zip", module::VERSION, machine::runtime_identifier());
    let archive = folder.with_file_name(&name);
    compress(folder, &archive).with_context(|| format!("cannot write {}", archive.display()))?;

    let digest = Sha256::digest(fs::read(&archive)?);
    let mut sum = String::new();
    for byte in digest {
        sum.push_str(&format!("{byte:02x}"));
    }
    let line = format!("{sum}  {name}\n");
    fs::write(folder.with_file_name(format!("{name}.sha256")), &line)?;
    print!("{line}");
    Ok(())
}

/// Writes all files below `folder` under the folder's own name, sorted, with one date and one mode.
fn compress(folder: &Path, archive: &Path) -> Result<()> {
    let base = folder.parent().context("no folder above the module's")?;
    let mut files = Vec::new();
    list(folder, &mut files)?;
    let mut names = Vec::with_capacity(files.len());
    for file in files {
        let name: Vec<_> = file.strip_prefix(base)?.iter().map(|part| part.to_string_lossy()).collect();
        names.push((name.join("/"), file));
    }
    names.sort();

    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(BufWriter::new(File::create(archive)?));
    for (name, file) in names {
        zip.start_file(name, options)?;
        zip.write_all(&fs::read(file)?)?;
    }
    zip.finish()?.flush()?;
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::compress;

    #[test]
    fn equal_files_give_equal_archives() -> Result<()> {
        let place = tempfile::tempdir()?;
        let mut archives = Vec::new();
        for (copy, order) in [("one", ["a/b", "c"]), ("two", ["c", "a/b"])] {
            let folder = place.path().join(copy).join("WslImage");
            for name in order {
                fs::create_dir_all(folder.join(name).parent().unwrap_or(&folder))?;
                fs::write(folder.join(name), name)?;
            }
            let archive = place.path().join(copy).join("module.zip");
            compress(&folder, &archive)?;
            archives.push(fs::read(archive)?);
        }
        assert_eq!(archives[0], archives[1]);

        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&archives[0]))?;
        let names = zip.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<Vec<_>>>()?;
        assert_eq!(names, ["WslImage/a/b", "WslImage/c"]);
        assert_eq!(std::io::read_to_string(zip.by_index(0)?)?, "a/b");
        Ok(())
    }
}
