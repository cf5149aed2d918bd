//! The rules, one by one.

use crate::error::ErrorKind;
use crate::rootfs::entry::Kind;
use crate::rootfs::plan::{Piece, Plan};

use super::extract::{extract, shown};
use super::language::{Layers, layers, merge};

/// The pieces as text: `2[a/ a/b]` copies entries of layer 2, `2:` the data of one; `(f a)` is a header made anew, `(a/)`
/// a missing folder.
fn pieces(plan: &Plan, layers: &Layers) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let show = |piece: Piece| match piece {
        Piece::Copy { layer, range } => {
            let entries = layers[layer].iter().filter(|entry| range.contains(&entry.start));
            let names: Vec<String> = entries.map(|entry| text(&entry.name)).collect();
            let is_data = layers[layer].iter().all(|entry| entry.start != range.start);
            format!("{}{}[{}]", layer + 1, if is_data { ":" } else { "" }, names.join(" ")).replace(":[]", ":")
        }
        Piece::Header { layer, change, .. } => {
            let kind = match change.kind {
                Kind::File => "f",
                Kind::HardLink => "h",
                Kind::Symlink => "l",
                Kind::CharacterDevice => "c",
                Kind::BlockDevice => "b",
                Kind::Folder => "d",
                Kind::Fifo => "p",
            };
            let link = if change.link.is_empty() { String::new() } else { format!(" {}", text(&change.link)) };
            format!("{}({kind} {}{link})", layer + 1, text(&change.name))
        }
        Piece::Folder { name } => format!("({})", text(&name)),
    };
    plan.pieces().map(show).collect::<Vec<_>>().join(" ")
}

fn check(cases: &[(&str, &str, &str)]) {
    for (text, expected_things, expected_pieces) in cases {
        let layers = layers(text);
        let plan = merge(&layers).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(pieces(&plan, &layers), *expected_pieces, "{text}");
        assert_eq!(shown(&extract(&plan, &layers)), *expected_things, "{text}");
    }
}

#[test]
fn names_are_clean_in_the_archive() {
    check(&[
        ("", "", ""),
        ("d ./; d ./a/; f ./a/b", "./@1 a/@1 a/b@1", "1[./ ./a/ ./a/b]"),
        ("d .; d a; f a/b", "./@1 a/@1 a/b@1", "1[. a a/b]"),
        ("d /; d /a; f b", "./@1 a/@1 b@1", "1(d ./) 1(d a/) 1[b]"),
        ("d ", "./@1", "1(d ./)"),
        ("d a//; f a//b; f a/../c; p ./d", "a/@1 a/b@1 c@1 d@1", "1(d a/) 1(f a/b) 1: 1(f c) 1:[./d]"),
        ("f a/", "a@1", "1(f a) 1:"),
        ("f a; f b +r; f c", "a@1 b@1 c@1", "1[a] 1(f b) 1:[c]"),
        ("f a; g; f b", "a@1 b@1", "1[a] 1[b]"),
        ("f .; l / -> a; h ./ => x; f a", "a@1", "1[a]"),
    ]);
}

