//! Routes: what is answered at a path instead of what would be, step by step.

use std::sync::Arc;

use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Error, Result};
use crate::step::{ReadyStep, Step};

/// The answers at a path. Each request takes the next step, and the last one repeats.
///
/// Of several routes that match a request, one with the whole path is taken before one that ends in `*`, a longer one
/// before a shorter one, one with a method before one for all. A route replaces the one of the same path and method.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The method, in capitals. `None`: all.
    #[serde(default)]
    pub method: Option<String>,
    /// The path without a query; a `*` at its end stands for anything.
    pub path: String,
    /// At least one step.
    pub steps: Vec<Step>,
}

impl Route {
    /// A route for all methods.
    pub fn new(path: &str, steps: impl Into<Vec<Step>>) -> Self {
        Self { method: None, path: path.to_owned(), steps: steps.into() }
    }
}

/// The routes of the whole registry.
#[derive(Default)]
pub(crate) struct RouteTable {
    routes: Mutex<Vec<Entry>>,
}

struct Entry {
    method: Option<String>,
    path: String,
    steps: Vec<Arc<ReadyStep>>,
    next: usize,
    deleted: CancellationToken,
    _deletion: DropGuard,
}

/// A request's step.
pub(crate) struct Turn {
    pub(crate) step: Arc<ReadyStep>,
    /// Cancelled when the route is deleted or replaced.
    pub(crate) deleted: CancellationToken,
}

impl RouteTable {
    pub(crate) fn add(&self, route: &Route) -> Result<()> {
        if !route.path.starts_with('/') || route.path.contains('?') {
            return Err(Error::Invalid("the path of a route begins with / and has no query".to_owned()));
        }
        if route.steps.is_empty() {
            return Err(Error::Invalid("a route has at least one step".to_owned()));
        }
        let steps = route.steps.iter().map(|step| step.try_into().map(Arc::new)).collect::<Result<_>>()?;
        let deleted = CancellationToken::new();
        let entry = Entry {
            method: route.method.clone(),
            path: route.path.clone(),
            steps,
            next: 0,
            deleted: deleted.clone(),
            _deletion: deleted.drop_guard(),
        };
        let mut routes = self.routes.lock();
        routes.retain(|it| it.path != entry.path || it.method != entry.method);
        routes.push(entry);
        Ok(())
    }

    /// Deletes the routes whose path was given in this way.
    pub(crate) fn delete(&self, path: &str) {
        self.routes.lock().retain(|it| it.path != path);
    }

    pub(crate) fn next(&self, method: &str, path: &str) -> Option<Turn> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let mut routes = self.routes.lock();
        let entry = routes
            .iter_mut()
            .filter(|it| it.method.as_deref().is_none_or(|it| it == method))
            .filter(|it| matches(&it.path, path) || matches(&it.path, &decoded))
            .max_by_key(|it| (!it.path.ends_with('*'), it.path.len(), it.method.is_some()))?;
        let step = entry.steps[entry.next].clone();
        entry.next = (entry.next + 1).min(entry.steps.len() - 1);
        Some(Turn { step, deleted: entry.deleted.clone() })
    }
}

/// Whether a path is meant by one that may end in `*`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}
