//! What was asked of the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::distribution::repository_of;
use crate::error::{Error, Result};
use crate::route::matches;

/// One request, written down when it arrives.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The listener's name: `http`, `https`, `cdn`, `cdnHttp`, `proxy`, one of [`crate::TlsFaults`], or what a test
    /// called it.
    pub listener: String,
    /// The connection's number, counted from 1 in the order in which they came.
    pub connection: u64,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    #[serde(default)]
    pub version: String,
    /// The method.
    pub method: String,
    /// The path as it came; at a proxy the whole target without the query.
    pub path: String,
    /// The query as it came, without `?`; empty where there is none.
    pub query: String,
    /// The headers, names in lower case; several of one name are joined by `, `. `host` has the host of HTTP/2 too.
    pub headers: BTreeMap<String, String>,
    /// The fields of a form in the body, as they came, secrets too; several of one name are joined by a space.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// The status. `None` until the answer has ended, and for a request that got none.
    pub status: Option<u16>,
    /// The bytes of the body that were sent. `None` until the answer has ended.
    pub body_bytes: Option<u64>,
}

/// Which entries; all members that are set must fit.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogFilter {
    /// The name of the listener.
    pub listener: Option<String>,
    /// The paths under `/v2/` and `/cdn/` of this repository.
    pub repository: Option<String>,
    /// The paths that begin with this.
    pub path: Option<String>,
}

impl LogFilter {
    fn fits(&self, entry: &LogEntry) -> bool {
        self.listener.as_ref().is_none_or(|listener| entry.listener == *listener)
            && self.path.as_ref().is_none_or(|path| entry.path.starts_with(path))
            && self.repository.as_ref().is_none_or(|repository| belongs(&entry.path, repository))
    }
}

fn belongs(path: &str, repository: &str) -> bool {
    repository_of(path).is_some_and(|it| it == repository)
}

/// Requests to wait for. Those count that are in the log, so also those before the call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WaitFor {
    /// The whole path; a `*` at its end stands for anything.
    pub path: String,
    /// How many. Default: 1.
    pub count: usize,
    /// Milliseconds. Default: 10 000.
    pub timeout_ms: u64,
    /// Only those whose answer has ended, also by the client's going away.
    pub ended: bool,
}

impl Default for WaitFor {
    fn default() -> Self {
        Self { path: String::new(), count: 1, timeout_ms: 10_000, ended: false }
    }
}

#[derive(Default)]
pub(crate) struct Log {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    by_number: BTreeMap<u64, LogEntry>,
    last: u64,
}

impl Log {
    /// Writes a request down and returns its number.
    pub(crate) fn arrived(&self, entry: LogEntry) -> u64 {
        let mut entries = self.entries.lock();
        entries.last += 1;
        let number = entries.last;
        entries.by_number.insert(number, entry);
        drop(entries);
        self.changed.notify_waiters();
        number
    }

    pub(crate) fn ended(&self, number: u64, status: Option<u16>, body_bytes: u64) {
        if let Some(entry) = self.entries.lock().by_number.get_mut(&number) {
            entry.status = status;
            entry.body_bytes = Some(body_bytes);
        }
        self.changed.notify_waiters();
    }

    pub(crate) fn read(&self, filter: &LogFilter) -> Vec<LogEntry> {
        self.entries.lock().by_number.values().filter(|entry| filter.fits(entry)).cloned().collect()
    }

    pub(crate) fn delete(&self, filter: &LogFilter) {
        self.entries.lock().by_number.retain(|_, entry| !filter.fits(entry));
    }

    /// How many have come, as soon as these are enough.
    pub(crate) async fn wait(&self, wait: &WaitFor) -> Result<usize> {
        let timeout = Duration::from_millis(wait.timeout_ms);
        let enough = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                // From here on no change is missed, so none comes between counting and waiting.
                changed.as_mut().enable();
                let arrived = self.count(wait);
                if arrived >= wait.count {
                    return arrived;
                }
                changed.await;
            }
        };
        tokio::time::timeout(timeout, enough).await.map_err(|_| Error::Timeout {
            path: wait.path.clone(),
            count: wait.count,
            arrived: self.count(wait),
            timeout,
        })
    }

    fn count(&self, wait: &WaitFor) -> usize {
        let entries = self.entries.lock();
        let fits = |entry: &&LogEntry| matches(&wait.path, &entry.path) && (!wait.ended || entry.body_bytes.is_some());
        entries.by_number.values().filter(fits).count()
    }
}

pub(crate) fn headers_of(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.entry(name.as_str().to_owned())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    all
}
