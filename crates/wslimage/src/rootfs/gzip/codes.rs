//! The codes of one deflate block: where each begins, and how many bytes it makes, not which (RFC 1951 section 3.2).

use super::inside::Bits;

const END_OF_BLOCK: usize = 256;
/// The order of the lengths of the codes for lengths (section 3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// How many bytes the symbols from 257 on make, and how many bits follow that say how many more (section 3.2.5).
const LENGTHS: [(u16, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const LONGEST_CODE: u32 = 15;

/// Between two codes: in bits of the compressed bytes, and in plain bytes.
pub(super) type Place = (u64, u64);

/// A block of codes.
pub(super) struct Codes {
    reader: Reader,
    literals: Table,
    distances: Table,
    /// Where the bytes begin, and where the first code does, in bits of the compressed bytes.
    origin: u64,
    pub(super) begin: u64,
    /// The code that ends the block.
    pub(super) end_code: Bits,
}

impl Codes {
    /// Of the block that begins at the bit `start` of `bytes`, which stand at the bit `origin`, unless it is a stored one.
    pub(super) fn read(bytes: Vec<u8>, origin: u64, start: u64) -> Option<Self> {
        let mut reader = Reader { bytes, at: start };
        // Whether it is the last one says nothing here.
        reader.take(1);
        let lengths = match reader.take(2) {
            1 => fixed(),
            2 => dynamic(&mut reader)?,
            _ => return None,
        };
        let (literals, distances) = (Table::new(&lengths.0), Table::new(&lengths.1));
        let (code, length) = code(&lengths.0, END_OF_BLOCK)?;
        let end_code = Bits { bytes: code.to_le_bytes().to_vec(), start: 0, end: length.into() };
        let begin = origin + reader.at;
        Some(Self { reader, literals, distances, origin, begin, end_code })
    }

    /// The places before and behind the code that makes the byte `wanted`, or the first one behind it, read on from the
    /// place `from`, which is before it. Plain bytes are counted from the block's beginning.
    pub(super) fn around(&mut self, from: Place, wanted: u64) -> Option<(Place, Place)> {
        self.reader.at = from.0 - self.origin;
        let mut before = (self.reader.at, from.1);
        loop {
            // A length and a distance with the bits behind them have 48 bits at most.
            let word = self.reader.word();
            let (symbol, mut used) = self.literals.symbol(word)?;
            let count = match symbol {
                ..END_OF_BLOCK => 1,
                // Its end, which is a place too.
                END_OF_BLOCK if before.1 == wanted => 0,
                END_OF_BLOCK => return None,
                symbol => {
                    let (length, bits) = *LENGTHS.get(symbol - END_OF_BLOCK - 1)?;
                    let more = (word >> used) & ((1 << bits) - 1);
                    used += bits;
                    let (distance, own) = self.distances.symbol(word >> used)?;
                    used += own + (distance as u32 / 2).saturating_sub(1);
                    u64::from(length) + more
                }
            };
            self.reader.at += u64::from(used);
            let behind = (self.reader.at, before.1 + count);
            if behind.1 > wanted || count == 0 {
                let place = |(bit, made)| (self.origin + bit, made);
                return self.reader.is_inside().then(|| (place(before), place(behind)));
            }
            before = behind;
        }
    }
}

/// The lengths of the codes of literals and lengths, and of distances.
type Lengths = (Vec<u8>, Vec<u8>);

/// Section 3.2.6.
fn fixed() -> Lengths {
    let literals = [(8, 144), (9, 112), (7, 24), (8, 8)].into_iter().flat_map(|(length, count)| vec![length; count]);
    (literals.collect(), vec![5; 30])
}

/// Section 3.2.7.
fn dynamic(reader: &mut Reader) -> Option<Lengths> {
    let literals = reader.take(5) as usize + 257;
    let distances = reader.take(5) as usize + 1;
    let count = reader.take(4) as usize + 4;
    let mut lengths = [0; 19];
    for place in &ORDER[..count] {
        lengths[*place] = reader.take(3) as u8;
    }
    let table = Table::new(&lengths);
    let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
    while all.len() < literals + distances {
        let (symbol, length) = table.symbol(reader.word())?;
        reader.at += u64::from(length);
        let (value, times) = match symbol {
            16 => (*all.last()?, 3 + reader.take(2)),
            17 => (0, 3 + reader.take(3)),
            18 => (0, 11 + reader.take(7)),
            length => (length as u8, 1),
        };
        all.extend((0..times).map(|_| value));
    }
    let distances = all.split_off(literals);
    Some((all, distances))
}

/// The code of a symbol as it stands in the stream, its highest bit first, and its length.
fn code(lengths: &[u8], symbol: usize) -> Option<(u16, u32)> {
    all_codes(lengths).find(|(found, ..)| *found == symbol).map(|(_, code, length)| (code, length))
}

/// Symbols with their codes and the lengths of these (section 3.2.2).
fn all_codes(lengths: &[u8]) -> impl Iterator<Item = (usize, u16, u32)> {
    let mut next = [0_u32; LONGEST_CODE as usize + 2];
    for length in 1..=LONGEST_CODE as usize {
        let count = lengths.iter().filter(|it| usize::from(**it) == length).count() as u32;
        next[length + 1] = (next[length] + count) << 1;
    }
    let used = lengths.iter().enumerate().filter(|(_, length)| **length > 0);
    used.map(move |(symbol, length)| {
        let code = next[usize::from(*length)];
        next[usize::from(*length)] += 1;
        let length = u32::from(*length);
        (symbol, (code as u16).reverse_bits() >> (u16::BITS - length), length)
    })
}

/// Symbols by the bits that their codes begin with.
struct Table {
    /// A symbol above the four bits of its code's length, which is 0 where there is none.
    entries: Vec<u16>,
}

impl Table {
    fn new(lengths: &[u8]) -> Self {
        let bits = u32::from(lengths.iter().copied().max().unwrap_or(0));
        let mut entries = vec![0; 1_usize << bits];
        for (symbol, code, length) in all_codes(lengths) {
            for entry in entries.iter_mut().skip(code.into()).step_by(1 << length) {
                *entry = (symbol as u16) << 4 | length as u16;
            }
        }
        Self { entries }
    }

    /// The symbol whose code `word` begins with, and the length of that.
    fn symbol(&self, word: u64) -> Option<(usize, u32)> {
        let entry = self.entries[word as usize & (self.entries.len() - 1)];
        let length = u32::from(entry & 15);
        (length > 0).then_some((usize::from(entry >> 4), length))
    }
}

/// Takes bits; behind the end there are zeros.
struct Reader {
    bytes: Vec<u8>,
    at: u64,
}

impl Reader {
    /// The next bits, of which 57 at least are right.
    fn word(&self) -> u64 {
        let rest = self.bytes.get((self.at / 8) as usize..).unwrap_or_default();
        let word = match rest.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    fn take(&mut self, count: u32) -> u64 {
        let bits = self.word() & ((1 << count) - 1);
        self.at += u64::from(count);
        bits
    }

    fn is_inside(&self) -> bool {
        self.at <= self.bytes.len() as u64 * 8
    }
}
