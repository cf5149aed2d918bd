//! Properties of parsers, held against damaged copies of real documents.
//!
//! A target is a test named `fuzz_TARGET` beside its parser, which calls [`check`], and a folder `fuzz/TARGET` with a few
//! whole documents. `cargo test` tries some thousand inputs for each; `./build.sh fuzz` goes on for a time. By proptest,
//! which needs neither nightly nor a C++ compiler, runs on Windows too, and shrinks what it finds: put that into the
//! table of the parser's tests.

use std::cell::Cell;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::error::{Error, printable};

/// For how many seconds each target runs, instead of [`CASES`].
const SECONDS: &str = "WSLIMAGE_FUZZ_SECONDS";
/// A few seconds in a build without optimisation.
const CASES: u32 = 4000;
/// What parsers stumble over, whatever they read.
const AWKWARD: &[&[u8]] = &[
    b"",
    b"\"",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\\u001b[31m",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[31m",
    b"\xff",
    b"\xc3\xa4",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"-1",
    b"0",
    b"1e999",
    b"1.5",
    b"18446744073709551615",
    b"18446744073709551616",
    b"null",
    b"true",
    b"[",
    b"{",
    b"{\"a\":",
    b"[]",
    b"{}",
    b"\"\"",
    b",",
    b":",
    b"@",
    b"/",
    b"..",
    b"=",
    b";",
    b"<",
    b"%00",
];

/// Panics when `property` does for some bytes near the documents of `fuzz/TARGET`, and says for which.
pub(crate) fn check(target: &str, property: impl Fn(&[u8])) {
    let corpus = Corpus::read(target);
    let seconds = std::env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
    let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    for document in &corpus.documents {
        property(document);
    }
    let mut tried = 0_u64;
    loop {
        // The input is shown below as bytes; a file of past findings would do the work of a table in each parser's tests.
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(&input(), |input| {
            let bytes = corpus.made_into(&input);
            panic::catch_unwind(AssertUnwindSafe(|| quietly(|| property(&bytes))))
                .map_err(|_| TestCaseError::fail(LAST_PANIC.take()))
        });
        match result {
            Ok(()) => tried += u64::from(CASES),
            Err(TestError::Fail(reason, input)) => {
                panic!("{target}: {reason}\nfor the input b\"{}\"", corpus.made_into(&input).escape_ascii())
            }
            Err(TestError::Abort(reason)) => panic!("{target}: {reason}"),
        }
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            break;
        }
    }
    println!("{target}: {tried} inputs");
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: Cell<String> = const { Cell::new(String::new()) };
}

/// Runs `property` without a word about its panic: hundreds come before the input that shows it best is found.
fn quietly(property: impl FnOnce()) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| match IS_QUIET.replace(false) {
            true => LAST_PANIC.set(info.to_string()),
            false => usual(info),
        }));
    });
    IS_QUIET.set(true);
    property();
    IS_QUIET.set(false);
}

/// Panics when the texts of `error` could drive a terminal.
pub(crate) fn expect_printable(error: &Error) {
    for text in error.causes().into_iter().chain([error.to_string()]) {
        let is_shown_otherwise = |c: char| printable(c.encode_utf8(&mut [0; 4])).chars().ne([c]);
        assert!(!text.contains(is_shown_otherwise), "a control character in {text:?}");
    }
}

/// How an input is made: by edits of a document, or from nothing.
#[derive(Clone, Debug)]
enum Input {
    Edited(Index, Vec<Edit>),
    Bytes(Vec<u8>),
    Text(String),
}