#[test]
fn parents_are_followed_through_links_and_made_when_missing() {
    check(&[
        ("d usr/; l lib -> usr; f lib/a; f b", "b@1 lib@1 usr/@1 usr/a@1", "1[usr/ lib] 1(f usr/a) 1:[b]"),
        ("l lib -> /usr/../../x/./y; f lib/a", "lib@1 x/@0 x/y/@0 x/y/a@1", "1[lib] (x/) (x/y/) 1(f x/y/a) 1:"),
        ("l a -> no/../b; f a/c", "a@1 b/@0 b/c@1", "1[a] (b/) 1(f b/c) 1:"),
        (
            "d a/; l a/b -> ../c; d c/; d a/b/d/; f a/b/d/e",
            "a/@1 a/b@1 c/@1 c/d/@1 c/d/e@1",
            "1[a/ a/b c/] 1(d c/d/) 1(f c/d/e) 1:",
        ),
        ("l a -> b; h c => a; f c/d", "a@1 b/@0 b/d@1 c@1", "1[a] 1(l c b) (b/) 1(f b/d) 1:"),
        ("f a/b/c; f a/d", "a/@0 a/b/@0 a/b/c@1 a/d@1", "(a/) (a/b/) 1[a/b/c a/d]"),
        ("f a/b; d a/; f c", "a/@1 a/b@1 c@1", "1[a/] 1[a/b a/ c]"),
        ("f a/b; d a/ +r; f c", "a/@1 a/b@1 c@1", "1(d a/) 1[a/b] 1[c]"),
        ("f a/b | w a/b", "a/@0", "(a/)"),
        (
            "f c | l lib -> usr/lib | f lib/a | d usr/; d usr/lib/",
            "c@1 lib@2 usr/@4 usr/lib/@4 usr/lib/a@3",
            "1[c] 2[lib] 4[usr/ usr/lib/] 3(f usr/lib/a) 3: 4[usr/ usr/lib/]",
        ),
    ]);
}

#[test]
fn later_entries_replace_earlier_ones() {
    check(&[
        ("d a/; f a/b | d a/; f c", "a/@2 a/b@1 c@2", "1[a/ a/b] 2[a/ c]"),
        ("d a/ +x; f a/b | d a/", "a/@2 a/b@1", "2[a/] 1[a/b] 2[a/]"),
        ("d a/; f a/b | d a/ +x", "a/@2 a/b@1", "1[a/ a/b] 2[a/]"),
        ("d a/ +x; f b | d a/ +x +r", "a/@2 b@1", "2(d a/) 1[b]"),
        ("d ./ +x; f b | d ./", "./@2 b@1", "1[b] 2[./]"),
        ("f a; f a; f b", "a@1 b@1", "1[a b]"),
        ("d a/; d a/b/; f a/b/c; f d | f a", "a@2 d@1", "1[d] 2[a]"),
        ("d u/; f u/x; l l -> u | d l/; f l/y", "l/@2 l/y@2 u/@1 u/x@1", "1[u/ u/x] 2[l/ l/y]"),
        ("d a/; f a/b; f c | w a | d a/; f a/d", "a/@3 a/d@3 c@1", "1[c] 3[a/ a/d]"),
        ("d a/ +x; f a/b | f a | d a/", "a/@3", "3[a/]"),
        ("l a -> b; f a; d b/", "a@1 b/@1", "1[a b/]"),
    ]);
}

#[test]
fn whiteouts_remove_what_lower_layers_have() {
    check(&[
        ("f a; f b; f c | w b", "a@1 c@1", "1[a] 1[c]"),
        ("d a/; f a/b; d a/c/; f a/c/d; f e | w a", "e@1", "1[e]"),
        ("f a | f a; w a", "a@2", "2[a]"),
        ("f a | w a; f a", "a@2", "2[a]"),
        ("d a/; f a/b; d a/c/; f a/c/d | f a/c/e; w a", "a/@1 a/c/@1 a/c/e@2", "1[a/] 1[a/c/] 2[a/c/e]"),
        ("d a/; f a/b | w a; f a/c", "a/@0 a/c@2", "(a/) 2[a/c]"),
        ("d a/; f a/b | d a/; w a", "a/@2", "1[a/] 2[a/]"),
        ("d a/; f a/b | o a; f a/c; o a", "a/@1 a/c@2", "1[a/] 2[a/c]"),
        ("d a/; f a/b | f a/c; o a", "a/@1 a/c@2", "1[a/] 2[a/c]"),
        ("d a/; d a/b/ | o a/b; w a/b; w a", "", ""),
        ("f a | w a/b; o a", "a@1", "1[a]"),
        ("f a; d b/ | f c; o ", "c@2", "2[c]"),
        ("d u/; f u/a; l l -> u | w l/a", "l@1 u/@1", "1[u/] 1[l]"),
        ("d u/; f u/a; l l -> u | o l", "l@1 u/@1", "1[u/] 1[l]"),
        ("d u/; f u/a; l l -> u | w l", "u/@1 u/a@1", "1[u/ u/a]"),
        ("f a | w b; w c/d; o e", "a@1", "1[a]"),
        ("f .wh..wh.plnk; f a/.wh..wh.x; f a", "a@1", "1[a]"),
        ("f .wh.; f .wh..; f .wh...; f .wh.a/b; f .wh.a/b/c; f a", "a@1", "1[a]"),
    ]);
}

