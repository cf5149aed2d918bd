//! The project's test registry, started for the C program, the Pester files, the demo and the benchmark.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::server::Server;

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running registry. Dropped, it ends.
pub(crate) struct Registry {
    server: Server,
    control: String,
    http: String,
    https: String,
    ca: PathBuf,
}

impl Registry {
    /// Starts the program and waits until it serves.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let server = Server::start(Command::new(program).arg("--until-stdin-closes"), PATIENCE)?;
        let ready: Value = serde_json::from_str(server.line())
            .with_context(|| format!("the test registry began with {:?}", server.line()))?;
        let text = |name: &str| {
            let value = ready[name].as_str().with_context(|| format!("the test registry does not tell {name}"));
            value.map(str::to_owned)
        };
        let (control, http, https, ca) = (text("control")?, text("http")?, text("https")?, text("ca")?.into());
        Ok(Self { server, control, http, https, ca })
    }

    /// `HOST:PORT` of the listener with TLS.
    pub(crate) fn https(&self) -> &str {
        &self.https
    }

    /// The certificate authority that signed the listener's certificate, PEM.
    pub(crate) fn ca(&self) -> &Path {
        &self.ca
    }

    /// Tells the addresses to a program that uses this registry.
    pub(crate) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WSLIMAGE_TEST_REGISTRY_CONTROL", &self.control)
            .env("WSLIMAGE_TEST_REGISTRY_HTTP", &self.http)
            .env("WSLIMAGE_TEST_REGISTRY_HTTPS", &self.https)
            .env("WSLIMAGE_TEST_REGISTRY_CA", &self.ca)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    /// Adds an image, described as the registry's documentation says.
    pub(crate) fn add_image(&self, image: &Value) -> Result<()> {
        ureq::post(format!("{}/images", self.control))
            .send_json(image)
            .context("the test registry did not take the image")?;
        Ok(())
    }

    /// Adds a route, described as the registry's documentation says, in the place of one of the same path.
    pub(crate) fn add_route(&self, route: &Value) -> Result<()> {
        ureq::post(format!("{}/routes", self.control))
            .send_json(route)
            .context("the test registry did not take the route")?;
        Ok(())
    }

    /// Waits so long before each answer.
    pub(crate) fn set_latency(&self, latency: Duration) -> Result<()> {
        ureq::put(format!("{}/latency", self.control))
            .send_json(json!({"latencyMs": latency.as_millis()}))
            .context("the test registry did not take the latency")?;
        Ok(())
    }

    /// All requests in the order of arrival, as the registry's documentation describes them, when all answers have ended.
    pub(crate) fn log(&self) -> Result<Vec<Value>> {
        const REQUESTS: &str = "/log?path=/";
        let count = self.get(REQUESTS)?.as_array().map_or(0, Vec::len);
        if count > 0 {
            self.get(&format!("/wait?path=/*&count={count}&ended=true"))?;
        }
        match self.get(REQUESTS)? {
            Value::Array(entries) => Ok(entries),
            other => anyhow::bail!("the test registry told {other} for its log"),
        }
    }

    /// Forgets all requests.
    pub(crate) fn forget_log(&self) -> Result<()> {
        ureq::delete(format!("{}/log?path=/", self.control))
            .call()
            .context("the test registry did not forget its log")?;
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let failed = || format!("the test registry did not answer to {path}");
        let mut answer = ureq::get(format!("{}{path}", self.control)).call().with_context(failed)?;
        answer.body_mut().read_json().with_context(failed)
    }
}
