//! The entries of a layer, from when it is read until it is merged.

use std::vec;

use super::entry::{Entry, Kind, Needs};

/// By how many bytes a list grows: what it has is never moved, and is given back chunk by chunk.
const CHUNK: usize = 64 << 10;

/// The entries of a layer in their order, in some 30 bytes each: numbers as differences from the entry before, names
/// without the beginning that they share with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerEntries {
    chunks: Vec<Vec<u8>>,
    count: usize,
    last_end: u64,
    last_name: Vec<u8>,
    last_link: Vec<u8>,
    encoded: Vec<u8>,
}

impl LayerEntries {
    pub(crate) fn push(&mut self, entry: &Entry) {
        self.encoded.clear();
        self.encoded.push(flags(entry));
        // Wrapping, so that whatever the numbers are, they come back.
        for number in [
            entry.start.wrapping_sub(self.last_end),
            entry.data.wrapping_sub(entry.start),
            entry.end.wrapping_sub(entry.data),
        ] {
            put_number(&mut self.encoded, number);
        }
        put_text(&mut self.encoded, &mut self.last_name, &entry.name);
        if has_link(entry.kind) {
            put_text(&mut self.encoded, &mut self.last_link, &entry.link);
        }
        self.last_end = entry.end;
        self.count += 1;
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() + self.encoded.len() <= chunk.capacity() => {
                chunk.extend_from_slice(&self.encoded);
            }
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK.max(self.encoded.len()));
                chunk.extend_from_slice(&self.encoded);
                self.chunks.push(chunk);
            }
        }
    }

    /// About how much memory the list takes.
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Where the last entry ends; 0 when there is none.
    #[cfg(test)]
    pub(crate) fn end(&self) -> u64 {
        self.last_end
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> Reader<std::slice::Iter<'_, Vec<u8>>> {
        Reader::new(self.chunks.iter())
    }

    /// Reads the list and frees what was read.
    pub(crate) fn into_reader(self) -> Reader<vec::IntoIter<Vec<u8>>> {
        Reader::new(self.chunks.into_iter())
    }
}

/// The list's entries in their order.
pub(crate) struct Reader<I: Iterator> {
    chunks: I,
    chunk: Option<I::Item>,
    at: usize,
    entry: Entry,
    last_link: Vec<u8>,
}

impl<I: Iterator<Item: AsRef<[u8]>>> Reader<I> {
    fn new(chunks: I) -> Self {
        let entry = Entry {
            kind: Kind::File,
            name: Vec::new(),
            link: Vec::new(),
            start: 0,
            data: 0,
            end: 0,
            needs: Needs::default(),
            has_xattrs: false,
        };
        Self { chunks, chunk: None, at: 0, entry, last_link: Vec::new() }
    }

    /// The next entry, in the place of the one before.
    pub(crate) fn read(&mut self) -> Option<&Entry> {
        if self.chunk.as_ref().is_none_or(|chunk| self.at >= chunk.as_ref().len()) {
            self.chunk = Some(self.chunks.next()?);
            self.at = 0;
        }
        let rest = self.chunk.as_ref()?.as_ref().get(self.at..)?;
        let mut bytes = rest;
        let (&flags, after) = bytes.split_first()?;
        bytes = after;
        set_flags(&mut self.entry, flags)?;
        self.entry.start = self.entry.end.wrapping_add(take_number(&mut bytes)?);
        self.entry.data = self.entry.start.wrapping_add(take_number(&mut bytes)?);
        self.entry.end = self.entry.data.wrapping_add(take_number(&mut bytes)?);
        take_text(&mut bytes, &mut self.entry.name)?;
        self.entry.link.clear();
        if has_link(self.entry.kind) {
            take_text(&mut bytes, &mut self.last_link)?;
            self.entry.link.extend_from_slice(&self.last_link);
        }
        self.at += rest.len() - bytes.len();
        Some(&self.entry)
    }
}

