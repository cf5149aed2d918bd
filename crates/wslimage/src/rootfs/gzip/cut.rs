//! Which blocks of a range of plain bytes can be copied as they are.

use std::ops::Range;

use super::WINDOW;
use super::index::GzipIndex;

/// Units of a layer that are copied whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) units: Range<usize>,
    /// The plain bytes that they stand for.
    pub(crate) plain: Range<u64>,
}

/// The units that lie in the plain bytes of `range` and refer to none before it. What is before them and behind them in
/// the range has to be compressed anew.
pub(crate) fn cut(index: &GzipIndex, range: &Range<u64>) -> Option<Cut> {
    let first = copyable_from(index, first_independent(index, range.start))?;
    let end = if range.end >= index.plain_size {
        index.units.len()
    } else {
        // The last boundary in the range; of several at one place the first, for there is nothing between them.
        let last = index.units.partition_point(|unit| unit.plain <= range.end).checked_sub(1)?;
        let place = index.units[last].plain;
        index.units.partition_point(|unit| unit.plain < place)
    };
    if first >= end {
        return None;
    }
    let plain = index.units[first].plain..index.plain_end(end);
    (!plain.is_empty()).then_some(Cut { units: first..end, plain })
}

/// The first unit from which on nothing refers to plain bytes before `start`.
fn first_independent(index: &GzipIndex, start: u64) -> usize {
    let far_enough = index.units.partition_point(|unit| unit.plain < start.saturating_add(WINDOW as u64));
    let next_member = index.members.partition_point(|member| index.units[member.first_unit].plain < start);
    match index.members.get(next_member) {
        Some(member) => far_enough.min(member.first_unit),
        None => far_enough,
    }
}

/// The first unit from `unit` on whose blocks can stand at another place in their bytes.
///
/// A stored block's data begins at a byte (RFC 1951 section 3.2.4). A unit that begins with one is put right where it is
/// copied, and from there on the bytes match; one that has it inside would be torn.
fn copyable_from(index: &GzipIndex, mut unit: usize) -> Option<usize> {
    while unit < index.units.len() {
        if index.units[unit].bit.is_multiple_of(8) {
            return Some(unit);
        }
        let first_of = |units: &[usize]| units.get(units.partition_point(|it| *it < unit)).copied();
        let member_end = index.end_of(index.member_of(unit));
        match (first_of(&index.stored_inside), first_of(&index.stored_first)) {
            (Some(inside), stored) if inside < member_end && stored.is_none_or(|stored| stored > inside) => {
                unit = inside + 1;
            }
            _ => return Some(unit),
        }
    }
    None
}
