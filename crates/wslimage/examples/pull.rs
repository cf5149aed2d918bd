//! Fetches an image into a file: the same job as the PowerShell module's, from a shell.
//!
//! Exit code 0 and the digest of the file on standard output; else 1 and one error with its causes on standard error.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wslimage::{
    CancellationToken, Client, ClientOptions, Credential, Error, ErrorKind, ExposeSecret, Format, ImageRequest, Job,
    Notice, Observer, Platform, Reference, SecretString,
};

/// Fetches a container image into one archive that `wsl --import` takes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The image, as docker writes it: alpine, ghcr.io/owner/name:tag, name@sha256:…
    #[arg(required_unless_present = "path", conflicts_with = "path")]
    reference: Option<Reference>,
    /// Instead of a registry: an OCI image layout, or what docker save or podman save has written.
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Which image of PATH, where it holds several: its name, tag or digest.
    #[arg(long, value_name = "SELECTION", requires = "path", conflicts_with = "reference")]
    tag: Option<String>,
    /// The file to write; it is replaced only by a complete and verified one.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The platform, when it is not linux/amd64.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<Platform>,
    /// User name and password for the registry.
    #[arg(long, value_name = "USER:PASSWORD")]
    creds: Option<SecretString>,
    /// Ask the registry by plain http.
    #[arg(long)]
    plain_http: bool,
    /// A PEM file with certificates to trust beside those of the operating system.
    #[arg(long, value_name = "FILE")]
    ca_certificate: Option<PathBuf>,
    /// What to make: an archive, or the blob of the only layer as it is.
    #[arg(long, value_enum, default_value_t)]
    format: ArchiveFormat,
    /// The most connections that fetch the layer.
    #[arg(long, value_name = "N")]
    max_connections: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ArchiveFormat {
    #[default]
    TarGz,
    Tar,
    TarXz,
    Original,
}

impl From<ArchiveFormat> for Format {
    fn from(format: ArchiveFormat) -> Self {
        match format {
            ArchiveFormat::TarGz => Self::TarGz,
            ArchiveFormat::Tar => Self::Tar,
            ArchiveFormat::TarXz => Self::TarXz,
            ArchiveFormat::Original => Self::Original,
        }
    }
}

/// Parted here and not by clap, whose message would show the password.
fn credential(text: &SecretString) -> Result<Credential, Error> {
    let (username, password) = text
        .expose_secret()
        .split_once(':')
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "What --creds got is not USER:PASSWORD"))?;
    Ok(Credential { username: username.to_owned(), password: SecretString::from(password) })
}

/// Shows progress on standard error, and nothing where that is no terminal.
struct Bar(ProgressBar);

impl Observer for Bar {
    fn expects(&self, _layers: usize, bytes: u64) {
        self.0.set_length(bytes);
    }

    fn advanced(&self, _layer: usize, bytes: u64) {
        self.0.inc(bytes);
    }

    fn notice(&self, notice: Notice) {
        if let Notice::Warning(line) = notice {
            self.0.println(format!("warning: {line}"));
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cancellation = CancellationToken::new();
    tokio::spawn({
        let cancellation = cancellation.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                cancellation.cancel();
            }
        }
    });
    let style = "{bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {eta}";
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let job = Job::new(Arc::new(Bar(bar.clone())), cancellation);
    // In a task, so that the work stays on the thread that reads the network.
    let result = tokio::spawn(async move { pull(arguments, &job).await }).await;
    bar.finish_and_clear();
    match result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.causes() {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn pull(arguments: Arguments, job: &Job) -> Result<String, Error> {
    let defaults = ClientOptions::default();
    let client = Client::new(ClientOptions {
        credential: arguments.creds.as_ref().map(credential).transpose()?,
        ca_certificate: arguments.ca_certificate,
        plain_http: arguments.plain_http,
        maximum_connections: arguments.max_connections.map_or(defaults.maximum_connections, NonZeroUsize::get),
        ..defaults
    })?;
    let platform = arguments.platform.unwrap_or_default();
    let image = match (arguments.path, arguments.reference) {
        (Some(path), _) => wslimage::resolve_local(&path, arguments.tag.as_deref(), &platform, job).await?,
        (None, Some(reference)) => {
            wslimage::resolve(&client, ImageRequest { platform, ..ImageRequest::new(reference) }, job).await?
        }
        // clap has seen to it that there is one.
        (None, None) => return Err(Error::new(ErrorKind::InvalidArgument, "No image was named")),
    };
    let options = wslimage::PullOptions { format: arguments.format.into(), ..wslimage::PullOptions::default() };
    let file = wslimage::pull(&client, &image, &arguments.output, options, job).await?;
    Ok(file.digest().to_string())
}
