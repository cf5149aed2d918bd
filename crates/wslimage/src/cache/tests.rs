use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use sha2::{Digest as _, Sha512};
use tempfile::TempDir;

use super::*;
use crate::progress::{Notice, Observer};
use tokio_util::sync::CancellationToken;

const BLOB: &[u8] = b"the bytes of a blob";

/// Keeps what it is told, and cancels the job at the first line.
#[derive(Default)]
struct Recorder {
    warnings: Mutex<Vec<String>>,
    verbose: Mutex<Vec<String>>,
    cancel_at_notice: Option<CancellationToken>,
}

impl Observer for Recorder {
    fn notice(&self, notice: Notice) {
        match notice {
            Notice::Warning(line) => self.warnings.lock().expect("no panic").push(line),
            Notice::Verbose(line) => self.verbose.lock().expect("no panic").push(line),
        }
        if let Some(token) = &self.cancel_at_notice {
            token.cancel();
        }
    }
}

fn recorded() -> (Arc<Recorder>, Job) {
    let recorder = Arc::new(Recorder::default());
    (recorder.clone(), Job::new(recorder, CancellationToken::new()))
}

fn empty() -> (TempDir, Cache) {
    let folder = TempDir::new().expect("a folder");
    let cache = Cache::open(folder.path().join("cache")).expect("a cache");
    (folder, cache)
}

fn sha256(bytes: &[u8]) -> Digest {
    crate::digest::sha256(bytes)
}

fn lock(cache: &Cache, digest: &Digest, job: &Job) -> Result<CacheSlot> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(cache.lock(digest, job))
}

fn slot(cache: &Cache, digest: &Digest) -> CacheSlot {
    lock(cache, digest, &Job::default()).expect("a slot")
}

/// Puts `bytes` in, last used so many seconds after the epoch.
fn put(cache: &Cache, bytes: &[u8], last_used: u64) -> Digest {
    let digest = sha256(bytes);
    slot(cache, &digest).insert_bytes(bytes).expect("kept");
    let file = fs::OpenOptions::new().write(true).open(cache.blob_path(&digest)).expect("the blob");
    file.set_modified(at(last_used)).expect("a time");
    digest
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn digests(cache: &Cache) -> Vec<Digest> {
    cache.entries().expect("entries").iter().map(|entry| entry.digest().clone()).collect()
}

fn copied(slot: &CacheSlot, size: usize) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    let is_whole = slot.copy_verified(size as u64, |piece| {
        copy.extend_from_slice(piece);
        Ok(())
    });
    is_whole.expect("nothing fails here").then_some(copy)
}