#[test]
fn hard_links_follow_their_inode() {
    check(&[
        ("f a; h b => a; h ./c => ./a", "a@1 b=a c=a", "1[a b ./c]"),
        ("f a; h b => /a; h c => b", "a@1 b=a c=a", "1[a] 1(h b a) 1(h c a)"),
        ("d u/; l l -> u; f u/a; h b => l/a", "b=u/a l@1 u/@1 u/a@1", "1[u/ l u/a] 1(h b u/a)"),
        ("f a; h b => a; h c => a | w a", "b@1 c=b", "1(f b) 1: 1(h c b)"),
        ("f a; h b => a; h c => a | f a", "a@2 b@1 c=b", "1(f b) 1: 1(h c b) 2[a]"),
        ("f a; h d/b => a; f a", "a@1 d/@0 d/b@1", "(d/) 1(f d/b) 1: 1[a]"),
        ("f a; h b => a | w a | h a => b", "a=b b@1", "1(f b) 1: 3[a]"),
        ("l a -> x; h b => a", "a@1 b@1", "1[a] 1(l b x)"),
        ("c a; h b => a; p c; h d => c", "a@1 b@1 c@1 d@1", "1[a] 1(c b) 1[c] 1(p d)"),
        ("f a; h a => a; h b => a; h b => a; h a => b", "a@1 b=a", "1[a] 1[b]"),
        ("d d/; f d/a; h d => d/a", "d@1", "1(f d) 1:"),
        ("f a; h b => a +r", "a@1 b=a", "1[a] 1(h b a)"),
        ("z a; h b => a; f c", "c@1", "1[c]"),
    ]);
}

#[test]
fn what_makes_nothing_is_told_in_a_line_a_kind() {
    let cases: [(&str, &[&str]); 5] = [
        ("f a | w a; o ; f .wh..wh.aufs", &[]),
        ("z a | f a", &[]),
        (
            "z a; z b/c; z d; z e; z f",
            &["Left out, 5 character devices 0:0, by which overlayfs says that a file is gone: a, b/c, d and 2 more"],
        ),
        ("f ./; f a/..", &["Left out, 2 entries with the name of the root that are no folders: ./, a/.."]),
        (
            "f .wh.; d .wh.\u{1b}; f .wh.\u{1b}/a",
            &[
                "Left out, 1 entries below names that begin with .wh., which mark what is gone: .wh.·/a",
                "Left out, 1 markers of something gone without its name: .wh.",
            ],
        ),
    ];
    for (text, notices) in cases {
        assert_eq!(merge(&layers(text)).expect(text).notices, notices, "{text}");
    }
}

