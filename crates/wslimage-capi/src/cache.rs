//! Blobs kept between pulls.

use std::ffi::{CString, c_char};
use std::ptr;
use std::time::{Duration, SystemTime};

use library::{Cache, CacheEntry, CacheFilter, Digest, Error, ErrorKind};

use crate::error::{Failure, wslimage_error};
use crate::landing::{self, Out};
use crate::sized::{self, Sized};
use crate::status::{WSLIMAGE_STATUS_OK, wslimage_status};
use crate::text;

/// A folder in which blobs are kept. Any thread may use it, several at once, and several processes one folder.
pub struct wslimage_cache {
    cache: Cache,
}

/// What a cache held when it was read. It never changes: any thread may read it, several at once. Its strings belong to
/// it and live until wslimage_cache_entries_free.
pub struct wslimage_cache_entries {
    entries: Vec<Entry>,
}

struct Entry {
    digest: CString,
    path: CString,
    size: u64,
    last_used_ms: i64,
}

impl From<&CacheEntry> for Entry {
    fn from(entry: &CacheEntry) -> Self {
        Self {
            digest: text::output(entry.digest().to_string()),
            path: text::output(entry.path().to_string_lossy()),
            size: entry.size(),
            last_used_ms: milliseconds_of(entry.last_used()),
        }
    }
}

/// Which blobs are to be removed from a cache. All zero but the size is all of them.
#[repr(C)]
pub struct wslimage_cache_filter {
    /// sizeof(wslimage_cache_filter).
    pub size: usize,
    /// The blob of this digest, "sha256:..."; NULL: of any.
    pub digest: *const c_char,
    /// Those that nobody has used since this time, in milliseconds since 1970-01-01 00:00 UTC; 0: whenever they were
    /// used. Not together with digest.
    pub unused_since_ms: i64,
}

// SAFETY: `size` is the first field; null pointers and 0 are zeros.
unsafe impl Sized for wslimage_cache_filter {
    const NAME: &'static str = "wslimage_cache_filter";
}

/// What was removed from a cache.
#[repr(C)]
pub struct wslimage_cache_removed {
    /// sizeof(wslimage_cache_removed): set by the caller.
    pub size: usize,
    /// The number of blobs.
    pub count: u64,
    /// The bytes that they had, and those of what interrupted processes have left behind.
    pub bytes: u64,
}

// SAFETY: `size` is the first field, and all are integers.
unsafe impl Sized for wslimage_cache_removed {
    const NAME: &'static str = "wslimage_cache_removed";
}

/// The cache in the folder path, which need not exist: nothing is made by this call. Any thread; path (UTF-8; relative
/// to the process's directory if it is relative) is copied.
///
/// OK: *cache is the caller's, to be ended by wslimage_cache_free. Otherwise *cache is NULL and *error, if error is not
/// NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_FILE where something else than a folder has that name;
/// INVALID_ARGUMENT for a pointer that is NULL, text that is not UTF-8;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_new(
    path: *const c_char,
    cache: *mut *mut wslimage_cache,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(cache, "cache")?;
            let cache = Cache::open(text::required(path, "path")?)?;
            out.set(Box::new(wslimage_cache { cache }));
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Reads what a cache holds. Any thread; returns when the folder is read.
///
/// OK: *entries is the caller's, to be ended by wslimage_cache_entries_free; it does not need the cache. Otherwise
/// *entries is NULL and *error, if error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_FILE where the folder cannot be read (one that does not exist is empty);
/// INVALID_ARGUMENT for a pointer that is NULL;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_read(
    cache: *const wslimage_cache,
    entries: *mut *mut wslimage_cache_entries,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let out = Out::new(entries, "entries")?;
            let entries = landing::handle(cache, "cache")?.cache.entries()?;
            out.set(Box::new(wslimage_cache_entries { entries: entries.iter().map(Entry::from).collect() }));
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// Removes blobs from a cache, and what interrupted processes have left behind; what is in use stays. filter NULL: all
/// blobs. removed may be NULL; else the caller sets removed->size before. Any thread; returns when it is done.
///
/// OK. Otherwise what was removed before is gone, and *error, if error is not NULL, is the caller's:
/// FAILED with WSLIMAGE_ERROR_KIND_FILE where the folder cannot be read or a file cannot be removed, or with
/// WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a digest that is none;
/// INVALID_ARGUMENT for cache NULL, a wrong size, text that is not UTF-8, a filter by digest and by time;
/// PANIC.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_remove(
    cache: *const wslimage_cache,
    filter: *const wslimage_cache_filter,
    removed: *mut wslimage_cache_removed,
    error: *mut *mut wslimage_error,
) -> wslimage_status {
    // SAFETY: the caller promises what the documentation says of each pointer.
    unsafe {
        landing::call(error, || {
            let cache = &landing::handle(cache, "cache")?.cache;
            if !removed.is_null() {
                sized::size_of_given(removed, "removed")?;
            }
            let report = cache.remove(&read_filter(filter)?)?;
            if !removed.is_null() {
                let value = wslimage_cache_removed {
                    size: size_of::<wslimage_cache_removed>(),
                    count: report.count as u64,
                    bytes: report.bytes,
                };
                sized::write(removed, &value, "removed")?;
            }
            Ok(WSLIMAGE_STATUS_OK)
        })
    }
}

