//! The headers of one entry, block after block.

use super::block::{self, BLOCK, Block};
use super::description::{self, Description, LongNames};
use super::main_header::MainHeader;
use super::pax::{MapForm, Pax};
use super::sparse::{DecimalMap, Sparse};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::rootfs::entry::Kind;

/// Bytes of extension headers and sparse maps of one entry; libarchive's bound for one header.
const LARGEST_EXTENSIONS: u64 = 1024 * 1024;
/// Sixteen times what Linux has.
const LONGEST_NAME: usize = 8 * 1024;
/// No entry has more than one of each.
const MOST_EXTENSIONS: u32 = 16;

/// Reads the headers of one entry.
#[derive(Debug)]
pub(super) struct Headers {
    /// Where the first header begins.
    pub(super) start: u64,
    /// Where the next block stands.
    at: u64,
    state: State,
    long: LongNames,
    pax: Option<Pax>,
    extensions: u32,
    extension_bytes: u64,
    is_odd: bool,
}

#[derive(Debug)]
enum State {
    /// A header is to come.
    Header,
    /// The data of an extension header.
    Extension { type_flag: u8, size: usize, data: Vec<u8> },
    /// Blocks that go on with an old GNU sparse map.
    GnuMap { main: Box<MainHeader>, sparse: Sparse },
    /// Blocks of data that are a sparse map.
    DecimalMap { main: Box<MainHeader>, real_size: u64, map: DecimalMap, left: u64 },
}

/// What the next block made of the headers.
#[derive(Debug)]
pub(super) enum Step {
    /// More blocks are to come.
    More,
    /// The headers end here.
    Entry(Box<Description>),
    /// It is the header of a global extension, whose data, so many bytes with padding, follow.
    Global(u64),
    /// It is zeros where a header could be.
    Zeros,
}

impl Headers {
    /// The headers that begin at the plain offset `start`.
    pub(super) fn at(start: u64) -> Self {
        Self {
            start,
            at: start,
            state: State::Header,
            long: LongNames::default(),
            pax: None,
            extensions: 0,
            extension_bytes: 0,
            is_odd: false,
        }
    }

    /// Whether nothing of an entry has come.
    pub(super) fn are_empty(&self) -> bool {
        self.at == self.start
    }

    /// What the next block makes of them.
    pub(super) fn take(&mut self, block: &Block) -> Result<Step> {
        let at = self.at;
        self.at += BLOCK as u64;
        match std::mem::replace(&mut self.state, State::Header) {
            State::Header => self.header(block).map_err(|(name, reason)| fault(at, &name, &reason)),
            State::Extension { type_flag, size, mut data } => {
                let left = size.saturating_sub(data.len());
                data.extend_from_slice(&block[..left.min(BLOCK)]);
                if data.len() < size {
                    self.state = State::Extension { type_flag, size, data };
                    return Ok(Step::More);
                }
                self.extension(type_flag, data).map_err(|reason| fault(self.start, self.known_name(), &reason))?;
                Ok(Step::More)
            }
            State::GnuMap { main, mut sparse } => {
                let name = self.name_of(&main);
                let step = self.spend(BLOCK as u64).and_then(|()| match sparse.continued_by(block)? {
                    true => {
                        self.state = State::GnuMap { main, sparse };
                        Ok(Step::More)
                    }
                    false => self.described(*main, Some, Some(sparse)),
                });
                step.map_err(|reason| fault(at, &name, &reason))
            }
            State::DecimalMap { main, real_size, mut map, left } => {
                let name = self.name_of(&main);
                let step = self.spend(BLOCK as u64).and_then(|()| {
                    let left = left.checked_sub(BLOCK as u64).ok_or("its sparse map is cut short")?;
                    if map.read(block)? {
                        let sparse = Sparse { real_size, parts: map.parts() };
                        return self.described(*main, |_| Some(left), Some(sparse));
                    }
                    self.state = State::DecimalMap { main, real_size, map, left };
                    Ok(Step::More)
                });
                step.map_err(|reason| fault(at, &name, &reason))
            }
        }
    }

    /// The failure of a layer that ends where the next block was to come.
    pub(super) fn cut(&self, end: u64) -> Error {
        fault(end, self.known_name(), "the archive ends within its headers")
    }

    fn header(&mut self, block: &Block) -> Result<Step, (Vec<u8>, String)> {
        let has_extensions = self.extensions > 0;
        if block::is_zeros(block) {
            return match has_extensions {
                true => {
                    Err((self.known_name().to_vec(), "its extension headers have no header behind them".to_owned()))
                }
                false => Ok(Step::Zeros),
            };
        }
        let main = MainHeader::read(block).map_err(|reason| (self.known_name().to_vec(), reason))?;
        let name = self.name_of(&main);
        let step = match main.type_flag {
            b'L' | b'K' | b'x' => self.begin_extension(&main),
            b'g' if has_extensions => Err("a global pax header stands between its headers".to_owned()),
            b'g' => block::padded(main.size).map(Step::Global).ok_or_else(|| "its size is too large".to_owned()),
            _ => self.main(main, block),
        };
        step.map_err(|reason| (name, reason))
    }