/// Places are those of bytes, or of words and the signs between them.
#[derive(Clone, Debug)]
enum Edit {
    SetByte(Index, u8),
    Insert(Index, Vec<u8>),
    InsertWord(Index, Index),
    ReplaceWord(Index, Index),
    RemoveWords(Index, usize),
    Repeat(Index, usize, usize),
    Truncate(Index),
    AppendDocument(Index, Index),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        20 => (any::<Index>(), vec(edit(), 1..8)).prop_map(|(document, edits)| Input::Edited(document, edits)),
        1 => vec(any::<u8>(), 0..200).prop_map(Input::Bytes),
        1 => "\\PC{0,80}".prop_map(Input::Text),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        1 => (place(), any::<u8>()).prop_map(|(at, byte)| Edit::SetByte(at, byte)),
        1 => (place(), vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (place(), place()).prop_map(|(at, word)| Edit::InsertWord(at, word)),
        // Of all edits these leave most documents well formed, so that the parser goes on to what they mean.
        4 => (place(), place()).prop_map(|(at, word)| Edit::ReplaceWord(at, word)),
        1 => (place(), 1..12_usize).prop_map(|(at, count)| Edit::RemoveWords(at, count)),
        1 => (place(), 1..40_usize, prop_oneof![1..4_usize, 1..300_usize])
            .prop_map(|(at, count, times)| Edit::Repeat(at, count, times)),
        1 => place().prop_map(Edit::Truncate),
        1 => (place(), place()).prop_map(|(document, from)| Edit::AppendDocument(document, from)),
    ]
}

/// The documents that inputs are made from, and the words in them.
struct Corpus {
    documents: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Corpus {
    fn read(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut documents: Vec<Vec<u8>> = files
            .map(|file| fs::read(file.expect("an entry").path()).expect("a document"))
            // The newline at the end is the editor's.
            .map(|mut document| {
                while document.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    document.pop();
                }
                document
            })
            .collect();
        assert!(!documents.is_empty(), "{} has no documents", folder.display());
        documents.sort();
        let mut words: Vec<Vec<u8>> =
            documents.iter().flat_map(|document| words(document)).map(<[u8]>::to_vec).collect();
        words.extend(AWKWARD.iter().map(|word| word.to_vec()));
        words.sort();
        words.dedup();
        Self { documents, words }
    }

    fn made_into(&self, input: &Input) -> Vec<u8> {
        match input {
            Input::Edited(document, edits) => {
                edits.iter().fold(document.get(&self.documents).clone(), |bytes, edit| self.edited(bytes, edit))
            }
            Input::Bytes(bytes) => bytes.clone(),
            Input::Text(text) => text.clone().into_bytes(),
        }
    }

    fn edited(&self, mut bytes: Vec<u8>, edit: &Edit) -> Vec<u8> {
        let between = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match edit {
            Edit::SetByte(..) | Edit::ReplaceWord(..) if bytes.is_empty() => {}
            Edit::SetByte(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Edit::Insert(at, inserted) => {
                let at = between(at, &bytes);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Edit::InsertWord(at, word) => {
                let at = between(at, &bytes);
                bytes.splice(at..at, word.get(&self.words).iter().copied());
            }
            Edit::ReplaceWord(at, word) => {
                let mut parts = words(&bytes);
                *at.get_mut(&mut parts) = word.get(&self.words).as_slice();
                bytes = parts.concat();
            }
            Edit::RemoveWords(at, count) => {
                let mut parts = words(&bytes);
                let at = at.index(parts.len() + 1);
                parts.drain(at..parts.len().min(at + count));
                bytes = parts.concat();
            }
            Edit::Repeat(at, count, times) => {
                let at = between(at, &bytes);
                let repeated = bytes[at..bytes.len().min(at + count)].repeat(*times);
                bytes.splice(at..at, repeated);
            }
            Edit::Truncate(at) => bytes.truncate(between(at, &bytes)),
            Edit::AppendDocument(document, from) => {
                let document = document.get(&self.documents);
                bytes.extend_from_slice(&document[between(from, document)..]);
            }
        }
        bytes
    }
}

/// Runs of letters and digits, and each other byte.
fn words(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunk_by(|a, b| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()).collect()
}
