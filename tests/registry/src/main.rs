//! The test registry as a program, for tests in any process.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser;
use tokio::sync::oneshot;
use wslimage_test_registry::TestRegistry;

/// An OCI registry on loopback that serves what a test gives it and misbehaves on request.
///
/// When it is ready it prints one line of JSON with its addresses; README.md tells what to do with them.
#[derive(Parser)]
#[command(name = "wslimage-test-registry", version)]
struct Arguments {
    /// Write the line with the addresses to this file too, which appears complete
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// End when standard input closes, so that the registry does not outlive what started it
    #[arg(long)]
    until_stdin_closes: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let registry = TestRegistry::start().await?;
    let line = serde_json::to_string(registry.addresses())?;
    if let Some(file) = &arguments.ready_file {
        write_whole(file, &line)?;
    }
    writeln!(io::stdout(), "{line}")?;
    io::stdout().flush()?;

    tokio::select! {
        () = stdin_closed(), if arguments.until_stdin_closes => {}
        result = told_to_end() => result?,
    }
    Ok(())
}

/// Whoever waits for the file never sees a part of it.
fn write_whole(file: &Path, line: &str) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(new, "{line}")?;
    new.persist(file)?;
    Ok(())
}

async fn stdin_closed() {
    let (closed, when_closed) = oneshot::channel::<()>();
    // A thread of its own: the runtime's end waits for those that it lends to a read.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(closed);
    });
    let _ = when_closed.await;
}

#[cfg(unix)]
async fn told_to_end() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}

#[cfg(not(unix))]
async fn told_to_end() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
