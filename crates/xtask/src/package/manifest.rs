//! The module's manifest: what it says, and what it is given when the module is put together.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The most that the PowerShell Gallery takes as release notes.
const MAXIMUM_NOTES: usize = 10_000;

/// What stands behind the version of a module that is no release: no gallery offers such a one unless asked to.
const LOCAL: &str = "local";

/// A module manifest (.psd1), which is read as this project writes it: one entry a line.
pub(crate) struct Manifest(String);

impl Manifest {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The version as galleries have it: with a label where it is none of a release.
    pub(crate) fn version(&self) -> Result<String> {
        let version = self.string("ModuleVersion")?;
        Ok(match self.string("Prerelease") {
            Ok(label) => format!("{version}-{label}"),
            Err(_) => version,
        })
    }

    /// The value of an entry that is a string, of one line or of several.
    pub(crate) fn string(&self, key: &str) -> Result<String> {
        let rest =
            self.value(key)?.strip_prefix('\'').with_context(|| format!("{key} of the manifest is no string"))?;
        let mut value = String::new();
        // A quote that belongs to the text stands twice.
        let mut pieces = rest.split('\'');
        value.push_str(pieces.next().unwrap_or_default());
        while let (Some(""), Some(piece)) = (pieces.next(), pieces.next()) {
            value.push('\'');
            value.push_str(piece);
        }
        Ok(value)
    }

    /// The values of an entry that is a list of strings.
    pub(crate) fn list(&self, key: &str) -> Result<Vec<String>> {
        let value = self.value(key)?;
        if !value.starts_with("@(") {
            bail!("{key} of the manifest is no list");
        }
        let list = value.split_once(')').map_or(value, |(list, _)| list);
        Ok(list.split('\'').skip(1).step_by(2).map(str::to_owned).collect())
    }

    /// With the names of all files of the module, what is new in this version, and, where it is no release, why.
    pub(crate) fn completed<'a>(
        &self,
        files: impl Iterator<Item = &'a PathBuf>,
        notes: &str,
        caveat: Option<&str>,
    ) -> Result<Self> {
        let names: Vec<String> = files.map(|file| format!("'{}'", quoted(&name(file)))).collect();
        let text = self.filled("FileList", "@()", &format!("@({})", names.join(", ")))?;
        let notes = match caveat {
            Some(caveat) => {
                format!("'{}'\n            Prerelease   = '{LOCAL}'", quoted(&format!("{caveat}\n\n{notes}")))
            }
            None => format!("'{}'", quoted(notes)),
        };
        let text = Self(text).filled("ReleaseNotes", "''", &notes)?;
        if let Some(other) = text.chars().find(|c| !c.is_ascii()) {
            bail!("Windows PowerShell reads the manifest as ASCII, and it has {other:?}");
        }
        Ok(Self(text))
    }

    /// The text with the empty value of an entry replaced.
    fn filled(&self, key: &str, empty: &str, value: &str) -> Result<String> {
        let at = self.position(key)?;
        let rest = self.0[at..].strip_prefix(empty);
        let rest = rest.with_context(|| format!("{key} of the manifest is not {empty}"))?;
        Ok(format!("{}{value}{rest}", &self.0[..at]))
    }

    fn value(&self, key: &str) -> Result<&str> {
        Ok(&self.0[self.position(key)?..])
    }

    fn position(&self, key: &str) -> Result<usize> {
        let mut at = 0;
        for line in self.0.split_inclusive('\n') {
            if let Some((name, value)) = line.split_once('=')
                && name.trim() == key
            {
                return Ok(at + line.len() - value.trim_start().len());
            }
            at += line.len();
        }
        bail!("the manifest has no {key}")
    }
}

/// A file's name within the module: a slash serves on every system.
pub(crate) fn name(file: &Path) -> String {
    file.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The notes of `version` in the changelog; those of what is not released yet where it has none.
pub(crate) fn release_notes(changelog: &str, version: &str) -> Result<String> {
    let section = |title: &str| -> Option<&str> {
        let (_, rest) = changelog.split_once(&format!("\n## [{title}]"))?;
        let rest = rest.split_once('\n')?.1;
        let rest = rest.split("\n## [").next()?;
        // Links stand at the end of the file.
        Some(rest.split("\n[").next()?.trim())
    };
    let notes = section(version).or_else(|| section("Unreleased")).unwrap_or_default();
    if notes.is_empty() {
        bail!("CHANGELOG.md has nothing on {version}, and nothing under Unreleased");
    }
    if notes.len() > MAXIMUM_NOTES {
        bail!("what CHANGELOG.md has on {version} is longer than {MAXIMUM_NOTES} bytes");
    }
    Ok(notes.to_owned())
}

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use anyhow::Result;

    use super::{Manifest, release_notes};

    const TEXT: &str = "@{\n    Author    = 'It''s me'\n    FileList = @()\n    Tags = @('A', 'B') # words\n    \
        PSData = @{\n        ReleaseNotes = ''\n    }\n}\n";

    #[test]
    fn reads_strings_and_lists() -> Result<()> {
        let manifest = Manifest::new(TEXT.to_owned());
        assert_eq!(manifest.string("Author")?, "It's me");
        assert_eq!(manifest.list("Tags")?, ["A", "B"]);
        assert!(manifest.list("FileList")?.is_empty());
        assert!(manifest.string("Tags").is_err());
        assert!(manifest.list("Author").is_err());
        assert!(manifest.string("Guid").is_err());
        Ok(())
    }

    #[test]
    fn gets_the_files_and_the_notes() -> Result<()> {
        let files = ["bin/a.dll".into(), "it's".into()];
        let manifest = Manifest::new(TEXT.to_owned()).completed(files.iter(), "- it's new\n- and old", None)?;
        assert!(manifest.text().contains("FileList = @('bin/a.dll', 'it''s')\n"), "{}", manifest.text());
        assert!(manifest.text().contains("ReleaseNotes = '- it''s new\n- and old'\n"), "{}", manifest.text());
        assert!(manifest.completed(files.iter(), "again", None).is_err());
        assert!(Manifest::new(TEXT.to_owned()).completed(files.iter(), "\u{2026}", None).is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_release_has_a_version_that_says_so_and_notes_that_say_why() -> Result<()> {
        let text = format!("ModuleVersion = '1.2.3'\n{TEXT}");
        let complete = |caveat| Manifest::new(text.clone()).completed([].iter(), "news", caveat);
        let (release, local) = (complete(None)?, complete(Some("it's local"))?);
        assert_eq!((release.version()?, release.string("ReleaseNotes")?), ("1.2.3".to_owned(), "news".to_owned()));
        assert_eq!(local.version()?, "1.2.3-local");
        assert_eq!(local.string("ReleaseNotes")?, "it's local\n\nnews");
        assert_eq!(local.string("ModuleVersion")?, "1.2.3");
        Ok(())
    }

    #[test]
    fn the_notes_are_those_of_the_version_else_of_what_is_not_released() -> Result<()> {
        let log = "# Changelog\n\n## [Unreleased]\n\nnew\n\n## [0.2.0] - 2026-01-01\n\nsecond\n\n## [0.1.0]\n\nfirst\n\n\
            [0.1.0]: https://example.org\n";
        assert_eq!(release_notes(log, "0.2.0")?, "second");
        assert_eq!(release_notes(log, "0.1.0")?, "first");
        assert_eq!(release_notes(log, "0.3.0")?, "new");
        assert!(release_notes("# Changelog\n", "0.1.0").is_err());
        Ok(())
    }
}
