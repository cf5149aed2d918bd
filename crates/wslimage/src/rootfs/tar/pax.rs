//! The records of a pax extended header (POSIX pax, "pax Extended Header"), with GNU's, star's and libarchive's keywords.

use super::number;
use super::sparse::pairs;
use super::xattr::Xattr;

/// More than any file system of Linux keeps of a file.
const MOST_XATTRS: usize = 1000;

/// Older libarchive refuses longer records.
const LONGEST_RECORD: usize = 999_999;
/// Newer libarchive refuses longer beginnings of records, keyword and `=` included.
const LONGEST_BEGINNING: usize = 511;
const LONGEST_OWNER: usize = 255;

/// What the records say. An empty value takes its record back, so that the header's own counts.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<i64>,
    pub(super) gid: Option<i64>,
    pub(super) time: Option<Time>,
    pub(super) uname: Option<Vec<u8>>,
    pub(super) gname: Option<Vec<u8>>,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) sparse: PaxSparse,
    pub(super) has_acl: bool,
    pub(super) has_file_flags: bool,
    /// star's records of device numbers, which only libarchive puts before the header's.
    pub(super) has_device: bool,
    /// Whether bsdtar makes something else of the records.
    pub(super) is_odd: bool,
    is_binary: bool,
}

/// A time in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// Rounded down.
    pub(super) seconds: i64,
    /// The record's value, where it has more than the seconds.
    pub(super) verbatim: Option<Vec<u8>>,
}

/// GNU's records of sparse files.
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    pub(super) is_there: bool,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) real_size: Option<u64>,
    /// Of 0.0, offsets and lengths.
    pub(super) numbers: Vec<u64>,
    /// Of 0.1.
    pub(super) map: Option<Vec<(u64, u64)>>,
    major: Option<u64>,
    minor: Option<u64>,
}

/// How a sparse file's map is written.
pub(super) enum MapForm {
    /// There is none.
    None,
    /// 0.0 or 0.1: in the records.
    Records(Vec<(u64, u64)>),
    /// 1.0: in front of the data.
    Data,
}

impl Pax {
    /// What the records are, or what is wrong with them.
    pub(super) fn read(records: &[u8]) -> Result<Self, String> {
        let mut pax = Self::default();
        let mut rest = records;
        while !rest.is_empty() {
            let (record, behind) = split_record(rest).ok_or("its pax records are malformed")?;
            let is_long = rest.len() - behind.len() > LONGEST_RECORD;
            rest = behind;
            let equals = record.iter().position(|byte| *byte == b'=').unwrap_or_default();
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            // Seven digits and a space are in front.
            pax.is_odd |= is_long || key.len() + 8 > LONGEST_BEGINNING;
            pax.add(key, value)?;
        }
        let texts = [&pax.path, &pax.link_path, &pax.uname, &pax.gname, &pax.sparse.name];
        let is_ascii = texts.iter().all(|text| text.as_ref().is_none_or(|text| text.is_ascii()));
        pax.is_odd |= !is_ascii && !pax.is_binary;
        Ok(pax)
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let is_text = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname" | b"GNU.sparse.name");
        if key.contains(&0) || (is_text && value.contains(&0)) {
            return Err("its pax records have a zero byte in a name".to_owned());
        }
        if let Some(keyword) = key.strip_prefix(b"GNU.sparse") {
            return self.sparse.add(keyword, value);
        }
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            return self.add_xattr(Xattr::schily(name, value));
        }
        if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            // Nobody else knows these.
            self.is_odd = true;
            return self.add_xattr(Xattr::libarchive(name, value));
        }
        let text = (!value.is_empty()).then(|| value.to_vec());
        // GNU tar takes an empty name for one.
        self.is_odd |= is_text && text.is_none();
        match key {
            b"path" => self.path = text,
            b"linkpath" => self.link_path = text,
            b"uname" | b"gname" => {
                self.is_odd |= value.len() > LONGEST_OWNER;
                *(if key == b"uname" { &mut self.uname } else { &mut self.gname }) = text;
            }
            b"size" | b"uid" | b"gid" | b"mtime" if value.is_empty() => {
                // libarchive reads a 0.
                self.is_odd = true;
                match key {
                    b"size" => self.size = None,
                    b"uid" => self.uid = None,
                    b"gid" => self.gid = None,
                    _ => self.time = None,
                }
            }
            b"size" => {
                let size = number::signed_decimal(value).and_then(|size| u64::try_from(size).ok());
                self.size = Some(size.ok_or("the size in its pax records is not a number")?);
            }
            b"uid" | b"gid" => {
                let id = number::signed_decimal(value).ok_or("the owner in its pax records is not a number")?;
                *(if key == b"uid" { &mut self.uid } else { &mut self.gid }) = Some(id);
            }
            b"mtime" => {
                let time = Time::read(value).ok_or("the time in its pax records is not a number")?;
                // libarchive subtracts the whole seconds and adds the fraction.
                self.is_odd |= value.starts_with(b"-") && value.contains(&b'.');
                self.time = Some(time);
            }
            b"atime" | b"ctime" | b"LIBARCHIVE.creationtime" => self.is_odd |= Time::read(value).is_none(),
            b"hdrcharset" => {
                self.is_binary = value == b"BINARY";
                self.is_odd |= !self.is_binary && value != b"ISO-IR 10646 2000 UTF-8";
            }
            b"LIBARCHIVE.symlinktype" => self.is_odd |= !matches!(value, b"file" | b"dir"),
            b"RHT.security.selinux" => self.add_xattr(Xattr::schily(b"security.selinux", value))?,
            b"SCHILY.fflags" => self.has_file_flags = true,
            b"SCHILY.devmajor" | b"SCHILY.devminor" => {
                self.has_device = true;
                self.is_odd |= number::decimal(value).is_none();
            }
            b"SCHILY.dev" | b"SCHILY.ino" | b"SCHILY.nlink" => {
                self.is_odd |= number::signed_decimal(value).is_none_or(i64::is_negative);
            }
            // star's and Solaris' sparse files, whose data have their holes here.
            b"SCHILY.realsize" | b"SUN.holesdata" => self.is_odd = true,
            _ if key.starts_with(b"SCHILY.acl.") => self.has_acl = true,
            _ => {}
        }
        Ok(())
    }

    fn add_xattr(&mut self, xattr: Xattr) -> Result<(), String> {
        let Some(known) = self.xattrs.iter_mut().find(|known| known.name == xattr.name) else {
            self.xattrs.push(xattr);
            return match self.xattrs.len() > MOST_XATTRS {
                true => Err(format!("it has more than {MOST_XATTRS} extended attributes")),
                false => Ok(()),
            };
        };
        // Which of them libarchive sets last depends on its version.
        self.is_odd |= known.value != xattr.value;
        if xattr.is_schily || !known.is_schily {
            *known = xattr;
        }
        Ok(())
    }
}

