//! The native library, as users get it, for each system that this machine can build for. Each target has a folder of its own
//! below target/libraries, so that no build disturbs another one.

#[cfg(unix)]
mod mingw;
pub(crate) mod rules;
mod zig;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::cargo;
use crate::machine::{self, Program};
use crate::process;

/// A system for which the package may have a library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// .NET's name of it, as in `runtimes/<rid>/native`.
    pub(crate) rid: &'static str,
    /// Rust's.
    pub(crate) triple: &'static str,
}

/// What links a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Linker {
    /// Rust's own choice.
    Own,
    MinGw,
    Zig,
}

/// All that a released package has.
pub(crate) const TARGETS: [Target; 5] = [
    Target { rid: "linux-x64", triple: "x86_64-unknown-linux-gnu" },
    Target { rid: "linux-arm64", triple: "aarch64-unknown-linux-gnu" },
    // What MSVC links is for Windows machines, MinGW and LLVM are for the others; the result needs nothing but Windows.
    Target { rid: "win-x64", triple: if cfg!(windows) { "x86_64-pc-windows-msvc" } else { "x86_64-pc-windows-gnu" } },
    Target {
        rid: "win-arm64",
        triple: if cfg!(windows) { "aarch64-pc-windows-msvc" } else { "aarch64-pc-windows-gnullvm" },
    },
    Target { rid: "osx-arm64", triple: "aarch64-apple-darwin" },
];

/// The oldest C library of Linux on which the library runs (Debian 10, RHEL 8, Ubuntu 18.10).
pub(crate) const GLIBC: (u32, u32) = (2, 28);

/// A library that was built.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    /// Its runtime identifier.
    pub(crate) rid: String,
    pub(crate) path: PathBuf,
    /// It was built here for a processor that this machine does not have, so that nobody has run it.
    pub(crate) is_untried: bool,
}

impl Target {
    /// The target of that runtime identifier.
    pub(crate) fn named(rid: &str) -> Result<&'static Self> {
        TARGETS.iter().find(|target| target.rid == rid).ok_or_else(|| anyhow!("there is no library for {rid}"))
    }

    /// Builds its library. The error says what this machine lacks, or that the build failed.
    pub(crate) fn build(&self) -> Result<Library> {
        self.build_by(self.command()?)
    }

    /// Builds its library by a call that [`Self::command`] made.
    fn build_by(&self, mut command: Command) -> Result<Library> {
        let flags: Vec<String> = self.rust_flags().iter().map(|flag| format!("{flag:?}")).collect();
        command
            .args(["--release", "--package", "wslimage-capi", "--target", &self.cargo_target(), "--target-dir"])
            .arg(self.folder())
            .args(["--config", &format!("target.{}.rustflags=[{}]", self.triple, flags.join(","))])
            // Users download it: a twelfth smaller, for twice the time of linking.
            .env("CARGO_PROFILE_RELEASE_LTO", "fat");
        let built = cargo::build_with(command).and_then(|artifacts| artifacts.dynamic_library("wslimage-capi"));
        let path = built.with_context(|| format!("the library for {} was not built", self.rid))?;
        let is_untried = processor(self.rid) != processor(&machine::runtime_identifier());
        Ok(Library { rid: self.rid.to_owned(), path, is_untried })
    }

    fn is_windows(&self) -> bool {
        self.rid.starts_with("win-")
    }

    fn is_linux(&self) -> bool {
        self.rid.starts_with("linux-")
    }

    /// The target as cargo is to be told it: zig takes the version of the C library behind it.
    fn cargo_target(&self) -> String {
        if self.is_linux() { format!("{}.{}.{}", self.triple, GLIBC.0, GLIBC.1) } else { self.triple.to_owned() }
    }

    /// Cargo's call, up to its options. The error says what this machine lacks for it.
    fn command(&self) -> Result<Command> {
        let mut command = if self.linker() == Linker::Zig {
            if !cfg!(target_os = "linux") {
                bail!("{} is built on Linux", self.rid);
            }
            let mut command = zig::cargo_build()?;
            if self.is_windows() {
                command.env("WINDRES", zig::resource_compiler()?);
            }
            command
        } else {
            if self.rid.starts_with("osx-") && !cfg!(target_os = "macos") {
                bail!("{} is built on macOS, which has the SDK", self.rid);
            }
            cargo::command("build")
        };
        if !has_standard_library(self.triple) {
            if !Program::RustSource.is_available() {
                bail!(
                    "there is no standard library of Rust for {} (`rustup target add {}`; on Debian the packages \
                     rustc-web, cargo-web and rust-web-src have its source)",
                    self.triple,
                    self.triple
                );
            }
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            if command.get_program() != zig::program().as_os_str() {
                command = process::command("/usr/bin/cargo");
                command.args(arguments);
            }
            command
                .env("CARGO", "/usr/bin/cargo")
                .env("RUSTC", "/usr/bin/rustc")
                // What builds the standard library has no stable switch.
                .env("RUSTC_BOOTSTRAP", "1")
                .arg("-Zbuild-std=std,panic_unwind")
                // Not its backtraces: they would name nothing in a library without symbols.
                .arg("-Zbuild-std-features=panic-unwind");
        }
        #[cfg(unix)]
        if self.linker() == Linker::MinGw {
            let linker = mingw::linker(&self.folder()).with_context(|| self.rid.to_owned())?;
            command.env(format!("CARGO_TARGET_{}_LINKER", self.triple.to_uppercase().replace('-', "_")), linker);
        }
        Ok(command)
    }

    fn linker(&self) -> Linker {
        match self.triple {
            "x86_64-pc-windows-gnu" => Linker::MinGw,
            "aarch64-pc-windows-gnullvm" => Linker::Zig,
            _ if self.is_linux() => Linker::Zig,
            _ => Linker::Own,
        }
    }

    /// Where it is built.
    fn folder(&self) -> PathBuf {
        process::root().join("target/libraries").join(self.rid)
    }

    /// What makes the library the same wherever it is built: it names no folder of the machine, and no time.
    fn rust_flags(&self) -> Vec<String> {
        let mut flags = vec![format!("--remap-path-prefix={}=wslimage", process::root().display())];
        if let Some(cargo) =
            env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
        {
            flags.push(format!("--remap-path-prefix={}=crates", cargo.join("registry/src").display()));
        }
        match self.triple {
            "x86_64-pc-windows-gnu" => flags.push("-Clink-arg=-Wl,--no-insert-timestamp".to_owned()),
            triple if triple.ends_with("-msvc") => {
                // No DLL of Visual C++ beside those of Windows.
                flags.extend(["-Ctarget-feature=+crt-static".to_owned(), "-Clink-arg=/Brepro".to_owned()]);
            }
            _ => {}
        }
        flags
    }
}

