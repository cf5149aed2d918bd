//! What holds for every archive.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::header;
use super::rewriting::change;
use super::*;
use crate::fuzz::expect_printable;
use crate::rootfs::entry::{Kind, Needs};

fn archive() -> Vec<u8> {
    let list: &[(&str, &[u8])] = &[("path", b"p"), ("SCHILY.xattr.user.a", &[7; 700])];
    let mut pieces = vec![file(b"a", &[1; 1500]), pax(list), file(b"b", b"x")];
    pieces.push(raw(b'g', b"g").with(&[b'g'; 600]));
    pieces.extend([long(b'L', &[b'l'; 600]), long(b'K', &[b'k'; 600]), raw(b'2', b"c").magic(GNU).bytes()]);
    pieces.extend(sparse_dialects(b"s").into_iter().map(|(_, bytes)| bytes));
    pieces.push(END.to_vec());
    pieces.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_not_matter_how_bytes_are_cut(cuts in vec(1..3000_usize, 1..20)) {
        let archive = archive();
        prop_assert_eq!(read_cut(&archive, &cuts).expect("an archive"), read(&archive).expect("an archive"));
    }
}

#[test]
fn fuzz_tar() {
    crate::fuzz::check("tar", |bytes| {
        // Few damaged headers still have their checksum, and only then does it count what they say.
        assert_eq!(read(bytes).is_ok(), read_cut(bytes, &[4000, 3]).is_ok());
        let mut signed = bytes.to_vec();
        for block in signed.as_chunks_mut::<BLOCK>().0 {
            if block[MAGIC].starts_with(b"ustar") || block[CHECKSUM].ends_with(b"\0 ") {
                let sum = format!("{:06o}\0 ", block::checksum(block));
                block[CHECKSUM].copy_from_slice(sum.as_bytes());
            }
        }
        expect_sound(&signed);
    });
}

fn expect_sound(bytes: &[u8]) {
    let whole = read(bytes);
    let cut = read_cut(bytes, &[1, 700, 33, 512]);
    let (entries, end) = match (whole, cut) {
        (Ok(whole), Ok(cut)) => {
            assert_eq!(whole, cut);
            whole
        }
        (Err(whole), Err(cut)) => {
            expect_printable(&whole);
            assert_eq!(whole.to_string(), cut.to_string());
            return;
        }
        (whole, cut) => panic!("{whole:?} in one piece, {cut:?} in several"),
    };
    let mut behind = 0;
    for entry in &entries {
        assert!(behind <= entry.start && entry.start < entry.data && entry.data <= entry.end, "{entry:?}");
        behind = entry.end;
        expect_the_same_anew(bytes, entry);
    }
    assert_eq!(end.end, behind);
    assert!(behind <= bytes.len() as u64);
}

fn expect_the_same_anew(bytes: &[u8], entry: &Entry) {
    let name: &[u8] = if entry.kind == Kind::Folder { b"n/" } else { b"n" };
    let link = match entry.kind {
        Kind::HardLink => b"l".to_vec(),
        _ => entry.link.clone(),
    };
    let original = &bytes[entry.start as usize..entry.data as usize];
    let anew = header(original, &change(entry.kind, name, &link)).expect("a header");
    let data = anew.bytes.len() as u64;
    let size = entry.end - entry.data;
    let expected = Entry {
        name: name.to_vec(),
        link,
        start: 0,
        data,
        end: data + size,
        needs: Needs { rewriting: false, ..entry.needs },
        ..entry.clone()
    };
    let again = [anew.bytes, vec![0; size as usize]].concat();
    let (found, _) = read(&again).expect("a header that is made anew is one");
    assert_eq!(found, [expected]);
}