impl<I: Iterator<Item: AsRef<[u8]>>> Iterator for Reader<I> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.read().cloned()
    }
}

const KINDS: [Kind; 7] =
    [Kind::File, Kind::HardLink, Kind::Symlink, Kind::CharacterDevice, Kind::BlockDevice, Kind::Folder, Kind::Fifo];
const KIND_BITS: u8 = 0b111;
const REWRITING: u8 = 1 << 3;
const LEAVING_OUT: u8 = 1 << 4;
const XATTRS: u8 = 1 << 5;

fn has_link(kind: Kind) -> bool {
    matches!(kind, Kind::HardLink | Kind::Symlink)
}

fn flags(entry: &Entry) -> u8 {
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    let kind = KINDS.iter().zip(0..).find_map(|(kind, index)| (*kind == entry.kind).then_some(index)).unwrap_or(0);
    kind | bit(entry.needs.rewriting, REWRITING)
        | bit(entry.needs.leaving_out, LEAVING_OUT)
        | bit(entry.has_xattrs, XATTRS)
}

fn set_flags(entry: &mut Entry, flags: u8) -> Option<()> {
    entry.kind = *KINDS.get(usize::from(flags & KIND_BITS))?;
    entry.needs = Needs { rewriting: flags & REWRITING != 0, leaving_out: flags & LEAVING_OUT != 0 };
    entry.has_xattrs = flags & XATTRS != 0;
    Some(())
}

/// Seven bits a byte, the lowest first; the eighth says that another follows.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

fn put_text(bytes: &mut Vec<u8>, last: &mut Vec<u8>, text: &[u8]) {
    let shared = last.iter().zip(text).take_while(|(a, b)| a == b).count();
    let own = &text[shared..];
    put_number(bytes, shared as u64);
    put_number(bytes, own.len() as u64);
    bytes.extend_from_slice(own);
    last.truncate(shared);
    last.extend_from_slice(own);
}

fn take_text(bytes: &mut &[u8], last: &mut Vec<u8>) -> Option<()> {
    let shared = usize::try_from(take_number(bytes)?).ok()?;
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (own, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    last.truncate(shared);
    last.extend_from_slice(own);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let text = || vec(prop_oneof![Just(b'/'), Just(b'a'), Just(b'b'), any::<u8>()], 0..12);
        let number = || prop_oneof![0..5000_u64, any::<u64>()];
        (0..KINDS.len(), text(), text(), number(), number(), number(), any::<[bool; 3]>()).prop_map(
            |(kind, name, link, start, data, end, [rewriting, leaving_out, has_xattrs])| Entry {
                kind: KINDS[kind],
                name,
                link: if has_link(KINDS[kind]) { link } else { Vec::new() },
                start,
                data,
                end,
                needs: Needs { rewriting, leaving_out },
                has_xattrs,
            },
        )
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_were(entries in vec(entry(), 0..50)) {
            let mut list = LayerEntries::default();
            entries.iter().for_each(|entry| list.push(entry));
            prop_assert_eq!(list.len(), entries.len());
            prop_assert_eq!(list.end(), entries.last().map_or(0, |entry| entry.end));
            prop_assert_eq!(&list.iter().collect::<Vec<_>>(), &entries);
            prop_assert_eq!(list.into_reader().collect::<Vec<_>>(), entries);
        }
    }

    #[test]
    fn entries_of_any_length_and_number_fit() {
        let long = |length: usize| Entry {
            kind: Kind::Symlink,
            name: vec![b'n'; length],
            link: vec![b'l'; length],
            start: 0,
            data: 512,
            end: 512,
            needs: Needs::default(),
            has_xattrs: false,
        };
        let entries: Vec<Entry> = (0..400).map(|n| long(n * 1000 % 70_001)).collect();
        let mut list = LayerEntries::default();
        entries.iter().for_each(|entry| list.push(entry));
        assert!(list.iter().eq(entries));
    }
}
