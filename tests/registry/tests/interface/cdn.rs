//! Blobs that are elsewhere, under signed URLs.

use crate::client::{Outcome, client, header};
use reqwest::Client;
use reqwest::redirect::Policy;
use wslimage_test_registry::{
    Auth, Blob, Image, LogFilter, Platform, RedirectBlobs, RedirectTarget, RepositoryOptions, Route, Step, TestRegistry,
};

/// A registry whose blobs are redirected, and the path of one.
async fn with_redirect(redirect: RedirectBlobs) -> Result<(TestRegistry, String), wslimage_test_registry::Error> {
    let registry = TestRegistry::start().await?;
    let image = registry.add_image(Image {
        repository: "a/b".into(),
        options: Some(RepositoryOptions { redirect_blobs: Some(redirect), ..RepositoryOptions::default() }),
        platforms: vec![Platform::linux_amd64(vec![Blob::text("the layer")])],
        ..Image::default()
    })?;
    let path = format!("/v2/a/b/blobs/{}", image.layers[0][0].digest);
    Ok((registry, path))
}

fn unredirected(registry: &TestRegistry) -> Client {
    let pem = std::fs::read(registry.ca_certificate_path()).expect("the CA file is there");
    let ca = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    // It installs the provider.
    let _ = client(registry);
    Client::builder().tls_certs_only([ca]).redirect(Policy::none()).build().expect("a client")
}

#[tokio::test]
async fn a_blob_is_at_another_host_without_a_token() -> Outcome {
    for (to, scheme, listener) in [
        (RedirectTarget::Cdn, "https", "cdn"),
        (RedirectTarget::CdnHttp, "https", "cdnHttp"),
        (RedirectTarget::SameHostOtherPort, "https", "cdn"),
        (RedirectTarget::SameHostOtherPort, "http", "cdnHttp"),
    ] {
        let (registry, path) = with_redirect(RedirectBlobs { to, ..RedirectBlobs::default() }).await?;
        registry.set_auth("a/b", Auth::basic("user", "secret"))?;
        let asked = if scheme == "https" { registry.https_address() } else { registry.http_address() };
        let expected = match to {
            RedirectTarget::Cdn => format!("https://{}", registry.cdn_https_address()),
            RedirectTarget::CdnHttp => format!("http://{}", registry.cdn_http_address()),
            RedirectTarget::SameHostOtherPort => {
                let cdn = if scheme == "https" { registry.cdn_https_address() } else { registry.cdn_http_address() };
                let (host, port) = (asked.split(':').next(), cdn.split(':').nth(1));
                format!("{scheme}://{}:{}", host.unwrap_or_default(), port.unwrap_or_default())
            }
        };
        assert_ne!(expected, format!("{scheme}://{asked}"));

        let url = format!("{scheme}://{asked}{path}");
        assert_eq!(client(&registry).get(&url).send().await?.status(), 401);
        let redirect = unredirected(&registry).get(&url).basic_auth("user", Some("secret")).send().await?;
        let location = header(&redirect, "location").to_owned();
        assert_eq!(redirect.status(), 307);
        assert!(location.starts_with(&format!("{expected}/cdn/a/b/")), "{location}");
        assert!(location.contains("?signature=") && location.contains("&expires="), "{location}");
        assert_ne!(redirect.text().await?, "the layer");

        let part = client(&registry).get(&location).header("range", "bytes=4-").send().await?;
        assert_eq!((part.status().as_u16(), part.text().await?.as_str()), (206, "layer"));
        let forged = location.replace("signature=", "signature=0");
        let refused = client(&registry).get(forged).send().await?;
        assert_eq!((refused.status().as_u16(), header(&refused, "content-type")), (403, "application/xml"));

        // What arrived where is in the log.
        let log = registry.log_of(&LogFilter { listener: Some(listener.into()), ..LogFilter::default() });
        assert_eq!(log.len(), 2);
        assert!(log.iter().all(|it| !it.headers.contains_key("authorization")));
        assert_eq!(registry.log("a/b").len(), 4);
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_has_the_status_and_the_form_that_the_test_wants() -> Outcome {
    let rules = RedirectBlobs { status: 302, relative: true, ..RedirectBlobs::default() };
    let (registry, path) = with_redirect(rules).await?;
    let url = format!("https://{}{path}", registry.https_address());
    let redirect = unredirected(&registry).get(&url).send().await?;
    assert_eq!(redirect.status(), 302);
    assert!(header(&redirect, "location").starts_with("/cdn/a/b/"));
    assert_eq!(client(&registry).get(&url).send().await?.text().await?, "the layer");
    // Only GET is redirected.
    let head = unredirected(&registry).head(&url).send().await?;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "9"));
    let wrong = RedirectBlobs { status: 200, ..RedirectBlobs::default() };
    let wrong = RepositoryOptions { redirect_blobs: Some(wrong), ..RepositoryOptions::default() };
    assert!(registry.set_options("a/b", wrong).is_err());
    Ok(())
}

#[tokio::test]
async fn a_signed_url_ends_after_its_uses() -> Outcome {
    let rules = RedirectBlobs { expires_after_uses: Some(1), ..RedirectBlobs::default() };
    let (registry, path) = with_redirect(rules).await?;
    let url = format!("https://{}{path}", registry.https_address());
    let redirect = unredirected(&registry).get(&url).send().await?;
    let location = header(&redirect, "location").to_owned();
    let client = client(&registry);
    assert_eq!(client.get(&location).send().await?.text().await?, "the layer");
    let ended = client.get(&location).send().await?;
    assert_eq!(ended.status(), 403);
    assert!(ended.text().await?.contains("<Error><Code>AccessDenied</Code><Message>Request has expired"));
    // Another redirect leads to another URL.
    assert_eq!(client.get(&url).send().await?.text().await?, "the layer");
    Ok(())
}

#[tokio::test]
async fn the_cdn_has_faults_of_its_own_and_nothing_else() -> Outcome {
    let (registry, path) = with_redirect(RedirectBlobs::default()).await?;
    registry.add_route(Route::new("/cdn/a/b/*", [Step::status(503), Step { cut_after: Some(3), ..Step::pass() }]))?;
    let url = format!("https://{}{path}", registry.https_address());
    let client = client(&registry);
    assert_eq!(client.get(&url).send().await?.status(), 503);
    assert!(client.get(&url).send().await?.bytes().await.is_err());
    let manifest = format!("https://{}/v2/a/b/manifests/latest", registry.cdn_https_address());
    assert_eq!(client.get(manifest).send().await?.status(), 403);
    Ok(())
}
