//! Which proxy a request goes through, and what it means when the proxy does not let it.
//!
//! `address` reads the address of a proxy, `no_proxy` the list of what is reached without one, `windows` the settings of
//! that system; `failure` turns what a proxy answers into errors, for which `probe` asks it once more.

mod address;
mod failure;
mod no_proxy;
mod probe;
#[cfg(any(windows, test))]
mod windows;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use url::Url;

use self::address::ProxyAddress;
pub(super) use self::failure::{answer_of_proxy, proxy_failure};
use self::no_proxy::{NoProxy, Target};
use super::options::{Credential, Proxy};
use super::transport::host;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};

/// The proxy of one request.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    address: ProxyAddress,
    chosen_by: ChosenBy,
}

/// What named a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChosenBy {
    Caller,
    Variable(&'static str),
    #[cfg(any(windows, test))]
    Windows,
}

impl Chosen {
    /// Its address, without a user.
    pub(super) fn url(&self) -> &Url {
        &self.address.url
    }

    /// Who signs in there.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.address.credential.as_ref()
    }
}

/// Host and port, and where they come from: `proxy:3128 (HTTPS_PROXY)`.
impl fmt::Display for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&host(self.url()))?;
        match self.chosen_by {
            ChosenBy::Caller => Ok(()),
            ChosenBy::Variable(name) => write!(formatter, " ({name})"),
            #[cfg(any(windows, test))]
            ChosenBy::Windows => formatter.write_str(" (Windows' settings)"),
        }
    }
}

/// Says for every address which proxy it is reached through.
#[derive(Debug)]
pub(super) struct ProxyChooser {
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Never,
    Always(Chosen),
    Variables(Variables),
    #[cfg(windows)]
    Windows(NoProxy, windows::SystemSettings),
}

/// `HTTP_PROXY` and its kin.
#[derive(Debug)]
struct Variables {
    http: Option<Chosen>,
    https: Option<Chosen>,
    no_proxy: NoProxy,
}

impl ProxyChooser {
    /// Reads what `proxy` and the variables say.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an address that cannot be used. It names the variable, not its value.
    pub(super) fn new(proxy: &Proxy, environment: &Environment) -> Result<Self> {
        let rule = match proxy {
            Proxy::Never => Rule::Never,
            Proxy::Server(server) => {
                let mut address = ProxyAddress::of_url(&server.url).map_err(|reason| unusable("The proxy", reason))?;
                if server.credential.is_some() {
                    address.credential.clone_from(&server.credential);
                }
                Rule::Always(Chosen { address, chosen_by: ChosenBy::Caller })
            }
            Proxy::System => Self::of_system(environment)?,
        };
        Ok(Self { rule })
    }

    fn of_system(environment: &Environment) -> Result<Rule> {
        let variables = Variables::read(environment)?;
        #[cfg(windows)]
        if variables.http.is_none() && variables.https.is_none() && environment.variables().next().is_some() {
            return Ok(Rule::Windows(variables.no_proxy, windows::SystemSettings::of_current_user()?));
        }
        Ok(Rule::Variables(variables))
    }

    /// The proxy through which `url` is reached; `None` for none. On Windows the first answer for a host may take
    /// seconds, because a script is fetched and run: [`Self::prepare`] waits for it without blocking.
    pub(super) fn choose(&self, url: &Url) -> Option<Chosen> {
        match &self.rule {
            Rule::Never => None,
            Rule::Always(chosen) => Some(chosen.clone()),
            Rule::Variables(variables) => variables.choose(url),
            #[cfg(windows)]
            Rule::Windows(no_proxy, settings) => {
                if no_proxy.contains(&Target::of(url)?) {
                    None
                } else {
                    settings.choose(url)
                }
            }
        }
    }

    /// As [`Self::choose`], off the threads that must not wait. What it finds is kept for `choose`.
    pub(super) async fn prepare(self: &Arc<Self>, url: &Url) -> Option<Chosen> {
        #[cfg(windows)]
        if let Rule::Windows(..) = &self.rule {
            let (chooser, url) = (self.clone(), url.clone());
            return tokio::task::spawn_blocking(move || chooser.choose(&url)).await.ok().flatten();
        }
        self.choose(url)
    }

    /// The same choice for reqwest, which sends the credential as `Proxy-Authorization` with CONNECT (https) and with
    /// the request itself (http), or as SOCKS has it.
    pub(super) fn reqwest_proxy(self: Arc<Self>) -> reqwest::Proxy {
        reqwest::Proxy::custom(move |url| self.choose(url).map(|chosen| chosen.address.with_user()))
    }
}

impl Variables {
    /// Of a lower-case and an upper-case name the lower-case one counts, as curl has it.
    fn read(environment: &Environment) -> Result<Self> {
        // A CGI program finds the request's `Proxy:` header in HTTP_PROXY (httpoxy.org).
        let http_names: &[&str] = match environment.get("REQUEST_METHOD") {
            Some(_) if cfg!(windows) => &[],
            Some(_) => &["http_proxy"],
            None => &["http_proxy", "HTTP_PROXY"],
        };
        let mut all = None;
        let mut for_scheme = |names: &[&'static str]| match proxy_of_variable(environment, names)? {
            Some(chosen) => Ok(Some(chosen)),
            None => match &all {
                Some(known) => Ok(Option::clone(known)),
                None => {
                    let chosen = proxy_of_variable(environment, &["all_proxy", "ALL_PROXY"])?;
                    all = Some(chosen.clone());
                    Ok(chosen)
                }
            },
        };
        Ok(Self {
            https: for_scheme(&["https_proxy", "HTTPS_PROXY"])?,
            http: for_scheme(http_names)?,
            no_proxy: NoProxy::parse(
                environment.text("no_proxy").or_else(|| environment.text("NO_PROXY")).unwrap_or_default(),
            ),
        })
    }

    fn choose(&self, url: &Url) -> Option<Chosen> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref()?,
            "http" => self.http.as_ref()?,
            _ => return None,
        };
        let target = Target::of(url)?;
        // This machine is never reached through a proxy (golang.org/x/net/http/httpproxy, useProxy).
        (!target.is_loopback() && !self.no_proxy.contains(&target)).then(|| proxy.clone())
    }
}

fn proxy_of_variable(environment: &Environment, names: &[&'static str]) -> Result<Option<Chosen>> {
    // Windows knows one name in any case, and users write it in capitals.
    let is_one_of_two = |name: &&&str| !cfg!(windows) || name.bytes().all(|byte| !byte.is_ascii_lowercase());
    let mut found = names.iter().filter(is_one_of_two).filter_map(|name| Some((*name, environment.get(name)?)));
    let Some((name, value)) = found.next() else { return Ok(None) };
    let attempt = format!("The proxy of the environment variable {name}");
    let text = value.to_str().ok_or_else(|| unusable(&attempt, "it is not Unicode"))?;
    let address = ProxyAddress::parse(text).map_err(|reason| unusable(&attempt, reason))?;
    Ok(Some(Chosen { address, chosen_by: ChosenBy::Variable(name) }))
}

fn unusable(proxy: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("{proxy} cannot be used: {reason}")).advice(
        "A proxy is given as http://proxy.example:3128, with a user as http://user:password@proxy.example:3128.",
    )
}
