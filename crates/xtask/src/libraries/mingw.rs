//! MinGW as the linker, in a way that gives the same DLL wherever the repository lies.
//!
//! ld sorts the tables of imports by the paths of the files that they come from: cargo's lie in the repository, those of MinGW
//! below /usr, and which of them come first is a matter of the repository's path. So MinGW's are reached through a link beside
//! cargo's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::machine::MINGW;
use crate::process;
use crate::symlink;

/// Writes what calls MinGW's compiler as the linker of what is built in `folder`, and says where it is.
pub(super) fn linker(folder: &Path) -> Result<PathBuf> {
    let found = process::command(MINGW).arg("-print-file-name=libkernel32.a").output().ok();
    let found = found
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let Some(library) = found else {
        bail!("it needs {MINGW} (on Debian the package gcc-mingw-w64-x86-64)");
    };
    let libraries = Path::new(library.trim()).canonicalize().context(library.trim().to_owned())?;
    let libraries = libraries.parent().context("a library in no folder")?;

    fs::create_dir_all(folder)?;
    let (link, program) = (folder.join("mingw"), folder.join("mingw-gcc"));
    symlink::replace(libraries, &link)?;
    let script = format!("#!/bin/sh\nexec {MINGW} -L\"$(dirname -- \"$0\")/mingw\" \"$@\"\n");
    fs::write(&program, script).with_context(|| program.display().to_string())?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}