fn expect_nothing_partial(cache: &Cache) {
    let left: Vec<PathBuf> = files_of(&cache.partial()).expect("a list").iter().map(DirEntry::path).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn nothing_is_made_before_a_blob_is_kept() {
    let (folder, cache) = empty();
    assert_eq!(cache.entries().expect("entries"), []);
    assert_eq!(cache.remove(&CacheFilter::All).expect("nothing to do"), RemovedEntries::default());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn a_kept_blob_lies_where_an_oci_layout_has_it_and_is_read_again() {
    let (folder, cache) = empty();
    let large: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    let file = folder.path().join("large");
    fs::write(&file, &large).expect("a file");
    let sha512: Digest = format!("sha512:{}", hex(&Sha512::digest(BLOB))).parse().expect("a digest");
    for (digest, bytes) in [(sha256(BLOB), BLOB), (sha512, BLOB), (sha256(&large), &large), (sha256(b""), b"")] {
        let slot = slot(&cache, &digest);
        assert!(slot.open(bytes.len() as u64).is_none(), "it is not there yet");
        assert!(slot.read_verified(u64::MAX).is_none());
        assert_eq!(copied(&slot, bytes.len()), None);

        if bytes.len() > BLOB.len() { slot.insert_file(&file) } else { slot.insert_bytes(bytes) }.expect("kept");
        assert!(slot.open(bytes.len() as u64).is_some());
        assert_eq!(slot.read_verified(bytes.len() as u64).expect("it is there"), bytes);
        assert_eq!(copied(&slot, bytes.len()).expect("it is there"), bytes);
        assert_eq!(slot.read_verified(bytes.len().saturating_sub(1) as u64).is_some(), bytes.is_empty());
        let path = cache.folder().join("blobs").join(digest.algorithm().as_ref()).join(digest.digest());
        assert_eq!(fs::read(path).expect("the blob"), bytes);
    }
    assert_eq!(cache.entries().expect("entries").len(), 4);
    expect_nothing_partial(&cache);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bytes_of_another_digest_are_not_kept() {
    let (folder, cache) = empty();
    let file = folder.path().join("file");
    fs::write(&file, "other bytes").expect("a file");
    let slot = slot(&cache, &sha256(BLOB));
    for result in [slot.insert_bytes(b"other bytes"), slot.insert_file(&file)] {
        let error = result.expect_err("not kept");
        assert_eq!(error.kind(), ErrorKind::DigestMismatch);
        assert!(error.to_string().contains(sha256(BLOB).digest()), "{error}");
    }
    drop(slot);
    assert_eq!(cache.entries().expect("entries"), []);
    expect_nothing_partial(&cache);
}

#[test]
fn a_damaged_blob_is_removed_with_a_warning_and_counts_as_missing() {
    let flipped: Vec<u8> = BLOB.iter().enumerate().map(|(i, byte)| if i == 7 { byte ^ 1 } else { *byte }).collect();
    let longer = [BLOB, b"!"].concat();
    type Reading = fn(&CacheSlot) -> bool;
    let readings: [(&str, Reading); 3] = [
        ("open", |slot| slot.open(BLOB.len() as u64).is_some()),
        ("read", |slot| slot.read_verified(1000).is_some()),
        ("copy", |slot| copied(slot, BLOB.len()).is_some()),
    ];
    for (damage, bytes) in [("truncated", &BLOB[..9]), ("emptied", b""), ("longer", &longer), ("flipped", &flipped)] {
        for (name, reading) in readings {
            if (damage, name) == ("flipped", "open") {
                continue; // Only the length is looked at.
            }
            let (_folder, cache) = empty();
            let (recorder, job) = recorded();
            let digest = put(&cache, BLOB, 1);
            fs::write(cache.blob_path(&digest), bytes).expect("the damage");
            let slot = lock(&cache, &digest, &job).expect("a slot");
            assert!(!reading(&slot), "{damage}, {name}");
            assert!(!cache.blob_path(&digest).exists(), "{damage}, {name}");
            let warnings = recorder.warnings.lock().expect("no panic").clone();
            assert!(matches!(&warnings[..], [one] if one.contains("damaged")), "{damage}, {name}: {warnings:?}");
            slot.insert_bytes(BLOB).expect("kept again");
            assert!(reading(&slot), "{damage}, {name}");
        }
    }
}

#[test]
fn what_is_no_blob_is_neither_listed_nor_removed() {
    let (_folder, cache) = empty();
    let digest = put(&cache, BLOB, 1);
    let blobs = cache.folder().join("blobs");
    for name in ["sha256/short", "sha256/README.md", "file"] {
        fs::write(blobs.join(name), "somebody else's").expect("a file");
    }
    let other = sha256(b"a folder");
    fs::create_dir(cache.blob_path(&other)).expect("a folder");
    assert_eq!(digests(&cache), std::slice::from_ref(&digest));
    assert!(slot(&cache, &other).open(1).is_none());
    cache.remove(&CacheFilter::All).expect("removed");
    assert!(!cache.blob_path(&digest).exists());
    assert_eq!(fs::read_dir(blobs.join("sha256")).expect("the folder").count(), 3);
}

#[test]
fn a_folder_that_cannot_be_used_is_a_failure_of_a_file() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    assert_eq!(Cache::open(&file).expect_err("no folder").kind(), ErrorKind::File);

    let below_a_file = Cache::open(file.join("cache")).expect("not looked at yet");
    let error = lock(&below_a_file, &sha256(BLOB), &Job::default()).err().expect("no cache");
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_a_failure_of_a_file_and_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).expect("read-only");
    let cache = Cache::open(folder.path()).expect("not looked at yet");
    match lock(&cache, &sha256(BLOB), &Job::default()) {
        Ok(slot) => slot.insert_bytes(BLOB).expect("this user may write everywhere"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::File);
            assert!(error.recommended_action().is_some_and(|action| action.contains("may write")), "{error}");
        }
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("writable");
}

#[test]
fn a_full_disk_says_what_to_do() {
    let error = failure("write", Path::new("/cache/x"), io::ErrorKind::StorageFull.into());
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.to_string().starts_with("Failed to write /cache/x of the cache: "), "{error}");
    assert!(error.recommended_action().is_some_and(|action| action.contains("room")), "{error}");
}

