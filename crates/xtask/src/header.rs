//! The C header, written by cbindgen from the C ABI's source.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use cbindgen::{Builder, Config};

use crate::process;

/// Writes the header, and nothing when it is up to date.
pub(crate) fn write() -> Result<()> {
    let generated = generate()?;
    if committed()? != generated {
        let path = path();
        let folder = path.parent().context("the header has no folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, generated).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Fails when the committed header is not what cbindgen writes now.
pub(crate) fn check() -> Result<()> {
    let (committed, generated) = (committed()?, generate()?);
    if committed == generated {
        return Ok(());
    }
    let same = committed.lines().zip(generated.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(end of file)").to_owned();
    bail!(
        "{} differs from the source at line {}:\n  committed: {}\n  from the source: {}\nrun `cargo xtask header` and commit the result",
        path().display(),
        same + 1,
        line(&committed),
        line(&generated),
    );
}

fn path() -> PathBuf {
    process::root().join("crates/wslimage-capi/include/wslimage.h")
}

fn generate() -> Result<String> {
    let folder = process::root().join("crates/wslimage-capi");
    let config =
        Config::from_file(folder.join("cbindgen.toml")).map_err(|error| anyhow::anyhow!("cbindgen.toml: {error}"))?;
    let bindings = Builder::new()
        .with_crate(&folder)
        .with_config(config)
        .generate()
        .context("cbindgen cannot read crates/wslimage-capi")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

/// The header as it lies there; none is an empty one.
fn committed() -> Result<String> {
    match fs::read_to_string(path()) {
        Ok(text) => Ok(text.replace("\r\n", "\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).context(path().display().to_string()),
    }
}
