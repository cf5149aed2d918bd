//! What the machine has: programs that a task can use, and whether a missing one may be passed over.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A program that a task can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Rustfmt,
    Clippy,
    CCompiler,
    Valgrind,
    DotnetSdk,
    PowerShell,
    CargoDeny,
    Python,
    Bsdtar,
    Umoci,
    Zstd,
    Busybox,
    SevenZip,
    Buildah,
    DockerRegistry,
    RustSource,
    MinGw,
    Wine,
    WindowsPowerShell,
    Mono,
}

impl Program {
    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt",
            Self::Clippy => "clippy",
            Self::CCompiler => "a C compiler (cc, on Windows gcc)",
            Self::Valgrind => "valgrind",
            Self::DotnetSdk => "a .NET SDK (dotnet)",
            Self::PowerShell => "PowerShell (pwsh)",
            Self::CargoDeny => "cargo-deny",
            Self::Python => "Python 3.11 (python3)",
            Self::Bsdtar => "bsdtar",
            Self::Umoci => "umoci",
            Self::Zstd => "zstd",
            Self::Busybox => "busybox",
            Self::SevenZip => "7-Zip (7z)",
            Self::Buildah => "buildah",
            Self::DockerRegistry => "docker-registry",
            Self::RustSource => "Debian's Rust with the standard library's source",
            Self::MinGw => "MinGW (x86_64-w64-mingw32-gcc)",
            Self::Wine => "wine",
            Self::WindowsPowerShell => "PowerShell for Windows (pwsh-windows)",
            Self::Mono => "mono",
        }
    }

    /// Whether it is there and starts.
    pub(crate) fn is_available(self) -> bool {
        let (program, argument) = match self {
            Self::Rustfmt => ("rustfmt", "--version"),
            Self::Clippy => ("cargo-clippy", "--version"),
            Self::CCompiler => (C_COMPILER, "--version"),
            Self::Valgrind => ("valgrind", "--version"),
            // A runtime without an SDK answers this one with an error.
            Self::DotnetSdk => ("dotnet", "--version"),
            Self::PowerShell => ("pwsh", "--version"),
            Self::CargoDeny => ("cargo-deny", "--version"),
            Self::Python => ("python3", "--version"),
            Self::Bsdtar => ("bsdtar", "--version"),
            Self::Umoci => ("umoci", "--version"),
            Self::Zstd => ("zstd", "--version"),
            Self::Busybox => ("busybox", "--help"),
            Self::SevenZip => ("7z", "--help"),
            Self::Buildah => ("buildah", "--version"),
            Self::DockerRegistry => ("docker-registry", "--version"),
            Self::RustSource => return Path::new(RUST_SOURCE).exists() && Path::new("/usr/bin/cargo").exists(),
            Self::MinGw => (MINGW, "--version"),
            Self::Wine => ("wine", "--version"),
            Self::Mono => ("mono", "--version"),
            // Its start takes seconds, and says no more.
            Self::WindowsPowerShell => return find("pwsh-windows").is_some(),
        };
        Command::new(program)
            .arg(argument)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// The C compiler's usual name; on Windows that of MinGW, which takes the same arguments.
pub(crate) const C_COMPILER: &str = if cfg!(windows) { "gcc" } else { "cc" };

/// The C compiler for Windows on other systems.
pub(crate) const MINGW: &str = "x86_64-w64-mingw32-gcc";

/// Where Debian's package rust-web-src has the standard library.
const RUST_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";

/// The program of that name on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether nothing may be passed over because it is missing.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// The version to install where there is none, from build.versions.
pub(crate) fn pinned(name: &str) -> Result<&'static str> {
    const VERSIONS: &str = include_str!("../../../build.versions");
    VERSIONS
        .lines()
        .filter_map(|line| line.split_once('='))
        .find_map(|(key, version)| (key == name).then_some(version.trim()))
        .with_context(|| format!("build.versions has no {name}"))
}

/// Packages that the build script wanted for this task and could not get.
pub(crate) fn missing_packages() -> Vec<String> {
    let list = env::var("WSLIMAGE_MISSING_PACKAGES").unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

/// .NET's name of this machine's kind, as in `runtimes/<rid>/native`.
pub(crate) fn runtime_identifier() -> String {
    let system = match env::consts::OS {
        "windows" => "win",
        "macos" => "osx",
        "linux" if cfg!(target_env = "musl") => "linux-musl",
        other => other,
    };
    let architecture = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{architecture}")
}