#[test]
fn what_fails_to_be_written_elsewhere_is_told_as_the_writer_tells_it() {
    let (_folder, cache) = empty();
    let (recorder, job) = recorded();
    let digest = put(&cache, BLOB, 1);
    let slot = lock(&cache, &digest, &job).expect("a slot");
    let error = slot.copy_verified(BLOB.len() as u64, |_| Err(Error::new(ErrorKind::Internal, "the writer's words")));
    assert_eq!(error.expect_err("the writer's").to_string(), "the writer's words");
    assert_eq!(*recorder.warnings.lock().expect("no panic"), [""; 0]);
    assert!(copied(&slot, BLOB.len()).is_some(), "the blob is not to blame");
}

#[test]
fn a_cancelled_job_copies_no_further() {
    let (folder, cache) = empty();
    let large = vec![7; 1_500_000];
    let file = folder.path().join("large");
    fs::write(&file, &large).expect("a file");
    let token = CancellationToken::new();
    let job = Job::new(Arc::new(Recorder::default()), token.clone());
    let slot = lock(&cache, &sha256(&large), &job).expect("a slot");
    slot.insert_file(&file).expect("kept");

    let mut pieces = 0;
    let result = slot.copy_verified(large.len() as u64, |_| {
        pieces += 1;
        token.cancel();
        Ok(())
    });
    assert_eq!(result.expect_err("cancelled").kind(), ErrorKind::Cancelled);
    assert_eq!(pieces, 1);
    assert_eq!(slot.insert_file(&file).expect_err("cancelled").kind(), ErrorKind::Cancelled);
    drop(slot);
    assert_eq!(digests(&cache), [sha256(&large)]);
    expect_nothing_partial(&cache);
}

