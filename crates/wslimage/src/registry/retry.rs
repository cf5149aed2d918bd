//! What is tried again, and when.

use std::io;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::answer::find;
use super::options::RetryPolicy;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Job;

/// The tries of one piece of work.
pub(crate) struct Retries<'a> {
    policy: RetryPolicy,
    job: &'a Job,
    waits: ExponentialBackoff,
    tries: u32,
    waited: Duration,
    has_progressed: bool,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(policy: RetryPolicy, job: &'a Job) -> Self {
        Self { policy, job, waits: waits(&policy), tries: 0, waited: Duration::ZERO, has_progressed: false }
    }

    /// What comes next is tried anew: the work got further.
    pub(crate) fn progressed(&mut self) {
        self.has_progressed = true;
    }

    /// Waits until what ended in `error` may be tried again, or gives it back where that makes no sense.
    pub(crate) async fn after(&mut self, error: Error) -> Result<()> {
        if !is_transient(&error) || self.policy.maximum_retries == 0 {
            return Err(error);
        }
        if std::mem::take(&mut self.has_progressed) {
            self.tries = 0;
            self.waits = waits(&self.policy);
            // A server that asks for time gets it.
            if error.retry_after().is_none() {
                self.job.verbose(format!("{error}. Going on at once..."));
                return Ok(());
            }
        }
        if self.tries >= most_tries(&self.policy, &error) {
            return Err(error);
        }
        self.tries += 1;
        let backoff = self.waits.next().unwrap_or(self.policy.first_wait);
        let wait = error.retry_after().unwrap_or_default().max(backoff);
        if self.waited.saturating_add(wait) > self.policy.maximum_wait {
            return Err(error);
        }
        self.waited += wait;
        self.job.verbose(format!(
            "{error}. Trying again in {:.1} s ({} of {})...",
            wait.as_secs_f64(),
            self.tries,
            self.policy.maximum_retries
        ));
        self.job.or_cancelled(tokio::time::sleep(wait)).await
    }
}

/// Does `work` until it succeeds, or fails in a way that another try does not mend.
pub(crate) async fn retry<T, F: Future<Output = Result<T>>>(
    policy: RetryPolicy,
    job: &Job,
    mut work: impl FnMut() -> F,
) -> Result<T> {
    let mut retries = Retries::new(policy, job);
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(error) => retries.after(error).await?,
        }
    }
}

fn waits(policy: &RetryPolicy) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(policy.first_wait)
        .with_max_delay(policy.maximum_wait)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

/// A name that is not found is more often mistyped than in want of time.
fn most_tries(policy: &RetryPolicy, error: &Error) -> u32 {
    const MOST_LOOKUPS: u32 = 2;
    if error.is_lookup() { policy.maximum_retries.min(MOST_LOOKUPS) } else { policy.maximum_retries }
}

/// Whether the same request may succeed a little later.
fn is_transient(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::RateLimited => true,
        // Nobody listens there: that is an answer.
        ErrorKind::Connection => !is_refused(error),
        ErrorKind::Server | ErrorKind::Proxy => matches!(error.http_status(), Some(408 | 500 | 502 | 503 | 504)),
        _ => false,
    }
}

fn is_refused(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(find::<io::Error>)
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_pass_is_tried_again_and_what_cannot_is_not() {
        let status = |kind, status| Error::new(kind, "").with_http_status(status);
        for (error, expected) in [
            (Error::new(ErrorKind::Timeout, ""), true),
            (Error::new(ErrorKind::Connection, ""), true),
            (Error::new(ErrorKind::Connection, "").caused_by(io::Error::from(io::ErrorKind::ConnectionRefused)), false),
            (Error::new(ErrorKind::Connection, "").caused_by(io::Error::from(io::ErrorKind::ConnectionReset)), true),
            (status(ErrorKind::RateLimited, 429), true),
            (status(ErrorKind::Server, 408), true),
            (status(ErrorKind::Server, 500), true),
            (status(ErrorKind::Server, 501), false),
            (status(ErrorKind::Server, 502), true),
            (status(ErrorKind::Server, 503), true),
            (status(ErrorKind::Server, 504), true),
            (status(ErrorKind::Server, 400), false),
            (status(ErrorKind::Proxy, 407), false),
            (status(ErrorKind::Proxy, 502), true),
            (status(ErrorKind::Unauthorized, 401), false),
            (status(ErrorKind::Denied, 403), false),
            (status(ErrorKind::NotFound, 404), false),
            (Error::new(ErrorKind::Tls, ""), false),
            (Error::new(ErrorKind::DigestMismatch, ""), false),
            (Error::cancelled(), false),
        ] {
            assert_eq!(is_transient(&error), expected, "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end_with_the_count_or_the_cap() {
        let policy = RetryPolicy { maximum_retries: 3, ..RetryPolicy::default() };
        let job = Job::default();
        let mut tries = 0;
        let start = tokio::time::Instant::now();
        let result: Result<()> = retry(policy, &job, || {
            tries += 1;
            std::future::ready(Err(Error::new(ErrorKind::Timeout, "no byte")))
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tries, 4);
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(3500) && waited < Duration::from_secs(8), "{waited:?}");

        let asked = |seconds| {
            let error = Error::new(ErrorKind::RateLimited, "slow down");
            error.with_retry_after(Some(Duration::from_secs(seconds)))
        };
        let mut retries = Retries::new(RetryPolicy::default(), &job);
        let start = tokio::time::Instant::now();
        retries.after(asked(100)).await.expect("below the cap");
        assert_eq!(start.elapsed().as_secs(), 100);
        retries.after(asked(100)).await.expect_err("beyond the cap in all");
        retries.after(asked(u64::MAX)).await.expect_err("beyond all time");
        assert_eq!(start.elapsed().as_secs(), 100, "nobody waits for what will not be tried");
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_no_failure() {
        let job = Job::default();
        let mut retries = Retries::new(RetryPolicy { maximum_retries: 1, ..RetryPolicy::default() }, &job);
        let start = tokio::time::Instant::now();
        for _ in 0..100 {
            retries.progressed();
            retries.after(Error::new(ErrorKind::Connection, "cut")).await.expect("another try");
        }
        assert!(start.elapsed().is_zero());
        retries.after(Error::new(ErrorKind::Connection, "cut")).await.expect("another try");
        retries.after(Error::new(ErrorKind::Connection, "cut")).await.expect_err("the end");
    }
}
