//! Zip files that are the same bytes for the same content.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Files of an archive: name and content.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// All files below `folder`, sorted, by their names in it.
pub(crate) fn read(folder: &Path) -> Result<Files> {
    let mut files = Vec::new();
    add(folder, "", &mut files).with_context(|| format!("cannot read {}", folder.display()))?;
    files.sort();
    Ok(files)
}

fn add(folder: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// The files in this order, with one date and one mode.
pub(crate) fn zip(files: &Files) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name, options)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use anyhow::Result;

    use super::{read, zip};

    #[test]
    fn equal_files_give_equal_archives() -> Result<()> {
        let place = tempfile::tempdir()?;
        let mut archives = Vec::new();
        for (copy, order) in [("one", ["a/b", "c"]), ("two", ["c", "a/b"])] {
            let folder = place.path().join(copy);
            for name in order {
                fs::create_dir_all(folder.join(name).parent().unwrap_or(&folder))?;
                fs::write(folder.join(name), name)?;
            }
            archives.push(zip(&read(&folder)?)?);
        }
        assert_eq!(archives[0], archives[1]);

        let mut zip = zip::ZipArchive::new(Cursor::new(&archives[0]))?;
        let names = zip.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<Vec<_>>>()?;
        assert_eq!(names, ["a/b", "c"]);
        assert_eq!(std::io::read_to_string(zip.by_index(0)?)?, "a/b");
        Ok(())
    }
}