#[test]
fn who_waits_is_told_once_and_can_be_cancelled() {
    let (_folder, cache) = empty();
    let digest = sha256(BLOB);
    let held = slot(&cache, &digest);
    let token = CancellationToken::new();
    let recorder = Arc::new(Recorder { cancel_at_notice: Some(token.clone()), ..Recorder::default() });
    let error = lock(&cache, &digest, &Job::new(recorder.clone(), token)).err().expect("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let lines = recorder.verbose.lock().expect("no panic").clone();
    assert!(matches!(&lines[..], [one] if one.contains(digest.as_ref())), "{lines:?}");

    lock(&cache, &sha256(b"another"), &Job::default()).expect("another blob is free");
    drop(held);
    lock(&cache, &digest, &Job::default()).expect("free again");
}

#[test]
fn the_blob_used_last_is_listed_first() {
    let (_folder, cache) = empty();
    let (a, b, c) = (put(&cache, b"a", 300), put(&cache, b"b", 100), put(&cache, b"c", 200));
    assert_eq!(digests(&cache), [a.clone(), c.clone(), b.clone()]);
    assert_eq!(cache.entries().expect("entries")[0].last_used(), at(300));
    assert_eq!(cache.entries().expect("entries")[0].size(), 1);
    slot(&cache, &b).open(1).expect("it is there");
    assert_eq!(digests(&cache), [b.clone(), a.clone(), c.clone()]);
    slot(&cache, &c).read_verified(1).expect("it is there");
    assert_eq!(digests(&cache), [c, b, a]);
}

#[test]
fn what_is_asked_for_is_removed() {
    let blobs: [(&[u8], u64); 4] = [(b"a", 100), (b"bb", 200), (b"ccc", 300), (b"dddd", 400)];
    for (filter, stay) in [
        (CacheFilter::All, vec![]),
        (CacheFilter::Digest(sha256(b"bb")), vec!["dddd", "ccc", "a"]),
        (CacheFilter::Digest(sha256(b"unknown")), vec!["dddd", "ccc", "bb", "a"]),
        (CacheFilter::UnusedSince(at(300)), vec!["dddd", "ccc"]),
        (CacheFilter::UnusedSince(at(50)), vec!["dddd", "ccc", "bb", "a"]),
        (CacheFilter::DownTo(10), vec!["dddd", "ccc", "bb", "a"]),
        (CacheFilter::DownTo(9), vec!["dddd", "ccc", "bb"]),
        (CacheFilter::DownTo(8), vec!["dddd", "ccc"]),
        (CacheFilter::DownTo(3), vec![]),
        (CacheFilter::DownTo(0), vec![]),
    ] {
        let (_folder, cache) = empty();
        for (bytes, last_used) in blobs {
            put(&cache, bytes, last_used);
        }
        let removed = cache.remove(&filter).expect("removed");
        let expected: Vec<Digest> = stay.iter().map(|text| sha256(text.as_bytes())).collect();
        assert_eq!(digests(&cache), expected, "{filter:?}");
        let bytes = 10 - stay.iter().map(|text| text.len() as u64).sum::<u64>();
        assert_eq!(removed, RemovedEntries { count: 4 - stay.len(), bytes }, "{filter:?}");
        expect_nothing_partial(&cache);
    }
}

#[test]
fn what_is_in_use_is_not_removed() {
    let (_folder, cache) = empty();
    let (old, new) = (put(&cache, b"old", 100), put(&cache, b"new", 200));
    let held = slot(&cache, &old);
    assert_eq!(cache.remove(&CacheFilter::DownTo(3)).expect("removed"), RemovedEntries { count: 1, bytes: 3 });
    assert_eq!(digests(&cache), std::slice::from_ref(&old), "the next one went instead");
    assert!(!cache.blob_path(&new).exists());
    assert_eq!(cache.remove(&CacheFilter::All).expect("nothing"), RemovedEntries::default());
    assert_eq!(copied(&held, 3).expect("it is there"), b"old");
    drop(held);
    assert_eq!(cache.remove(&CacheFilter::All).expect("removed"), RemovedEntries { count: 1, bytes: 3 });
}

#[test]
fn leftovers_of_interrupted_processes_are_removed_and_those_in_use_are_not() {
    let (_folder, cache) = empty();
    fs::create_dir_all(cache.partial()).expect("a folder");
    let leftover = |name: &str, bytes: &str| fs::write(cache.partial().join(name), bytes).expect("a file");
    leftover("sha256-0000.123-0", "half a blob");
    leftover("sha256-0000.lock", "");
    let in_use = LockedFile::create_new(&cache.partial().join("sha256-1111.1-1")).expect("made").expect("free");
    let removed = cache.remove(&CacheFilter::Digest(sha256(BLOB))).expect("removed");
    assert_eq!(removed, RemovedEntries { count: 0, bytes: 11 });
    let left: Vec<_> = files_of(&cache.partial()).expect("a list").iter().map(DirEntry::path).collect();
    assert_eq!(left, [in_use.path()]);
}

#[test]
fn a_folder_that_is_deleted_while_it_is_used_is_made_again() {
    let (folder, cache) = empty();
    let file = folder.path().join("file");
    fs::write(&file, BLOB).expect("a file");
    let digest = sha256(BLOB);
    let held = slot(&cache, &digest);
    // Windows does not remove a folder whose files are open; then there is nothing to be made again.
    let _ = fs::remove_dir_all(cache.folder());
    assert!(held.open(BLOB.len() as u64).is_none());
    held.insert_file(&file).expect("kept");
    let second = cfg!(unix).then(|| slot(&cache, &digest));
    drop(held);
    assert_eq!(digests(&cache), std::slice::from_ref(&digest));
    if let Some(second) = second {
        // The first lock was of a file that is gone; its end must not end the second one.
        assert!(LockedFile::try_lock(&cache.lock_path(&digest)).expect("no failure").is_none());
        assert_eq!(second.read_verified(100).expect("it is there"), BLOB);
    }
}

#[test]
fn processes_and_threads_that_share_a_cache_never_see_a_wrong_blob() {
    const FOLDER: &str = "WSLIMAGE_TEST_SHARED_CACHE";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return share(Path::new(&folder));
    }
    let folder = TempDir::new().expect("a folder");
    let name = "cache::tests::processes_and_threads_that_share_a_cache_never_see_a_wrong_blob";
    let processes: Vec<_> = (0..3)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            command.args(["--exact", name]).env(FOLDER, folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("a process")
        })
        .collect();
    share(folder.path());
    for process in processes {
        let output = process.wait_with_output().expect("its end");
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
        assert!(String::from_utf8_lossy(&text).contains("1 passed"), "{}", String::from_utf8_lossy(&text));
    }
    let cache = Cache::open(folder.path()).expect("the cache");
    cache.remove(&CacheFilter::All).expect("removed");
    assert_eq!(cache.entries().expect("entries"), []);
    expect_nothing_partial(&cache);
}

