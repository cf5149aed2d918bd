//! The header of a gzip member (RFC 1952 section 2.3).

use super::Damaged;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FIXED: u32 = 10;
const HAS_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;
/// Names and comments end at their NUL: somebody could leave it away.
const LONGEST: u32 = 1024 * 1024;

/// A header of which more and more bytes are read.
#[derive(Debug, Default)]
pub(super) struct Header {
    length: u32,
    flags: u8,
    field: Field,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Fixed,
    ExtraLength {
        low: Option<u8>,
    },
    Extra {
        left: u16,
    },
    Name,
    Comment,
    Crc {
        left: u8,
    },
    Done,
}

impl Header {
    /// Takes a byte and says whether it was the last one.
    pub(super) fn push(&mut self, byte: u8) -> Result<bool, Damaged> {
        let at = self.length as usize;
        self.length += 1;
        if MAGIC.get(at).is_some_and(|expected| *expected != byte) || self.length > LONGEST {
            return Err(Damaged::Header);
        }
        if at == MAGIC.len() {
            self.flags = byte;
            if byte & RESERVED != 0 {
                return Err(Damaged::Header);
            }
        }
        let is_over = match &mut self.field {
            Field::Fixed => self.length == FIXED,
            Field::ExtraLength { low: None } => {
                self.field = Field::ExtraLength { low: Some(byte) };
                false
            }
            Field::ExtraLength { low: Some(low) } => {
                let left = u16::from_le_bytes([*low, byte]);
                self.field = Field::Extra { left };
                left == 0
            }
            Field::Extra { left } => {
                *left -= 1;
                *left == 0
            }
            Field::Name | Field::Comment => byte == 0,
            Field::Crc { left } => {
                *left -= 1;
                *left == 0
            }
            Field::Done => true,
        };
        if is_over {
            self.field = self.field.next(self.flags);
        }
        Ok(self.field == Field::Done)
    }

    pub(super) fn is_begun(&self) -> bool {
        self.length > 0
    }
}

impl Field {
    /// The next one that a header with `flags` has.
    fn next(self, flags: u8) -> Self {
        let order = [
            (HAS_EXTRA, Self::ExtraLength { low: None }),
            (HAS_NAME, Self::Name),
            (HAS_COMMENT, Self::Comment),
            (HAS_CRC, Self::Crc { left: 2 }),
        ];
        let passed = match self {
            Self::Fixed => 0,
            Self::ExtraLength { .. } | Self::Extra { .. } => 1,
            Self::Name => 2,
            Self::Comment => 3,
            Self::Crc { .. } | Self::Done => 4,
        };
        order[passed..].iter().find(|(flag, _)| flags & flag != 0).map_or(Self::Done, |(_, field)| *field)
    }
}