    fn begin_extension(&mut self, main: &MainHeader) -> Result<Step, String> {
        self.extensions += 1;
        if self.extensions > MOST_EXTENSIONS {
            return Err(format!("it has more than {MOST_EXTENSIONS} extension headers"));
        }
        self.is_odd |= main.is_odd;
        self.spend(main.size)?;
        // Cannot be larger than what may be spent.
        let size = usize::try_from(main.size).unwrap_or(usize::MAX);
        match size {
            0 => self.extension(main.type_flag, Vec::new())?,
            _ => self.state = State::Extension { type_flag: main.type_flag, size, data: Vec::new() },
        }
        Ok(Step::More)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.extension_bytes = self.extension_bytes.saturating_add(bytes);
        match self.extension_bytes > LARGEST_EXTENSIONS {
            true => Err(format!("its extension headers are larger than {LARGEST_EXTENSIONS} bytes")),
            false => Ok(()),
        }
    }

    fn extension(&mut self, type_flag: u8, data: Vec<u8>) -> Result<(), String> {
        let was_there = match type_flag {
            b'L' => self.long.name.replace(long_name(&data)?).is_some(),
            b'K' => self.long.link.replace(long_name(&data)?).is_some(),
            _ => {
                let pax = Pax::read(&data)?;
                for name in [&pax.path, &pax.link_path, &pax.sparse.name].into_iter().flatten() {
                    expect_short(name)?;
                }
                self.pax.replace(pax).is_some()
            }
        };
        // Which of two counts depends on the version of libarchive.
        self.is_odd |= was_there;
        Ok(())
    }

    fn main(&mut self, main: MainHeader, block: &Block) -> Result<Step, String> {
        let kind = main.kind(&self.name_of(&main)).ok_or_else(|| description::unknown(main.type_flag))?;
        if kind != Kind::File {
            // Whatever its size says, as Go and so Docker and containerd read it.
            return self.described(main, |_| Some(0), None);
        }
        if main.type_flag == b'S' {
            if !main.is_gnu {
                return Err("it is a sparse file of star's".to_owned());
            }
            let (sparse, goes_on) = Sparse::begun_by(block)?;
            // libarchive does not go on with a map that has not begun.
            self.is_odd |= goes_on && sparse.parts.is_empty();
            if goes_on {
                self.state = State::GnuMap { main: Box::new(main), sparse };
                return Ok(Step::More);
            }
            return self.described(main, Some, Some(sparse));
        }
        let size = self.pax.as_ref().and_then(|pax| pax.size).unwrap_or(main.size);
        let Some(records) = self.pax.as_mut().map(|pax| &mut pax.sparse).filter(|sparse| sparse.is_there) else {
            return self.described(main, Some, None);
        };
        let form = records.form()?;
        let real_size = match form {
            MapForm::Data => records.real_size.or(records.size),
            _ => records.size.or(records.real_size),
        };
        let real_size = || real_size.ok_or("it is a sparse file without its size");
        match form {
            MapForm::None => self.described(main, Some, None),
            MapForm::Records(parts) => {
                // Readers of these forms differ too much.
                self.is_odd = true;
                self.described(main, Some, Some(Sparse { real_size: real_size()?, parts }))
            }
            MapForm::Data => {
                let real_size = real_size()?;
                let map = DecimalMap::default();
                self.state = State::DecimalMap { main: Box::new(main), real_size, map, left: size };
                Ok(Step::More)
            }
        }
    }

    /// Ends the headers. `data` says how much follows, of the size that they have.
    fn described(
        &mut self,
        main: MainHeader,
        data: impl FnOnce(u64) -> Option<u64>,
        sparse: Option<Sparse>,
    ) -> Result<Step, String> {
        let pax = self.pax.take().unwrap_or_default();
        let long = std::mem::take(&mut self.long);
        let size = pax.size.unwrap_or(main.size);
        let data = data(size).ok_or("its size is wrong")?;
        let description = Description::new(main, long, pax, data, sparse, self.is_odd)?;
        expect_short(&description.name)?;
        Ok(Step::Entry(Box::new(description)))
    }

    fn name_of(&self, main: &MainHeader) -> Vec<u8> {
        let nothing = Pax::default();
        description::name(main, &self.long, self.pax.as_ref().unwrap_or(&nothing)).to_vec()
    }

    /// The name by the extension headers so far.
    fn known_name(&self) -> &[u8] {
        let names = [self.long.name.as_ref(), self.pax.as_ref().and_then(|pax| pax.path.as_ref())];
        names.into_iter().flatten().next().map_or(&[], Vec::as_slice)
    }
}

/// The name in the data of a GNU extension header.
fn long_name(data: &[u8]) -> Result<Vec<u8>, String> {
    let name = block::text(data);
    expect_short(name)?;
    Ok(name.to_vec())
}

fn expect_short(name: &[u8]) -> Result<(), String> {
    match name.len() > LONGEST_NAME {
        true => Err(format!("a name is longer than {LONGEST_NAME} bytes")),
        false => Ok(()),
    }
}

/// The failure of a layer with `reason` at the plain offset `at`, in the entry `name`, empty where it is not known.
pub(super) fn fault(at: u64, name: &[u8], reason: &str) -> Error {
    let within = match name.is_empty() {
        true => String::new(),
        false => format!(", in the entry {}", printable(&String::from_utf8_lossy(name))),
    };
    Error::new(ErrorKind::UnsupportedImage, format!("The tar archive is wrong at byte {at}{within}: {reason}"))
}
