//! nginx on loopback, with a certificate of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::image;
use super::measure::capture;
use crate::process;

/// A running nginx. Dropped, it ends; it also ends when this process is killed.
pub(super) struct NearServer {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl NearServer {
    /// Serves the files in `root`, and logs who asks for the blob `layer_hex`; `folder` is for configuration,
    /// certificates and logs.
    pub(super) fn start(folder: &Path, root: &Path, layer_hex: &str) -> Result<Self> {
        certify(folder)?;
        fs::create_dir(folder.join("temporary"))?;
        let mut failure = None;
        // Between its choice and its use somebody else may take the port.
        for _ in 0..3 {
            match Self::try_start(folder, root, layer_hex) {
                Ok(server) => return Ok(server),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("nginx was not started")?)
    }

    fn try_start(folder: &Path, root: &Path, layer_hex: &str) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (configuration, errors) = (folder.join("nginx.conf"), folder.join("error.log"));
        fs::write(&configuration, self::configuration(folder, root, layer_hex, port))?;
        fs::write(&errors, "")?;
        let mut command = process::command("setpriv");
        command.args(["--pdeathsig", "TERM", "--", "nginx", "-p"]).arg(folder);
        command.arg("-c").arg(&configuration).arg("-e").arg(&errors);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("cannot start nginx")?;
        let mut server = Self { child, port, folder: folder.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let told = fs::read_to_string(&errors).unwrap_or_default();
                bail!("nginx does not serve: {}", told.trim());
            }
            thread::sleep(Duration::from_millis(20));
        }
        // Somebody else's server would not have this certificate.
        let mut first = process::command("curl");
        first.args(["-sSf", "--noproxy", "*", "--cacert"]).arg(server.ca());
        first.arg(format!("https://{}/v2/", server.address()));
        capture(first).context("nginx does not answer")?;
        Ok(server)
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate authority that signed the server's certificate, PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// With which TLS version and cipher each client, by its User-Agent, fetched the layer.
    pub(super) fn transports(&self) -> Result<BTreeMap<String, String>> {
        let log = fs::read_to_string(self.folder.join("clients.log"))?;
        let pairs = log.lines().filter_map(|line| line.rsplit_once(';'));
        Ok(pairs.map(|(client, transport)| (client.to_owned(), transport.to_owned())).collect())
    }
}

impl Drop for NearServer {
    fn drop(&mut self) {
        // It is one process, so that this is the end of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// TLS 1.3 as registries have it; nginx before 1.23.4 has it only when told.
fn configuration(folder: &Path, root: &Path, layer: &str, port: u16) -> String {
    let (folder, root) = (folder.display(), root.display());
    let (name, tag) = (image::NAME, image::TAG);
    let (index, manifest) = (image::INDEX, image::MANIFEST);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path \"{folder}/temporary/{kind}\";\n"))
        .concat();
    format!(
        r#"daemon off;
master_process off;
pid "{folder}/nginx.pid";
events {{}}
http {{
{temporary}    log_format client '$http_user_agent;$ssl_protocol $ssl_cipher';
    access_log off;
    sendfile on;
    types {{}}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate "{folder}/server.pem";
        ssl_certificate_key "{folder}/server.key";
        root "{root}";
        default_type application/json;
        location = /v2/ {{ return 200 '{{}}'; }}
        location = /token {{ return 200 '{{"token":"anonymous"}}'; }}
        location = /v2/{name}/manifests/{tag} {{ default_type {index}; }}
        location /v2/{name}/manifests/ {{ default_type {manifest}; }}
        location /v2/{name}/blobs/ {{ default_type application/octet-stream; }}
        location = /v2/{name}/blobs/sha256:{layer} {{
            default_type application/octet-stream;
            access_log "{folder}/clients.log" client;
        }}
    }}
}}
"#
    )
}

/// Writes ca.pem, server.pem and server.key.
fn certify(folder: &Path) -> Result<()> {
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut authority = process::command("openssl");
    authority.current_dir(folder).args(["req", "-x509", "-days", "30", "-subj", "/CN=WslImage benchmark CA"]);
    authority.args(new_key).args(["-keyout", "ca.key", "-out", "ca.pem"]);
    authority.args(["-addext", "keyUsage=critical,keyCertSign"]);
    capture(authority)?;

    let mut server = process::command("openssl");
    server.current_dir(folder).args(["req", "-x509", "-days", "30", "-subj", "/CN=localhost"]);
    server.args(["-CA", "ca.pem", "-CAkey", "ca.key"]).args(new_key);
    server.args(["-keyout", "server.key", "-out", "server.pem"]);
    server.args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"]);
    server.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    capture(server)?;
    Ok(())
}
