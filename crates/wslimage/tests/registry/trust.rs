//! TLS: whom the library trusts, who it says it is, and what is told where there is no secure connection.

use wslimage::{Client, ClientOptions, ErrorKind, RetryPolicy};
use wslimage_test_registry::{Blob, Image, Platform as Served, Step, TlsFaults, TlsListener};

use crate::fixture::{Fixture, Recorder, everything_said, request_at};

/// Stands in the query of addresses, where signatures do.
const SIGNATURE: &str = "SECRET-s1gnature";

/// Pulls `a/b` of the registry at `host`; the verbose lines come along.
async fn pull(fixture: &Fixture, host: &str, options: ClientOptions) -> (wslimage::Result<()>, Vec<String>) {
    let (recorder, _, job) = Recorder::job();
    let result = async {
        let client = Client::new(options)?;
        let image = wslimage::resolve(&client, request_at(host, "a/b"), &job).await?;
        wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job).await
    };
    let result = result.await.map(drop);
    (result, recorder.verbose_lines())
}

fn tries_again(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains(". Trying again in ")).count()
}

type Address = fn(&TlsFaults) -> &str;

/// A certificate that is not to be trusted, what is told of it, and what to do.
type BadCertificate = (&'static str, Address, &'static [&'static str]);

fn bad_certificates() -> [BadCertificate; 4] {
    let expired = &["its certificate has expired", "Check this machine's clock too."][..];
    let not_yet_valid = &["its certificate is not valid yet", "Check this machine's clock."][..];
    [
        ("expired", |faults| &faults.expired, expired),
        // Windows has one word for both.
        ("not yet valid", |faults| &faults.not_yet_valid, if cfg!(windows) { expired } else { not_yet_valid }),
        ("for another name", |faults| &faults.other_name, &["its certificate is for another name"]),
        (
            "of an unknown issuer",
            |faults| &faults.unknown_authority,
            &["its certificate is by an issuer that this system does not trust", "Add the issuer's certificate"],
        ),
    ]
}

#[tokio::test]
async fn a_bad_certificate_is_told_for_what_it_is_and_not_tried_again() {
    for at_cdn in [false, true] {
        for (name, address, words) in bad_certificates() {
            let case = format!("{name}, at the CDN: {at_cdn}");
            let fixture = Fixture::new().await;
            fixture.put_older_file();
            let served = fixture.serve(Fixture::image("a/b"));
            let bad = address(fixture.registry.tls_faults());
            let (host, attempt) = if at_cdn {
                let location = format!("https://{bad}/cdn/a/b/number/layer?signature={SIGNATURE}");
                let redirect = Step::status(307).header("Location", &location);
                fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [redirect]);
                (fixture.registry.https_address(), "Failed to download Docker image layer: ")
            } else {
                (bad, "Failed to get authentication token: ")
            };
            let (result, lines) = pull(&fixture, host, fixture.options()).await;
            let error = result.expect_err(&case);
            assert_eq!(error.kind(), ErrorKind::Tls, "{case}: {error}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("{attempt}no secure connection to {bad}: ")), "{case}: {text}");
            if cfg!(any(windows, target_os = "linux")) {
                assert!(words.iter().all(|words| text.contains(words)), "{case}: {text}");
            }
            assert_eq!(tries_again(&lines), 0, "{case}: {lines:?}");
            assert!(!format!("{lines:?}{}", everything_said(&error)).contains(SIGNATURE), "{case}: {error:?}");
            fixture.expect_older_file();
        }
    }
}

#[tokio::test]
async fn any_certificate_is_taken_where_the_user_says_so() {
    for (name, address, _) in bad_certificates() {
        let fixture = Fixture::new().await;
        fixture.serve(Fixture::image("a/b"));
        let bad = address(fixture.registry.tls_faults());
        let options = ClientOptions { skip_certificate_check: true, ca_certificate: None, ..fixture.options() };
        pull(&fixture, bad, options).await.0.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
    }
}

#[tokio::test]
async fn an_authority_is_trusted_when_its_file_is_given() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("a/b"));
    let host = fixture.registry.https_address();
    let error = pull(&fixture, host, ClientOptions { ca_certificate: None, ..fixture.options() }).await.0;
    assert_eq!(error.expect_err("an unknown issuer").kind(), ErrorKind::Tls);
    // A bundle of several, among them the right one.
    let other = wslimage_test_registry::TestRegistry::start().await.expect("a registry");
    let both = [other.ca_certificate_path(), fixture.registry.ca_certificate_path()]
        .map(|file| std::fs::read_to_string(file).expect("a certificate"))
        .concat();
    let bundle = fixture.extra().join("bundle.pem");
    std::fs::write(&bundle, both).expect("a file");
    let options = ClientOptions { ca_certificate: Some(bundle), ..fixture.options() };
    pull(&fixture, host, options).await.0.expect("a file");
    fixture.expect_layer_in_file();
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_named() {
    let fixture = Fixture::new().await;
    for (name, content, words) in [
        ("absent.pem", None, ""),
        ("empty.pem", Some(""), "the file holds no certificate in PEM form"),
        ("text.pem", Some("no certificate"), "the file holds no certificate in PEM form"),
        ("broken.pem", Some("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"), ""),
        ("unfinished.pem", Some("-----BEGIN CERTIFICATE-----\nAAAA\n"), ""),
    ] {
        let file = fixture.extra().join(name);
        if let Some(content) = content {
            std::fs::write(&file, content).expect("a file");
        }
        let options = ClientOptions { ca_certificate: Some(file.clone()), ..fixture.options() };
        let error = pull(&fixture, fixture.registry.https_address(), options).await.0.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}: {error}");
        let expected = format!("The CA certificates in {} cannot be used: {words}", file.display());
        assert!(error.to_string().starts_with(&expected), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_cut_is_tried_again() {
    for (name, cuts, maximum_retries, expected) in [
        ("once", 1, 2, Ok(())),
        ("more often", 3, 5, Ok(())),
        ("once, without another try", u32::MAX, 0, Err(0)),
        ("always", u32::MAX, 2, Err(2)),
    ] {
        for at_cdn in [false, true] {
            let case = format!("{name}, at the CDN: {at_cdn}");
            let fixture = Fixture::new().await;
            fixture.put_older_file();
            let served = fixture.serve(Fixture::image("a/b"));
            let listener = TlsListener { handshake_cuts: cuts, ..TlsListener::default() };
            let cutting = fixture.registry.add_tls_listener(listener).await.expect("a listener");
            let mut host = cutting.as_str();
            if at_cdn {
                let location = format!("https://{cutting}/cdn/a/b/number/layer?signature={SIGNATURE}");
                let redirect = Step::status(307).header("Location", &location);
                fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [redirect]);
                fixture.route("/cdn/a/b/number/layer", [Step::text(200, crate::fixture::LAYER)]);
                host = fixture.registry.https_address();
            }
            let policy = RetryPolicy { maximum_retries, ..fixture.options().retry };
            let (result, lines) = pull(&fixture, host, ClientOptions { retry: policy, ..fixture.options() }).await;
            match (result, expected) {
                (Ok(()), Ok(())) => {
                    fixture.expect_layer_in_file();
                    assert!(tries_again(&lines) >= 1, "{case}: {lines:?}");
                }
                (Err(error), Err(retries)) => {
                    assert_eq!(error.kind(), ErrorKind::Connection, "{case}: {error}");
                    assert!(error.to_string().contains(&format!("no connection to {cutting}: ")), "{case}: {error}");
                    assert_eq!(tries_again(&lines), retries, "{case}: {lines:?}");
                    assert!(!format!("{lines:?}{}", everything_said(&error)).contains(SIGNATURE), "{case}: {error:?}");
                    fixture.expect_older_file();
                }
                (result, _) => panic!("{case}: {result:?}"),
            }
        }
    }
}

#[tokio::test]
async fn what_speaks_neither_tls_nor_http_is_told() {
    for plain_http in [false, true] {
        let fixture = Fixture::new().await;
        let host = &fixture.registry.tls_faults().gibberish;
        let (result, _) = pull(&fixture, host, ClientOptions { plain_http, ..fixture.options() }).await;
        let error = result.expect_err("gibberish");
        let (kind, words) = match plain_http {
            true => (ErrorKind::Connection, format!("the request to {host} failed: ")),
            false => {
                (ErrorKind::Tls, format!("no secure connection to {host}: what it answers is no TLS. Check the host"))
            }
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(&format!("Failed to get authentication token: {words}")), "{error}");
    }
}

#[tokio::test]
async fn http_2_is_offered_and_http_1_is_spoken_so_that_connections_are_many() {
    let fixture = Fixture::new().await;
    let content = "0123456789abcdef".repeat(1024 * 1024);
    let served = fixture.serve(Image {
        platforms: vec![Served::linux_amd64(vec![Blob::text(content.clone())])],
        ..Fixture::image("a/b")
    });
    let blob = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
    fixture.route(&blob, [Step { bytes_per_second: Some(4 * 1024 * 1024), ..Step::pass() }]);
    pull(&fixture, fixture.registry.https_address(), fixture.options()).await.0.expect("a file");
    assert!(std::fs::read_to_string(fixture.destination()).expect("the file") == content);
    let log = fixture.registry.log("a/b");
    assert!(log.iter().all(|request| request.version == "HTTP/1.1"), "{log:?}");
    let mut connections: Vec<_> = log.iter().filter(|it| it.path == blob).map(|it| it.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert!(connections.len() > 1, "{connections:?}");
}

/// `certs.d` of docker and podman, in the user's folder.
#[cfg(unix)]
mod certificates_of_a_host {
    use std::path::{Path, PathBuf};

    use wslimage::Environment;
    use wslimage_test_registry::Certificate;

    use super::*;

    /// A user whose `certs.d` holds copies of `files` for `host`.
    fn user_with(fixture: &Fixture, host: &str, files: &[(&str, &Path)]) -> Environment {
        let folder = fixture.extra().join(".config/containers/certs.d").join(host);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, file) in files {
            std::fs::copy(file, folder.join(name)).expect("a file");
        }
        [("HOME", fixture.extra())].into_iter().collect()
    }

    #[tokio::test]
    async fn an_authority_is_trusted_for_its_host_only() {
        for (name, folder, is_trusted) in
            [("its own", "HOST", true), ("another port", "localhost:1", false), ("no port", "localhost", false)]
        {
            let fixture = Fixture::new().await;
            fixture.serve(Fixture::image("a/b"));
            let host = fixture.registry.https_address();
            let authority = fixture.registry.ca_certificate_path();
            let environment = user_with(&fixture, &folder.replace("HOST", host), &[("ca.crt", authority)]);
            let options = ClientOptions { ca_certificate: None, environment, ..fixture.options() };
            match pull(&fixture, host, options).await.0 {
                Ok(()) => assert!(is_trusted, "{name}"),
                Err(error) => {
                    assert!(!is_trusted, "{name}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Tls, "{name}: {error}");
                }
            }
        }
    }

    /// What stands in `certs.d`: the registry's own files by name, or none of them.
    type Files = fn(&Fixture) -> Vec<(&'static str, PathBuf)>;

    /// The name of a case, its files, and the error that they lead to.
    type Case = (&'static str, Files, Option<(ErrorKind, &'static str)>);

    #[tokio::test]
    async fn a_registry_that_wants_a_client_certificate_gets_the_one_that_is_set_up() {
        fn certificate(fixture: &Fixture) -> PathBuf {
            fixture.registry.client_certificate_path().to_owned()
        }
        fn key(fixture: &Fixture) -> PathBuf {
            fixture.registry.client_key_path().to_owned()
        }
        fn authority(fixture: &Fixture) -> PathBuf {
            fixture.registry.ca_certificate_path().to_owned()
        }
        let cases: [Case; 8] = [
            ("both", |it| vec![("client.cert", certificate(it)), ("client.key", key(it))], None),
            (
                "both and the authority",
                |it| vec![("ca.crt", authority(it)), ("client.cert", certificate(it)), ("client.key", key(it))],
                None,
            ),
            (
                "none",
                |_| vec![],
                Some((ErrorKind::Tls, "no secure connection to HOST: it wants a certificate of this client. Put it")),
            ),
            (
                "an authority only",
                |it| vec![("ca.crt", authority(it))],
                Some((ErrorKind::Tls, "no secure connection to HOST: it wants a certificate of this client. Put it")),
            ),
            (
                "a certificate without its key",
                |it| vec![("client.cert", certificate(it))],
                Some((ErrorKind::InvalidArgument, "HOST/client.cert cannot be used: the key client.key is missing")),
            ),
            (
                "a key without its certificate",
                |it| vec![("client.key", key(it))],
                Some((
                    ErrorKind::InvalidArgument,
                    "HOST/client.key cannot be used: the certificate client.cert is missing",
                )),
            ),
            (
                "a key in the certificate's place",
                |it| vec![("client.cert", key(it)), ("client.key", key(it))],
                Some((ErrorKind::InvalidArgument, "HOST/client.cert cannot be used: it holds no certificate in PEM")),
            ),
            (
                "a certificate and another's key",
                |it| vec![("client.cert", authority(it)), ("client.key", key(it))],
                Some((ErrorKind::InvalidArgument, "The client certificate in certs.d cannot be used: ")),
            ),
        ];
        for (name, files, expected) in cases {
            let fixture = Fixture::new().await;
            fixture.serve(Fixture::image("a/b"));
            let host = &fixture.registry.tls_faults().client_certificate;
            let files = files(&fixture);
            let files: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_path())).collect();
            let environment = user_with(&fixture, host, &files);
            let (result, _) = pull(&fixture, host, ClientOptions { environment, ..fixture.options() }).await;
            match (result, expected) {
                (Ok(()), None) => fixture.expect_layer_in_file(),
                (Err(error), Some((kind, words))) => {
                    assert_eq!(error.kind(), kind, "{name}: {error}");
                    assert!(error.to_string().contains(&words.replace("HOST", host)), "{name}: {error}");
                    assert!(!everything_said(&error).contains("PRIVATE KEY"), "{name}: {error:?}");
                }
                (result, _) => panic!("{name}: {result:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_client_certificate_is_for_its_host_only() {
        let fixture = Fixture::new().await;
        let served = fixture.serve(Fixture::image("a/b"));
        let wanting = &fixture.registry.tls_faults().client_certificate;
        let files = [
            ("client.cert", fixture.registry.client_certificate_path()),
            ("client.key", fixture.registry.client_key_path()),
        ];
        let host = fixture.registry.https_address();
        let environment = user_with(&fixture, host, &files);
        let redirect = Step::status(307).header("Location", &format!("https://{wanting}/cdn/a/b/number/layer"));
        fixture.route(&format!("/v2/a/b/blobs/{}", served.layers[0][0].digest), [redirect]);
        fixture.route("/cdn/a/b/number/layer", [Step::text(200, crate::fixture::LAYER)]);
        let (result, _) = pull(&fixture, host, ClientOptions { environment, ..fixture.options() }).await;
        let error = result.expect_err("another host wants one");
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(error.to_string().contains("it wants a certificate of this client"), "{error}");
    }

    #[tokio::test]
    async fn a_certificate_that_is_set_up_for_the_host_does_not_make_others_good() {
        let fixture = Fixture::new().await;
        fixture.serve(Fixture::image("a/b"));
        let listener = TlsListener { certificate: Certificate::Expired, ..TlsListener::default() };
        let host = fixture.registry.add_tls_listener(listener).await.expect("a listener");
        let environment = user_with(&fixture, &host, &[("ca.crt", fixture.registry.ca_certificate_path())]);
        let options = ClientOptions { ca_certificate: None, environment, ..fixture.options() };
        let error = pull(&fixture, &host, options).await.0.expect_err("expired");
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    }
}
