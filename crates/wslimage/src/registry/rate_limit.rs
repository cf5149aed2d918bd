//! How much a registry lets its users ask, and when to ask again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::error::printable;

/// The wait that `Retry-After` asks for, in seconds or until a date (RFC 9110 section 10.2.3). A date is taken by the
/// server's own clock, where it tells its time; one that is past asks for no wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(now_there(headers)).unwrap_or_default())
}

/// What the headers tell of the limit, such as `limit 100 per 6 h, 0 left, resets in 12 min`. `None` where they tell
/// nothing.
///
/// Read are `RateLimit-Limit`, `-Remaining` and `-Reset` as Docker Hub sends them
/// (docs.docker.com/docker-hub/usage/pulls), the same with `X-`, and `RateLimit` with `RateLimit-Policy`
/// (draft-ietf-httpapi-ratelimit-headers).
pub(super) fn rate_limit(headers: &HeaderMap) -> Option<String> {
    let combined = text(headers, "ratelimit").map(parameters).unwrap_or_default();
    let policy = text(headers, "ratelimit-policy").map(parameters).unwrap_or_default();
    let separate = |suffix: &str| {
        text(headers, &format!("ratelimit-{suffix}")).or_else(|| text(headers, &format!("x-ratelimit-{suffix}")))
    };
    let of = |list: &[(&str, u64)], names: &[&str]| {
        list.iter().find(|(name, _)| names.iter().any(|it| name.eq_ignore_ascii_case(it))).map(|&(_, value)| value)
    };

    let limit_list = separate("limit").map(parameters).unwrap_or_default();
    let limit = first_number(separate("limit")).or_else(|| of(&combined, &["limit"])).or_else(|| of(&policy, &["q"]));
    let window = of(&limit_list, &["w"]).or_else(|| of(&policy, &["w"]));
    let left = first_number(separate("remaining")).or_else(|| of(&combined, &["remaining", "r"]));
    let reset = first_number(separate("reset")).or_else(|| of(&combined, &["reset", "t"]));

    let mut parts = Vec::new();
    if let Some(limit) = limit {
        let window = window.map(|seconds| format!(" per {}", exact_time(seconds))).unwrap_or_default();
        parts.push(format!("limit {limit}{window}"));
    }
    if let Some(left) = left {
        parts.push(format!("{left} left"));
    }
    if parts.is_empty() {
        return None;
    }
    if let Some(reset) = reset {
        parts.push(format!("resets in {}", rough_time(seconds_until(reset, headers))));
    }
    if let Some(source) = text(headers, "docker-ratelimit-source").filter(|source| !source.is_empty()) {
        parts.push(format!("counted for {}", printable(source)));
    }
    Some(parts.join(", "))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The server's time, or this machine's.
fn now_there(headers: &HeaderMap) -> SystemTime {
    text(headers, DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now)
}

/// `100` of `100;w=21600` and of `100, 100;w=21600`.
fn first_number(text: Option<&str>) -> Option<u64> {
    text?.split([',', ';']).next()?.trim().parse().ok()
}

/// The numbers with a name: `w` of `100;w=21600`, `r` and `t` of `"default";r=50;t=30`.
fn parameters(text: &str) -> Vec<(&str, u64)> {
    text.split([',', ';'])
        .filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim(), value.trim().parse().ok()?))
        })
        .collect()
}

/// Some count the seconds, some tell the time at which they are over, since 1970.
fn seconds_until(reset: u64, headers: &HeaderMap) -> u64 {
    /// In 2001, and as seconds to wait 30 years.
    const EARLIEST_TIME: u64 = 1_000_000_000;
    if reset < EARLIEST_TIME {
        return reset;
    }
    let now = now_there(headers).duration_since(UNIX_EPOCH).unwrap_or_default();
    reset.saturating_sub(now.as_secs())
}