/// # Safety
/// `filter` is NULL or a struct as its documentation says.
unsafe fn read_filter(filter: *const wslimage_cache_filter) -> Result<CacheFilter, Failure> {
    if filter.is_null() {
        return Ok(CacheFilter::All);
    }
    // SAFETY: the caller of this function promises it; any bytes are pointers and integers.
    let (digest, unused_since_ms) = unsafe {
        let given = sized::read(filter, "filter")?.assume_init();
        (text::optional(given.digest, "filter->digest")?, given.unused_since_ms)
    };
    match (digest, unused_since_ms) {
        (None, 0) => Ok(CacheFilter::All),
        (Some(digest), 0) => digest.parse::<Digest>().map(CacheFilter::Digest).map_err(|error| {
            // What came from the caller is shown as it is read by `Debug`, without control characters.
            Error::new(ErrorKind::InvalidReference, format!("{digest:?} is not a digest: {error}")).into()
        }),
        (None, milliseconds) => Ok(CacheFilter::UnusedSince(time_of(milliseconds))),
        (Some(_), _) => {
            Err(Failure::argument("filter->digest is not NULL, but unused_since_ms is not 0 either".to_owned()))
        }
    }
}

/// Milliseconds since 1970; times beyond what fits are the last that does.
fn milliseconds_of(time: SystemTime) -> i64 {
    let number = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => number(after),
        Err(before) => -number(before.duration()),
    }
}

fn time_of(milliseconds: i64) -> SystemTime {
    let duration = Duration::from_millis(milliseconds.unsigned_abs());
    let time = if milliseconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(duration)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(duration)
    };
    // Windows knows no time before 1601.
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// How many blobs there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_count(entries: *const wslimage_cache_entries) -> usize {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { landing::read(entries, 0, |entries| Some(entries.entries.len())) }
}

/// # Safety
/// `entries` is NULL or a handle that lives for `'a`.
unsafe fn field<'a, R>(
    entries: *const wslimage_cache_entries,
    index: usize,
    otherwise: R,
    get: impl FnOnce(&'a Entry) -> R,
) -> R {
    // SAFETY: the caller of this function promises it.
    unsafe {
        landing::read(entries, otherwise, |entries: &'a wslimage_cache_entries| entries.entries.get(index).map(get))
    }
}

/// The digest of a blob, "sha256:...", 0 being the one that was used last; NULL after the last, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_digest(
    entries: *const wslimage_cache_entries,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { field(entries, index, ptr::null(), |entry| entry.digest.as_ptr()) }
}

/// The file of a blob, as an absolute path; NULL after the last, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_path(
    entries: *const wslimage_cache_entries,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { field(entries, index, ptr::null(), |entry| entry.path.as_ptr()) }
}

/// The length of a blob in bytes; 0 after the last, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_size(entries: *const wslimage_cache_entries, index: usize) -> u64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { field(entries, index, 0, |entry| entry.size) }
}

/// When a blob was used last, in milliseconds since 1970-01-01 00:00 UTC; 0 after the last, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_last_used_ms(
    entries: *const wslimage_cache_entries,
    index: usize,
) -> i64 {
    // SAFETY: the caller promises a living handle or NULL.
    unsafe { field(entries, index, 0, |entry| entry.last_used_ms) }
}

/// Ends a list of blobs and its strings, not the blobs. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_entries_free(entries: *mut wslimage_cache_entries) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(entries) }
}

/// Ends what is known of a cache, not the cache. NULL is fine. Nobody may use it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wslimage_cache_free(cache: *mut wslimage_cache) {
    // SAFETY: the caller gives up a handle of this library, or NULL.
    unsafe { landing::free(cache) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_cross_as_milliseconds_and_come_back() {
        for milliseconds in [0, 1, 1_700_000_000_123, -1, -1_000_000] {
            assert_eq!(milliseconds_of(time_of(milliseconds)), milliseconds);
        }
        let _ = (time_of(i64::MAX), time_of(i64::MIN));
    }
}