/// The record at the beginning of `records`, without its length and newline, and what is behind it.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = records.iter().take(8).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number::decimal(&records[..digits])?).ok()?;
    let record = records.get(digits + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    (equals > 0).then_some((record, &records[length..]))
}

impl Time {
    fn read(value: &[u8]) -> Option<Self> {
        let mut halves = value.splitn(2, |byte| *byte == b'.');
        let whole = halves.next()?;
        let seconds = number::signed_decimal(whole)?;
        let fraction = halves.next().unwrap_or_default();
        // What libarchive takes for the time at all.
        if value.len() > 128 || !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let is_whole = fraction.iter().all(|digit| *digit == b'0');
        let is_negative = whole.starts_with(b"-");
        Some(match (is_whole, is_negative) {
            (true, _) => Self { seconds, verbatim: None },
            (false, false) => Self { seconds, verbatim: Some(value.to_vec()) },
            (false, true) => Self { seconds: seconds.checked_sub(1)?, verbatim: None },
        })
    }
}

impl PaxSparse {
    fn add(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), String> {
        self.is_there = true;
        let number = || number::decimal(value).ok_or("a record of its sparse map is not a number");
        match keyword {
            b".name" => self.name = (!value.is_empty()).then(|| value.to_vec()),
            b".size" => self.size = Some(number()?),
            b".realsize" => self.real_size = Some(number()?),
            b".major" => self.major = Some(number()?),
            b".minor" => self.minor = Some(number()?),
            b".offset" | b".numbytes" => {
                let is_offset = keyword == b".offset";
                if self.numbers.len().is_multiple_of(2) != is_offset {
                    return Err("the records of its sparse map are out of order".to_owned());
                }
                self.numbers.push(number()?);
            }
            b".map" if value.is_empty() => self.map = Some(Vec::new()),
            b".map" => {
                let numbers: Option<Vec<u64>> = value.split(|byte| *byte == b',').map(number::decimal).collect();
                let numbers = numbers.filter(|numbers| numbers.len().is_multiple_of(2));
                self.map = Some(pairs(&numbers.ok_or("its sparse map is not pairs of numbers")?));
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the map is.
    pub(super) fn form(&mut self) -> Result<MapForm, String> {
        match (self.major, self.minor) {
            (Some(1), Some(0)) => Ok(MapForm::Data),
            (None, None) | (Some(0), Some(0 | 1)) => Ok(match self.map.take() {
                Some(map) => MapForm::Records(map),
                None if self.numbers.is_empty() => MapForm::None,
                None => MapForm::Records(pairs(&self.numbers)),
            }),
            _ => Err("it is a sparse file of a form that is not known".to_owned()),
        }
    }

    /// Whether bsdtar reads the records of a file of the form 1.0 in the same way: it takes `GNU.sparse.size` for
    /// something else in some versions, and either form's map for the other's.
    pub(super) fn is_plain(&self) -> bool {
        self.size.is_none() && self.numbers.is_empty() && self.map.is_none()
    }
}

/// Appends a record.
pub(super) fn write_record(key: &[u8], value: &[u8], records: &mut Vec<u8>) {
    // A space, an equals sign, a newline.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}
