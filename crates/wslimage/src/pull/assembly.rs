//! Layers that were read become the archive.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use oci_spec::image::{Digest, DigestAlgorithm};

use super::Context;
use super::layers_folder::{LayersFolder, Unpublished};
use crate::blob::{BackgroundFlush, PartialFile};
use crate::error::{Error, ErrorKind, Result};
use crate::pipe::{Pieces, Pipe};
use crate::progress::{Job, Stage};
use crate::rootfs::{
    Archive, Blob, Compression, Content, Format, Layer, Merge, Plan, Source, unpack, worth_unpacking, write_archive,
};

/// How often it is told how much of the archive is written.
const TOLD_AFTER: u64 = 1024 * 1024;

/// What there is of a layer: its bytes, and what they are.
pub(super) struct ReadLayer {
    pub(super) blob: Blob,
    pub(super) layer: Layer,
}

/// Fails where the layer at `index` is not what manifest and config say of it, but for its compression, of which it is
/// told only; and where it is no archive, and not the only layer, which may be anything.
pub(super) fn check(context: &Context<'_>, index: usize, layer: &Layer) -> Result<()> {
    let descriptor = &context.image.layers()[index];
    let found = layer.content.compression();
    if let Some(told) = Compression::of_media_type(descriptor.media_type()).filter(|told| *told != found) {
        let digest = descriptor.digest();
        context.job.verbose(format!("The media type of layer {digest} says {told}, and it has {found}, which counts."));
    }
    let checked = match context.image.diff_ids().get(index) {
        // Another algorithm than that of the OCI image-spec (config.md, "Layer DiffID") cannot be compared.
        Some(expected) if *expected.algorithm() == DigestAlgorithm::Sha256 => expect_diff_id(expected, &layer.diff_id),
        _ => Ok(()),
    };
    let checked = checked.and_then(|()| match layer.archive {
        None if context.image.layers().len() > 1 => {
            Err(Error::new(ErrorKind::UnsupportedImage, "it is not a tar archive"))
        }
        _ => Ok(()),
    });
    checked.map_err(|error| context.unreadable(index, error))
}

fn expect_diff_id(expected: &Digest, actual: &str) -> Result<()> {
    if expected.digest() == actual {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::DigestMismatch,
        format!("its content does not match its DiffID. Expected: {}, Actual: {actual}", expected.digest()),
    )
    .advice("The image is wrong where it was made: its config and its layers do not belong together."))
}

/// The plan of an archive, and what it takes pieces of.
pub(super) struct Planned {
    plan: Plan,
    sources: Vec<Source>,
    /// The length of all their plain bytes.
    plain_size: u64,
    /// Where the first layer's archive ends.
    first_end: u64,
}

/// Applies the layers of the image `name`, the lowest first.
pub(super) fn plan(name: &str, layers: Vec<ReadLayer>, job: &Job) -> Result<Planned> {
    let failed = |error: Error| match error.kind() {
        ErrorKind::Cancelled => error,
        _ => error.at(Stage::Finishing).target(name).attempting(&format!("Failed to apply the layers of {name}: ")),
    };
    let entries = |layer: &ReadLayer| layer.layer.archive.as_ref().map_or(0, |archive| archive.entries.len());
    let mut merge = Merge::for_entries(layers.iter().map(entries).sum(), job);
    let mut sources = Vec::with_capacity(layers.len());
    let (mut first_end, mut plain_size) = (0, 0);
    for (index, ReadLayer { blob, layer }) in layers.into_iter().enumerate() {
        let Some(archive) = layer.archive else {
            return Err(Error::new(ErrorKind::Internal, "A layer that is no archive was to be applied"));
        };
        if index == 0 {
            first_end = archive.end;
        }
        merge.add_layer(archive.entries).map_err(failed)?;
        plain_size += layer.plain_size;
        sources.push(Source { blob, content: layer.content });
    }
    let plan = merge.finish()?;
    for notice in &plan.notices {
        job.verbose(notice.clone());
    }
    if let Some(warning) = warning(&plan) {
        job.warning(warning.to_owned());
    }
    Ok(Planned { plan, sources, plain_size, first_end })
}

/// What WSL will make of it that a user may not expect: it takes a root filesystem that has `/etc` or `/bin/sh` (WSL,
/// src/linux/init/main.cpp, PostProcessImportedDistribution).
fn warning(plan: &Plan) -> Option<&'static str> {
    match (plan.has_shell, plan.has_etc) {
        (true, true) => None,
        (false, false) => {
            Some("The image has neither /bin/sh nor /etc: wsl --import refuses it, for it is no Linux distribution.")
        }
        (false, true) => Some("The image has no /bin/sh: wsl --import takes it, but the distribution will not start."),
        (true, false) => {
            Some("The image has no /etc: wsl --import takes it, and WSL makes the folder for files of its own.")
        }
    }
}