/// In the largest unit that is exact.
fn exact_time(seconds: u64) -> String {
    match seconds {
        0 => "0 s".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// Rounded up, so that nobody comes back too early.
fn rough_time(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().expect(name), HeaderValue::from_bytes(value.as_bytes()).expect(value))
            })
            .collect()
    }

    #[test]
    fn limits_are_told_in_a_sentence() {
        for (list, expected) in [
            (&[][..], None),
            (&[("ratelimit-limit", "")], None),
            (&[("docker-ratelimit-source", "192.0.2.1")], None),
            (&[("ratelimit-reset", "10")], None),
            (&[("ratelimit-limit", "100;w=21600")], Some("limit 100 per 6 h")),
            (
                &[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600")],
                Some("limit 100 per 6 h, 0 left"),
            ),
            (
                &[
                    ("ratelimit-limit", "100;w=21600"),
                    ("ratelimit-remaining", "0;w=21600"),
                    ("ratelimit-reset", "680"),
                    ("docker-ratelimit-source", "2600:3c00::"),
                ],
                Some("limit 100 per 6 h, 0 left, resets in 12 min, counted for 2600:3c00::"),
            ),
            (&[("ratelimit-limit", "10, 10;w=1;burst=1000, 1000;w=90")], Some("limit 10 per 1 s")),
            (&[("ratelimit-limit", "10;w=90")], Some("limit 10 per 90 s")),
            (
                &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111897")],
                Some("limit 60, 0 left, resets in 217809 h"),
            ),
            (
                &[
                    ("x-ratelimit-limit", "60"),
                    ("x-ratelimit-remaining", "0"),
                    // 100 s later than the date.
                    ("x-ratelimit-reset", "1784111877"),
                    ("date", "Wed, 15 Jul 2026 10:36:17 GMT"),
                ],
                Some("limit 60, 0 left, resets in 100 s"),
            ),
            (&[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "1000000000")], Some("5 left, resets in 0 s")),
            (&[("ratelimit", "limit=100, remaining=50, reset=5")], Some("limit 100, 50 left, resets in 5 s")),
            (
                &[("ratelimit-policy", "\"default\";q=100;w=10"), ("ratelimit", "\"default\";r=50;t=30")],
                Some("limit 100 per 10 s, 50 left, resets in 30 s"),
            ),
            (
                &[("ratelimit-remaining", "0"), ("docker-ratelimit-source", "a\tb")],
                Some("0 left, counted for a\u{b7}b"),
            ),
            (&[("ratelimit-limit", "many"), ("ratelimit-remaining", "-1")], None),
        ] {
            assert_eq!(rate_limit(&headers(list)).as_deref(), expected, "{list:?}");
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        for (list, seconds) in [
            (&[][..], None),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", " 120 ")], Some(120)),
            (&[("retry-after", "18446744073709551615")], Some(u64::MAX)),
            (&[("retry-after", "18446744073709551616")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "Wed, 21 Oct 2015 07:30:00 GMT"), date], Some(120)),
            (&[("retry-after", "Wednesday, 21-Oct-15 07:30:00 GMT"), date], Some(120)),
            (&[("retry-after", "Wed Oct 21 07:30:00 2015"), date], Some(120)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT"), date], Some(0)),
            (&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")], Some(0)),
        ] {
            assert_eq!(retry_after(&headers(list)), seconds.map(Duration::from_secs), "{list:?}");
        }
        let in_a_while = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600));
        let wait = retry_after(&headers(&[("retry-after", &in_a_while)])).expect("a wait");
        assert!((590..=600).contains(&wait.as_secs()), "{wait:?}");
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parsers_panic(value in "[ -~]{0,40}", other in "[0-9a-z=;, \"]{0,40}") {
            let map = headers(&[
                ("ratelimit-limit", &value), ("ratelimit-reset", &other), ("ratelimit", &other), ("retry-after", &value),
            ]);
            let _ = (rate_limit(&map), retry_after(&map));
        }
    }
}