/// Three threads that each get the same blobs from the cache or put them there, as a pull does, while a fourth one clears
/// it again and again.
fn share(folder: &Path) {
    const ROUNDS: usize = 4;
    let blobs: Vec<Vec<u8>> = (1..=3_u8).map(|n| vec![n; usize::from(n) * 70_000]).collect();
    let cache = Cache::open(folder).expect("a cache");
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|first| {
                scope.spawn({
                    let (cache, blobs) = (&cache, &blobs);
                    move || {
                        for round in 0..ROUNDS * blobs.len() {
                            get_or_put(cache, &blobs[(first + round) % blobs.len()]);
                        }
                    }
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            cache.remove(&CacheFilter::DownTo(150_000)).expect("cleared");
            thread::yield_now();
        }
    });
}

fn get_or_put(cache: &Cache, bytes: &[u8]) {
    let digest = sha256(bytes);
    let (recorder, job) = recorded();
    let slot = lock(cache, &digest, &job).expect("a slot");
    let mark = cache.folder().join(format!("{}.worker", digest.digest()));
    fs::File::create_new(&mark).expect("nobody else works on this blob");
    match copied(&slot, bytes.len()) {
        Some(copy) => assert!(copy == bytes, "a wrong blob"),
        None => {
            slot.insert_bytes(bytes).expect("kept");
            assert!(copied(&slot, bytes.len()).is_some(), "it stays while it is in use");
        }
    }
    assert_eq!(*recorder.warnings.lock().expect("no panic"), [""; 0], "nothing is ever damaged");
    fs::remove_file(&mark).expect("the mark");
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let (folder, cache) = empty();
        let file = folder.path().join("file");
        fs::write(&file, &bytes).expect("a file");
        let slot = slot(&cache, &sha256(&bytes));
        slot.insert_file(&file).expect("kept");
        prop_assert_eq!(copied(&slot, bytes.len()), Some(bytes));
    }
}
