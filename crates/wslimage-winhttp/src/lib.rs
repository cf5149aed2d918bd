//! The proxy settings of the user whose session this is, as WinHTTP tells them: what is set by hand, and what a script
//! on the network (PAC) says for an address. On other systems this crate is empty.

#![cfg(windows)]
#![allow(unsafe_code, reason = "WinHTTP is a C API, and no maintained crate wraps these calls safely")]
#![deny(unsafe_op_in_unsafe_fn)]

use std::ffi::c_void;
use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::GlobalFree;
use windows_sys::Win32::Networking::WinHttp::{
    ERROR_WINHTTP_LOGIN_FAILURE, WINHTTP_ACCESS_TYPE_NAMED_PROXY, WINHTTP_ACCESS_TYPE_NO_PROXY,
    WINHTTP_AUTO_DETECT_TYPE_DHCP, WINHTTP_AUTO_DETECT_TYPE_DNS_A, WINHTTP_AUTOPROXY_AUTO_DETECT,
    WINHTTP_AUTOPROXY_CONFIG_URL, WINHTTP_AUTOPROXY_OPTIONS, WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO,
    WinHttpCloseHandle, WinHttpGetIEProxyConfigForCurrentUser, WinHttpGetProxyForUrl, WinHttpOpen, WinHttpSetTimeouts,
};
use windows_sys::core::PWSTR;

/// The longest each step of finding and fetching a script may take, in milliseconds.
const STEP_TIMEOUT: i32 = 5_000;

/// What the user has set (Settings, Network & Internet, Proxy). An empty text is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// Whether the network is asked for a script ("Automatically detect settings").
    pub detects_script: bool,
    /// The address of a script ("Use setup script").
    pub script_address: Option<String>,
    /// Proxies as `WINHTTP_PROXY_INFO` has them: `proxy:8080`, or `http=proxy:8080;https=other:8080`.
    pub proxies: Option<String>,
    /// What is reached without them, such as `*.example.com;<local>`.
    pub exceptions: Option<String>,
}

impl UserSettings {
    /// The settings of the user that this process runs as.
    ///
    /// # Errors
    /// What `WinHttpGetIEProxyConfigForCurrentUser` reports, such as that there are no settings.
    pub fn of_current_user() -> io::Result<Self> {
        let mut found = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
        // SAFETY: `found` is valid for writes for the time of the call.
        if unsafe { WinHttpGetIEProxyConfigForCurrentUser(&mut found) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded: each member is null or a text that is ours to free, and none is used again.
        let [script_address, proxies, exceptions] =
            unsafe { [taken(found.lpszAutoConfigUrl), taken(found.lpszProxy), taken(found.lpszProxyBypass)] };
        Ok(Self { detects_script: found.fAutoDetect != 0, script_address, proxies, exceptions })
    }

    /// Whether a script says which proxy is for an address.
    pub fn has_script(&self) -> bool {
        self.detects_script || self.script_address.is_some()
    }
}

/// What a script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptAnswer {
    /// No proxy.
    Direct,
    /// Proxies and exceptions as in [`UserSettings`].
    Proxies {
        /// One or several, of which the first is to be used.
        proxies: String,
        /// What is reached without them.
        exceptions: Option<String>,
    },
}

/// Finds, fetches, keeps and runs scripts.
#[derive(Debug)]
pub struct ScriptRunner(*mut c_void);

// SAFETY: a WinHTTP session handle may be used from any thread, and by several at once (WinHTTP, "Thread safety").
unsafe impl Send for ScriptRunner {}
// SAFETY: as above.
unsafe impl Sync for ScriptRunner {}

impl ScriptRunner {
    /// A runner.
    ///
    /// # Errors
    /// What `WinHttpOpen` reports.
    pub fn new() -> io::Result<Self> {
        let agent = wide("WslImage");
        // SAFETY: `agent` is NUL-terminated and lives through the call; null is allowed for the others, which are
        // unused with this access type.
        let session = unsafe { WinHttpOpen(agent.as_ptr(), WINHTTP_ACCESS_TYPE_NO_PROXY, ptr::null(), ptr::null(), 0) };
        if session.is_null() {
            return Err(io::Error::last_os_error());
        }
        let runner = Self(session);
        // SAFETY: the handle is open. That the timeouts cannot be set leaves the longer defaults.
        unsafe { WinHttpSetTimeouts(runner.0, STEP_TIMEOUT, STEP_TIMEOUT, STEP_TIMEOUT, STEP_TIMEOUT) };
        Ok(runner)
    }

