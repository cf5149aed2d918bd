//! How long the listeners wait before each answer.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// A wait before each answer, which makes the way to the registry a long one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latency {
    /// The listener's name as the log has it. `None`: all that have no latency of their own.
    #[serde(default)]
    pub listener: Option<String>,
    /// Milliseconds to wait. 0: no wait.
    pub latency_ms: u64,
}

#[derive(Default)]
pub(crate) struct Latencies {
    of_listener: Mutex<HashMap<Option<String>, Duration>>,
}

impl Latencies {
    pub(crate) fn set(&self, latency: Latency) {
        self.of_listener.lock().insert(latency.listener, Duration::from_millis(latency.latency_ms));
    }

    pub(crate) fn of(&self, listener: &str) -> Option<Duration> {
        let of_listener = self.of_listener.lock();
        if of_listener.is_empty() {
            return None;
        }
        of_listener.get(&Some(listener.to_owned())).or_else(|| of_listener.get(&None)).copied()
    }
}