/// Builds what this machine can for the package, each library as the rules want it, and tells why it has no others. A build
/// that was begun and failed is an error.
pub(crate) fn build_all() -> Result<Vec<Library>> {
    let mut libraries = Vec::new();
    for target in &TARGETS {
        let command = match target.command() {
            Ok(command) => command,
            Err(lack) => {
                println!("Without a library for {}: {lack:#}", target.rid);
                continue;
            }
        };
        let library = checked(target.build_by(command)?)?;
        if library.is_untried {
            println!(
                "The library for {} was built, and nobody has run it: this machine has another processor.",
                target.rid
            );
        }
        libraries.push(library);
    }
    Ok(libraries)
}

/// Builds the libraries of the named systems, each as the rules want it.
pub(crate) fn build_named(rids: &[String]) -> Result<Vec<Library>> {
    rids.iter().map(|rid| checked(Target::named(rid)?.build()?)).collect()
}

/// `library`, when it keeps all rules.
pub(crate) fn checked(library: Library) -> Result<Library> {
    for (rule, result) in rules::check(&library)? {
        result.with_context(|| format!("the library for {}: not so: {rule}", library.rid))?;
    }
    Ok(library)
}

/// The library for this machine, as [`Target::build`] makes it; a plain build of cargo where it cannot, which is good for
/// this machine only.
pub(crate) fn build_own() -> Result<Library> {
    let rid = machine::runtime_identifier();
    let prepared = Target::named(&rid).and_then(|target| Ok((target, target.command()?)));
    match prepared {
        Ok((target, command)) => target.build_by(command),
        Err(lack) => {
            println!("The library is built for this machine only: {lack:#}");
            let path = cargo::build(["--release", "--package", "wslimage-capi"])?.dynamic_library("wslimage-capi")?;
            Ok(Library { rid, path, is_untried: false })
        }
    }
}

/// The processor in a runtime identifier.
fn processor(rid: &str) -> Option<&str> {
    rid.rsplit_once('-').map(|(_, processor)| processor)
}

/// Whether the Rust that runs this has the standard library of `triple`.
fn has_standard_library(triple: &str) -> bool {
    let output = process::command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", triple])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