impl Planned {
    /// Why the blob of the first layer is not the archive in `format`; nothing where it is.
    pub(super) fn reasons(&self, format: Format) -> Vec<String> {
        let mut reasons: Vec<String> = Vec::new();
        if !self.plan.is_untouched(self.first_end) {
            reasons.extend(self.plan.changes.words().map(str::to_owned));
            if reasons.is_empty() {
                reasons.push("the place of an entry".to_owned());
            }
        }
        let wanted = match format {
            Format::TarGz => Some(Compression::Gzip),
            Format::Tar => Some(Compression::None),
            Format::TarXz | Format::Original => None,
        };
        let found = self.sources.first().map(|source| source.content.compression());
        if let Some(found) = found.filter(|found| Some(*found) != wanted) {
            reasons.push(format!("its compression ({found})"));
        }
        reasons
    }

    /// Whether parts of the layers can be read although no windows were kept.
    pub(super) fn is_readable(&self) -> bool {
        self.sources.iter().all(|source| source.content.compression() != Compression::Gzip)
    }

    /// The same, of the first layer read anew.
    pub(super) fn with_content(mut self, content: Content) -> Self {
        if let Some(source) = self.sources.first_mut() {
            source.content = content;
        }
        self
    }

    /// Writes the archive and gives it its final name, for which `lock` is held. After a failure, what its partial file
    /// holds is kept.
    pub(super) fn assemble(
        self,
        format: Format,
        manifest: &Digest,
        folder: &LayersFolder,
        mut lock: PartialFile,
        job: &Job,
    ) -> Result<Assembled> {
        let written = self.write(format, manifest, folder, &lock, job);
        let published = written.and_then(|(file, assembled)| file.publish(&mut lock).map(|()| assembled));
        // While the lock is held.
        match published {
            Ok(assembled) => {
                folder.remove();
                Ok(assembled)
            }
            Err(error) => {
                folder.remove_unless_worth_keeping();
                Err(lock.keep_after(error))
            }
        }
    }

    /// Writes the plain bytes of layers that would be decompressed again and again into files, which are there as long as
    /// what comes back.
    fn unpack(&mut self, folder: &LayersFolder, lock: &PartialFile, room: u64, job: &Job) -> Result<Vec<Unpublished>> {
        let is_sequential = |layer: usize| self.sources[layer].content.compression() == Compression::Zstd;
        if !(0..self.sources.len()).any(is_sequential) {
            return Ok(Vec::new());
        }
        let layers = worth_unpacking(self.plan.reads(), is_sequential);
        lock.expect_room(layers.values().fold(room, |sum, length| sum.saturating_add(*length)))?;
        let mut files = Vec::new();
        for (index, length) in layers {
            let mut file = folder.create_plain(index)?;
            let blob = &self.sources[index].blob;
            unpack(blob, length, &mut |bytes| file.file().write_all(bytes).map_err(|it| lock.write_error(it)), job)?;
            let blob = Blob { path: file.path().to_owned(), offset: 0, length };
            self.sources[index] = Source { blob, content: Content::Plain };
            files.push(file);
        }
        Ok(files)
    }

    fn write(
        mut self,
        format: Format,
        manifest: &Digest,
        folder: &LayersFolder,
        lock: &PartialFile,
        job: &Job,
    ) -> Result<(Unpublished, Assembled)> {
        let compressed: u64 = self.sources.iter().map(|source| source.blob.length).sum();
        let estimate = if format == Format::Tar { self.plain_size } else { compressed };
        // Told first, so that whoever sees the stage knows what it is about.
        job.observer().wrote(0, estimate);
        job.observer().stage(Stage::Finishing);
        lock.expect_room(estimate)?;
        let unpacked = self.unpack(folder, lock, estimate, job)?;
        let mut file = folder.create_archive()?;
        let output = file.file().try_clone().map_err(|error| lock.write_error(error))?;
        let flush = BackgroundFlush::new(file.path());
        let writing = Pipe::start(move |pieces| write_and_hash(output, flush, &pieces));
        let mut size = 0;
        let mut told = 0;
        let mut sink = |bytes: Vec<u8>| {
            job.expect_not_cancelled()?;
            size += bytes.len() as u64;
            let spare = writing.put(bytes)?;
            if size - told >= TOLD_AFTER {
                told = size;
                job.observer().wrote(size, estimate);
            }
            Ok(spare)
        };
        let archive = Archive { sources: Arc::new(self.sources), plan: self.plan, format, digest: manifest.clone() };
        let written = write_archive(archive, &mut sink, job);
        let hash = writing.finish()?.map_err(|error| lock.write_error(error))??;
        let written = written?;
        drop(unpacked);
        for (name, count) in &written.dropped {
            job.verbose(format!("Left out of {count} entries, because WSL does not take it: {name}."));
        }
        job.observer().wrote(size, size);
        file.file().sync_all().map_err(|error| lock.write_error(error))?;
        job.expect_not_cancelled()?;
        Ok((file, Assembled { hash, size }))
    }
}

/// Writes what comes, hashes it on one more thread, and returns the SHA-256 in hexadecimal digits.
fn write_and_hash(mut output: File, mut flush: BackgroundFlush, pieces: &Pieces) -> io::Result<Result<String>> {
    let hashing = Pipe::start(Pieces::sha256);
    while let Some(piece) = pieces.next() {
        output.write_all(&piece)?;
        flush.wrote(piece.len() as u64);
        match hashing.put(piece) {
            Ok(spare) => pieces.give_back(spare),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(hashing.finish())
}

/// An archive that has its final name.
pub(super) struct Assembled {
    pub(super) hash: String,
    pub(super) size: u64,
}