    /// What the script of `settings` says for `url`. Blocks while it is found and fetched.
    ///
    /// # Errors
    /// What `WinHttpGetProxyForUrl` reports, such as that there is no script.
    pub fn run(&self, settings: &UserSettings, url: &str) -> io::Result<ScriptAnswer> {
        // Without a login first: only so can the answer come from the cache (WINHTTP_AUTOPROXY_OPTIONS, remarks).
        match self.run_with(settings, url, false) {
            Err(error) if error.raw_os_error() == Some(ERROR_WINHTTP_LOGIN_FAILURE.cast_signed()) => {
                self.run_with(settings, url, true)
            }
            answer => answer,
        }
    }

    fn run_with(&self, settings: &UserSettings, url: &str, signs_in: bool) -> io::Result<ScriptAnswer> {
        let url = wide(url);
        let script_address = settings.script_address.as_deref().map(wide);
        let mut options = WINHTTP_AUTOPROXY_OPTIONS {
            fAutoLogonIfChallenged: signs_in.into(),
            ..WINHTTP_AUTOPROXY_OPTIONS::default()
        };
        if settings.detects_script {
            options.dwFlags |= WINHTTP_AUTOPROXY_AUTO_DETECT;
            options.dwAutoDetectFlags = WINHTTP_AUTO_DETECT_TYPE_DHCP | WINHTTP_AUTO_DETECT_TYPE_DNS_A;
        }
        if let Some(address) = &script_address {
            options.dwFlags |= WINHTTP_AUTOPROXY_CONFIG_URL;
            options.lpszAutoConfigUrl = address.as_ptr();
        }
        let mut found = WINHTTP_PROXY_INFO::default();
        // SAFETY: the handle is open; `url` and the address in `options` are NUL-terminated and live through the call,
        // and both structures are valid for it.
        if unsafe { WinHttpGetProxyForUrl(self.0, url.as_ptr(), &mut options, &mut found) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded: each member is null or a text that is ours to free, and none is used again.
        let [proxies, exceptions] = unsafe { [taken(found.lpszProxy), taken(found.lpszProxyBypass)] };
        Ok(match proxies {
            Some(proxies) if found.dwAccessType == WINHTTP_ACCESS_TYPE_NAMED_PROXY => {
                ScriptAnswer::Proxies { proxies, exceptions }
            }
            _ => ScriptAnswer::Direct,
        })
    }
}

impl Drop for ScriptRunner {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody uses it any more.
        unsafe { WinHttpCloseHandle(self.0) };
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain(Some(0)).collect()
}

/// The text at `text`, which is freed. `None` for null and for an empty one.
///
/// # Safety
/// `text` is null, or NUL-terminated, allocated by `GlobalAlloc` and not used afterwards.
unsafe fn taken(text: PWSTR) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: every unit up to the NUL is readable.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: `length` units stand there, counted above.
    let owned = String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) });
    // SAFETY: allocated by `GlobalAlloc`, as the caller promises.
    unsafe { GlobalFree(text.cast()) };
    (!owned.is_empty()).then_some(owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_settings_or_there_is_a_reason() {
        match UserSettings::of_current_user() {
            Ok(settings) => assert_ne!(settings.proxies.as_deref(), Some(""), "an empty text is none"),
            Err(error) => assert!(error.raw_os_error().is_some(), "{error}"),
        }
    }

    #[test]
    fn a_script_that_is_not_there_is_an_error() {
        let settings =
            UserSettings { script_address: Some("http://127.0.0.1:9/none.pac".to_owned()), ..UserSettings::default() };
        let runner = ScriptRunner::new().expect("a session");
        assert!(runner.run(&settings, "https://registry.example/").is_err());
    }
}
