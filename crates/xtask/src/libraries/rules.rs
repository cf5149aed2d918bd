//! What holds for every library that users get, read from the file itself.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use object::read::elf::{ElfFile64, FileHeader as _};
use object::read::pe::{DataDirectories, PeFile64, ResourceDirectory, ResourceDirectoryTable, ResourceNameOrId};
use object::{Endianness, LittleEndian, Object as _, ObjectSymbol as _, pe};

use super::{GLIBC, Library};
use crate::module;

/// The most that a DLL has, in bytes.
const SIZE: usize = 6_000_000;

/// The beginning of the names of everything that other programs may call.
const PREFIX: &str = "wslimage_";

/// Windows' own DLLs, which every Windows since 10 has.
const WINDOWS: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "crypt32.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "secur32.dll",
    "userenv.dll",
    "winhttp.dll",
    "ws2_32.dll",
];

/// How the DLLs begin that stand for a set of Windows' functions. `api-ms-win-crt-*` are the C library of Windows itself.
const WINDOWS_SETS: &str = "api-ms-win-";

/// A rule and what the library must be like.
type Rule = (&'static str, fn(&File<'_>) -> Result<()>);

const ALL: &[Rule] =
    &[("it has no symbols but the exported ones", stripped), ("it exports nothing but wslimage_*", exports)];

const LINUX: &[Rule] = &[("it runs on the C library of that version", old_glibc)];

const DLL: &[Rule] = &[
    ("it is small", small),
    ("it needs no DLL but those of Windows", imports_of_windows),
    ("addresses are random, in all of the address space, and data is not executed", hardened),
    ("it says what it is", version_information),
];

/// A library in memory.
struct File<'a> {
    bytes: &'a [u8],
    object: object::File<'a>,
}

/// Reads `library` and says of each rule whether it is kept.
pub(crate) fn check(library: &Library) -> Result<Vec<(&'static str, Result<()>)>> {
    let bytes = fs::read(&library.path).with_context(|| library.path.display().to_string())?;
    let object = object::File::parse(&*bytes).with_context(|| library.path.display().to_string())?;
    let file = File { bytes: &bytes, object };
    let own = match &file.object {
        object::File::Pe64(_) => DLL,
        object::File::Elf64(_) => LINUX,
        _ => &[],
    };
    Ok(ALL.iter().chain(own).map(|(what, rule)| (*what, rule(&file))).collect())
}

fn small(file: &File<'_>) -> Result<()> {
    ensure!(file.bytes.len() < SIZE, "it has {} bytes, {SIZE} are too many", file.bytes.len());
    Ok(())
}

fn stripped(file: &File<'_>) -> Result<()> {
    // What a library of macOS exports and imports stands in the same table as the rest.
    let is_macos = matches!(file.object, object::File::MachO64(_));
    let count = file.object.symbols().filter(|symbol| !is_macos || symbol.is_local()).count();
    ensure!(count == 0, "it has {count} symbols");
    Ok(())
}

fn exports(file: &File<'_>) -> Result<()> {
    let mut names = Vec::new();
    for export in file.object.exports()? {
        let export = export?;
        let name = export.name();
        // macOS puts a line before each name.
        let name = String::from_utf8_lossy(name.name().context("an export without a name")?);
        names.push(name.strip_prefix('_').unwrap_or(&name).to_owned());
    }
    ensure!(!names.is_empty(), "it exports nothing");
    names.retain(|name| !name.starts_with(PREFIX));
    ensure!(names.is_empty(), "it exports {}", names.join(" "));
    Ok(())
}

fn old_glibc(file: &File<'_>) -> Result<()> {
    let object::File::Elf64(elf) = &file.object else { bail!("it is not of Linux") };
    let newer = glibc_versions(elf)?.into_iter().filter(|version| *version > GLIBC).max();
    ensure!(newer.is_none(), "it needs glibc {newer:?}, and {GLIBC:?} is all that may be needed");
    Ok(())
}

