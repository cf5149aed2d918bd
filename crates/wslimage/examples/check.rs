//! Checks the layers of an OCI image layout, and makes nothing of them: what every archive of them has to cost at least.
//!
//! The SHA-256 of each blob, inflate, and the SHA-256 of the plain bytes, layers side by side and the second hash beside
//! inflate. With `--from` the blobs come from a registry, each by a curl of its own, and are written to `--into` while
//! they are checked.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use clap::Parser;
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const PIECE: usize = 256 * 1024;
/// So many pieces of plain bytes may wait to be hashed.
const WAITING: usize = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Checks the layers of an OCI image layout.
#[derive(Parser)]
struct Arguments {
    /// The folder of the layout, with one image.
    layout: PathBuf,
    /// Where blobs are fetched from, up to and without the `/` before their digest.
    #[arg(long, value_name = "URL", requires = "into")]
    from: Option<String>,
    /// The folder for fetched blobs.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// A PEM file with certificates to trust.
    #[arg(long, value_name = "FILE")]
    ca_certificate: Option<PathBuf>,
    /// So many layers at once.
    #[arg(long, value_name = "N", default_value_t = 3)]
    at_once: usize,
}

struct Layer {
    hex: String,
    diff_id: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let layers = layers(&arguments.layout)?;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..arguments.at_once {
            scope.spawn(|| {
                while let Some(layer) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = check(arguments, layer)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push(format!("{}: {error}", layer.hex));
                    }
                }
            });
        }
    });
    match failures.into_inner()?.pop() {
        Some(failure) => Err(failure.into()),
        None => Ok(()),
    }
}

fn layers(layout: &Path) -> Result<Vec<Layer>, Failure> {
    let hex = |value: &Value| {
        let digest = value.as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        digest.map(str::to_owned).ok_or("there is a digest missing")
    };
    let blob = |hex: &str| -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex))?)?)
    };
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
    let manifest = blob(&hex(&index["manifests"][0]["digest"])?)?;
    let config = blob(&hex(&manifest["config"]["digest"])?)?;
    let layers = manifest["layers"].as_array().ok_or("the manifest has no layers")?;
    let layer = |(index, layer): (usize, &Value)| {
        Ok(Layer { hex: hex(&layer["digest"])?, diff_id: hex(&config["rootfs"]["diff_ids"][index])? })
    };
    layers.iter().enumerate().map(layer).collect()
}

fn check(arguments: &Arguments, layer: &Layer) -> Result<(), Failure> {
    match (&arguments.from, &arguments.into) {
        (Some(from), Some(into)) => {
            let mut curl = Command::new("curl");
            if let Some(ca) = &arguments.ca_certificate {
                curl.arg("--cacert").arg(ca);
            }
            curl.arg("-sSf").arg(format!("{from}/sha256:{}", layer.hex));
            let mut curl = curl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
            let input = curl.stdout.take().ok_or("curl has no output")?;
            let path = into.join(&layer.hex);
            let checked = verify(Fetched { input, file: File::create(&path)? }, layer);
            expect_success(curl)?;
            checked?.file.sync_all()?;
            Ok(())
        }
        _ => verify(File::open(arguments.layout.join("blobs/sha256").join(&layer.hex))?, layer).map(drop),
    }
}

fn expect_success(mut curl: Child) -> Result<(), Failure> {
    let status = curl.wait()?;
    if status.success() { Ok(()) } else { Err(format!("curl ended with {status}").into()) }
}

/// Bytes that are written to a file as they are read.
struct Fetched<R> {
    input: R,
    file: File,
}

impl<R: Read> Read for Fetched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.file.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// Bytes that are hashed as they are read.
struct Hashed<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// Reads a layer to its end and gives the input back.
fn verify<R: Read>(input: R, layer: &Layer) -> Result<R, Failure> {
    let hashed = Hashed { input, hash: Sha256::new() };
    let mut plain = MultiGzDecoder::new(BufReader::with_capacity(PIECE, hashed));
    let (pieces, waiting) = sync_channel::<Vec<u8>>(WAITING);
    let (empty, spare) = sync_channel::<Vec<u8>>(WAITING);
    let diff_id = thread::scope(|scope| -> Result<_, Failure> {
        let hasher = scope.spawn(move || {
            let mut hash = Sha256::new();
            while let Ok(piece) = waiting.recv() {
                hash.update(&piece);
                let _ = empty.try_send(piece);
            }
            hash.finalize()
        });
        loop {
            let mut piece = spare.try_recv().unwrap_or_default();
            piece.resize(PIECE, 0);
            let mut filled = 0;
            while filled < PIECE {
                match plain.read(&mut piece[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            piece.truncate(filled);
            if filled == 0 {
                break;
            }
            pieces.send(piece)?;
        }
        drop(pieces);
        hasher.join().map_err(|_| "the hash was not made".into())
    })?;
    let hashed = plain.into_inner().into_inner();
    for (what, expected, actual) in
        [("DiffID", &layer.diff_id, diff_id), ("digest", &layer.hex, hashed.hash.finalize())]
    {
        let actual: String = actual.iter().map(|byte| format!("{byte:02x}")).collect();
        if actual != *expected {
            return Err(format!("its {what} is {actual}, not {expected}").into());
        }
    }
    Ok(hashed.input)
}
