//! Gives the DLL its VERSIONINFO resource: what Windows shows in the file's properties, and `(Get-Item …).VersionInfo` in
//! PowerShell.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("windows") {
        return Ok(());
    }
    // The versions, as numbers and as text, are those of Cargo.toml.
    winresource::WindowsResource::new()
        .set("ProductName", "WslImage")
        .set("FileDescription", "Container images as archives for WSL")
        .set("InternalName", "wslimage")
        .set("OriginalFilename", "wslimage.dll")
        .set("LegalCopyright", concat!("Licence: ", env!("CARGO_PKG_LICENSE")))
        .compile()?;
    Ok(())
}