/// All versions of the C library whose symbols it imports.
fn glibc_versions(elf: &ElfFile64<'_, Endianness>) -> Result<Vec<(u32, u32)>> {
    let (header, data) = (elf.elf_header(), elf.data());
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let (mut needs, link) = sections.gnu_verneed(endian, data)?.context("it names no versions of libraries")?;
    let strings = sections.strings(endian, data, link)?;
    let mut versions = Vec::new();
    while let Some((_, mut entries)) = needs.next()? {
        while let Some(entry) = entries.next()? {
            let name = String::from_utf8_lossy(entry.name(endian, strings)?).into_owned();
            let Some(numbers) = name.strip_prefix("GLIBC_") else { continue };
            let mut numbers = numbers.split('.').map(|number| number.parse().unwrap_or(u32::MAX));
            versions.push((numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0)));
        }
    }
    ensure!(!versions.is_empty(), "it imports nothing of glibc");
    Ok(versions)
}

fn imports_of_windows(file: &File<'_>) -> Result<()> {
    let pe = pe(file)?;
    let table = pe.import_table()?.context("it imports nothing")?;
    let mut descriptors = table.descriptors()?;
    let mut foreign = Vec::new();
    while let Some(descriptor) = descriptors.next()? {
        let name = String::from_utf8_lossy(table.name(descriptor.name.get(LittleEndian))?).to_lowercase();
        if !WINDOWS.contains(&name.as_str()) && !name.starts_with(WINDOWS_SETS) {
            foreign.push(name);
        }
    }
    ensure!(foreign.is_empty(), "it needs {}", foreign.join(" "));
    Ok(())
}

fn hardened(file: &File<'_>) -> Result<()> {
    let header = &pe(file)?.nt_headers().optional_header;
    let flags = header.dll_characteristics.get(LittleEndian);
    for (flag, name) in [
        (pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, "ASLR"),
        (pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, "ASLR in 64 bits"),
        (pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT, "DEP"),
    ] {
        ensure!(flags.0 & flag.0 != 0, "it is without {name}");
    }
    Ok(())
}

/// The resource that Windows shows in the file's properties has the product's name and the version of Cargo.toml.
fn version_information(file: &File<'_>) -> Result<()> {
    let pe = pe(file)?;
    let directories: DataDirectories<'_> = pe.data_directories();
    let sections = pe.section_table();
    let resources = directories.resource_directory(file.bytes, &sections)?.context("it has no resources")?;
    let version = resources
        .root()?
        .entries
        .iter()
        .find(|entry| matches!(entry.name_or_id(), ResourceNameOrId::Id(id) if id == pe::RT_VERSION));
    let entry = version.context("it has no VERSIONINFO")?.data(resources)?.table().context("no table of versions")?;
    let data = first_data(resources, entry)?;
    let address = data.offset_to_data.get(LittleEndian);
    let bytes = sections.pe_data_at(file.bytes, address).context("its VERSIONINFO lies nowhere")?;
    let bytes = bytes.get(..data.size.get(LittleEndian) as usize).context("its VERSIONINFO is cut")?;
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let text = String::from_utf16_lossy(&units);
    for (key, value) in [
        ("ProductName", "WslImage"),
        ("ProductVersion", module::VERSION),
        ("FileVersion", module::VERSION),
        ("OriginalFilename", "wslimage.dll"),
    ] {
        let found = text.split_once(key).map(|(_, rest)| rest.trim_start_matches('\0'));
        ensure!(found.is_some_and(|rest| rest.starts_with(&format!("{value}\0"))), "its {key} is not {value}");
    }
    Ok(())
}

/// The first resource below `table`: there is one of the kind, in one language.
fn first_data<'a>(
    resources: ResourceDirectory<'a>,
    mut table: ResourceDirectoryTable<'a>,
) -> Result<&'a pe::ImageResourceDataEntry> {
    loop {
        let entry = table.entries.first().context("an empty table of resources")?.data(resources)?;
        if let Some(data) = entry.clone().data() {
            return Ok(data);
        }
        table = entry.table().context("neither a table nor a resource")?;
    }
}

fn pe<'a, 'b>(file: &'b File<'a>) -> Result<&'b PeFile64<'a>> {
    match &file.object {
        object::File::Pe64(pe) => Ok(pe),
        _ => bail!("it is not of Windows"),
    }
}
