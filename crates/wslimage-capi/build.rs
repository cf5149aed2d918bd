//! Gives the DLL its VERSIONINFO resource: what Windows shows in the file's properties, and `(Get-Item …).VersionInfo` in
//! PowerShell. And, where LLVM links it, the list of what it exports.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("windows") {
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
    if env::var("CARGO_CFG_TARGET_ABI").as_deref() == Ok("llvm") {
        list_exports()?;
    }
    Ok(())
}

/// Names the functions of the header to the linker: cargo-zigbuild takes rustc's own list away, and LLVM then exports all.
fn list_exports() -> Result<(), Box<dyn Error>> {
    const HEADER: &str = "include/wslimage.h";
    println!("cargo::rerun-if-changed={HEADER}");
    let header = fs::read_to_string(HEADER)?;
    let declarations = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let names = declarations.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next());
    let mut list = String::from("EXPORTS\n");
    let has_tests = env::var_os("CARGO_FEATURE_TEST_PANIC").is_some();
    for name in names.filter(|name| name.starts_with("wslimage_") && (has_tests || !name.contains("_test_"))) {
        list.push_str(name);
        list.push('\n');
    }
    let file = Path::new(&env::var("OUT_DIR")?).join("exports.def");
    fs::write(&file, list)?;
    println!("cargo::rustc-cdylib-link-arg={}", file.display());
    Ok(())
}