#[test]
fn what_cannot_be_applied_is_refused_by_name() {
    let (long_name, long_path) = (format!("f {}", "x".repeat(256)), format!("f {}x", "y/".repeat(2048)));
    let cases: [(&str, &str); 16] = [
        ("f a | f b; f ../b", "The entry ../b of layer 2 has a name whose .. leaves the root"),
        ("d /..", "The entry /.. of layer 1 has a name whose .. leaves the root"),
        ("w ../a", "The entry ../.wh.a of layer 1 has a name whose .. leaves the root"),
        ("f a; f a/b", "The entry a/b of layer 1 leads through a, which is not a folder"),
        ("p a; l b -> a/c; f b/d", "The entry b/d of layer 1 leads through a, which is not a folder"),
        ("f a; l b -> a/../c; f b/d", "The entry b/d of layer 1 leads through a, which is not a folder"),
        ("l a -> b; l b -> a; f a/c", "The entry a/c of layer 1 leads through more than 255 symbolic links"),
        ("l a -> a; w a/c", "The entry a/.wh.c of layer 1 leads through more than 255 symbolic links"),
        ("l a", "The entry a of layer 1 is a symbolic link without a target"),
        ("h a => b", "The entry a of layer 1 is a hard link to b, which does not exist"),
        ("h a => b/c", "The entry a of layer 1 is a hard link to b/c, which does not exist"),
        ("d b/; h a => b", "The entry a of layer 1 is a hard link to b, which is a folder"),
        ("h a => /", "The entry a of layer 1 is a hard link to /, which is a folder"),
        ("h a => ../b", "The entry a of layer 1 is a hard link to ../b, whose .. leaves the root"),
        (&long_name, "of layer 1 has a component of more than 255 bytes"),
        (&long_path, "of layer 1 has a path of more than 4095 bytes"),
    ];
    for (text, message) in cases {
        let error = merge(&layers(text)).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::UnsupportedImage);
        assert!(error.to_string().ends_with(message), "{text}: {error}");
        crate::fuzz::expect_printable(&error);
    }
}

#[test]
fn reasons_for_a_change_have_words() {
    let cases: [(&str, &str); 19] = [
        ("", ""),
        ("d ./; d a/; f a/b; h c => a/b; d a/", ""),
        ("f a | f b", "several layers"),
        ("f a; w b", "a whiteout"),
        ("f a; f .wh..wh.aufs; f .", "an entry that makes nothing"),
        ("f a; f a", "an entry that is gone or replaced later"),
        ("f a; h b => a; h b => a", "an entry that is gone or replaced later"),
        ("f a; z b", "a device 0:0"),
        ("g; f a", "a header for all entries"),
        ("f a +r", "a header that WSL refuses"),
        ("f /a", "a name with superfluous parts"),
        ("d a/; l b -> a; f b/c", "a name through a symbolic link"),
        ("f a/b", ""),
        ("f a/b; d a/", ""),
        ("f a/b/c; d a/b/; f a/d; d a/ +x; d ./", ""),
        ("f a/b; d a/ +x; d a/", "a folder with other attributes before"),
        ("f a; h b => a; h c => b", "a hard link to another name"),
        ("f a; h b => a; f a", "an entry that is gone or replaced later, a hard link without its original"),
        ("p a; h b => a", "a hard link to something other than a file"),
    ];
    for (text, words) in cases {
        let layers = layers(text);
        let plan = merge(&layers).expect(text);
        assert_eq!(plan.changes.words().collect::<Vec<_>>().join(", "), words, "{text}");
        let end = layers[0].last().map_or(0, |entry| entry.end);
        assert_eq!(plan.is_untouched(end), words.is_empty(), "{text}");
        assert!(!plan.is_untouched(end + 512));
    }
}

#[test]
fn a_distribution_is_known_by_its_shell_and_its_etc() {
    for (text, has_shell, has_etc) in [
        ("f a", false, false),
        ("d etc/; d bin/; f bin/sh", true, true),
        ("d etc/; d bin/; f bin/sh | w bin/sh; w etc", false, false),
        ("l bin -> usr/bin; f usr/bin/dash; l usr/bin/sh -> dash; l etc -> /x/etc; d x/etc/", true, true),
        ("f bin/busybox; h bin/sh => bin/busybox", true, false),
        ("d bin/sh/; f etc", false, false),
        ("l bin/sh -> sh; l etc -> nowhere", false, false),
        ("l bin/sh -> bash; z bin/bash", false, false),
        ("z bin/a; h bin/sh => bin/a", false, false),
    ] {
        let plan = merge(&layers(text)).expect(text);
        assert_eq!((plan.has_shell, plan.has_etc), (has_shell, has_etc), "{text}");
    }
}
