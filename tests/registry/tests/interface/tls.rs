//! What goes wrong with TLS, and what a client has to bring.

use crate::client::{Outcome, client};
use reqwest::{Client, Identity};
use wslimage_test_registry::{Certificate, TestRegistry, TlsListener};

fn builder(registry: &TestRegistry) -> reqwest::ClientBuilder {
    // It installs the provider.
    let _ = client(registry);
    let pem = std::fs::read(registry.ca_certificate_path()).expect("the CA file is there");
    Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&pem).expect("a certificate")])
}

/// An error with all its causes.
fn causes(error: &dyn std::error::Error) -> String {
    error.source().map_or(error.to_string(), |source| format!("{error}: {}", causes(source)))
}

#[tokio::test]
async fn a_wrong_certificate_is_wrong_in_one_way() -> Outcome {
    let registry = TestRegistry::start().await?;
    let faults = registry.tls_faults().clone();
    let careless = builder(&registry).tls_danger_accept_invalid_certs(true).build()?;
    for (address, reason, listener) in [
        (&faults.expired, "Expired", "expired"),
        (&faults.not_yet_valid, "NotValidYet", "notYetValid"),
        (&faults.other_name, "NotValidForName", "otherName"),
        (&faults.unknown_authority, "UnknownIssuer", "unknownAuthority"),
    ] {
        let url = format!("https://{address}/v2/");
        let error = client(&registry).get(&url).send().await.expect_err("no trust");
        let text = format!("{error:?}");
        assert!(text.contains(reason), "{listener}: {text}");
        // The rest is in order.
        assert_eq!(careless.get(&url).send().await?.status(), 200, "{listener}");
        let log = registry.log_of(&wslimage_test_registry::LogFilter {
            listener: Some(listener.into()),
            ..wslimage_test_registry::LogFilter::default()
        });
        assert_eq!(log.len(), 1, "{listener}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_needs_a_certificate() -> Outcome {
    let registry = TestRegistry::start().await?;
    let url = format!("https://{}/v2/", registry.tls_faults().client_certificate);
    let error = client(&registry).get(&url).send().await.expect_err("no certificate");
    assert!(causes(&error).contains("CertificateRequired"), "{}", causes(&error));
    let mut pem = std::fs::read(registry.client_certificate_path())?;
    pem.extend(std::fs::read(registry.client_key_path())?);
    let known = builder(&registry).identity(Identity::from_pem(&pem)?).build()?;
    assert_eq!(known.get(&url).send().await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn the_first_handshakes_are_cut() -> Outcome {
    let registry = TestRegistry::start().await?;
    let listener = TlsListener { name: Some("cut".into()), handshake_cuts: 2, ..TlsListener::default() };
    let url = format!("https://{}/v2/", registry.add_tls_listener(listener).await?);
    for _ in 0..2 {
        let error = client(&registry).get(&url).send().await.expect_err("no handshake");
        assert!(causes(&error).contains("eof"), "{}", causes(&error));
    }
    assert_eq!(client(&registry).get(&url).send().await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn a_listener_may_be_added_with_any_fault() -> Outcome {
    let registry = TestRegistry::start().await?;
    let listener =
        TlsListener { certificate: Certificate::Expired, client_certificate: true, ..TlsListener::default() };
    let url = format!("https://{}/v2/", registry.add_tls_listener(listener).await?);
    assert!(client(&registry).get(&url).send().await.is_err());
    Ok(())
}

#[tokio::test]
async fn gibberish_is_neither_tls_nor_http() -> Outcome {
    let registry = TestRegistry::start().await?;
    let address = &registry.tls_faults().gibberish;
    for scheme in ["http", "https"] {
        let error = client(&registry).get(format!("{scheme}://{address}/v2/")).send().await.expect_err("no answer");
        let text = causes(&error);
        assert!(text.contains("invalid HTTP version") || text.contains("corrupt message"), "{scheme}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_list_of_revoked_certificates_is_there() -> Outcome {
    let registry = TestRegistry::start().await?;
    let list = client(&registry).get(format!("http://{}/revoked.crl", registry.http_address())).send().await?;
    assert_eq!(list.headers()["content-type"], "application/pkix-crl");
    // A SEQUENCE of DER.
    assert_eq!(list.bytes().await?.first(), Some(&0x30));
    Ok(())
}
