//! Who may read what, and where secrets go.

use crate::fixture::{Fixture, credential, request_at};
use wslimage::{Client, ClientOptions, ErrorKind, Job, SecretString};
use wslimage_test_registry::{Auth, Bearer, Image, LogFilter, Step, TokenField};

fn guarded(repository: &str, auth: Auth) -> Image {
    Image { auth: Some(auth), ..Fixture::image(repository) }
}

fn token_requests(fixture: &Fixture) -> Vec<wslimage_test_registry::LogEntry> {
    fixture.registry.log_of(&LogFilter { path: Some("/token".to_owned()), ..LogFilter::default() })
}

#[tokio::test]
async fn a_registry_that_asks_for_nothing_is_asked_for_nothing() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("open/image"));
    fixture.pull(&fixture.client(), "open/image").await.expect("a file");
    fixture.expect_layer_in_file();
    assert!(token_requests(&fixture).is_empty());
    let requests = fixture.registry.log("open/image");
    assert_eq!(requests.len(), 4, "index, manifest, config, layer, each once: {requests:?}");
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn one_anonymous_token_serves_the_whole_pull() {
    for token_field in [TokenField::Token, TokenField::AccessToken] {
        let fixture = Fixture::new().await;
        let auth = Auth::Bearer(Bearer { token_field: Some(token_field), ..Bearer::default() });
        fixture.serve(guarded("guarded/image", auth));
        fixture.pull(&fixture.client(), "guarded/image").await.expect("a file");
        fixture.expect_layer_in_file();
        let tokens = token_requests(&fixture);
        assert_eq!(tokens.len(), 1);
        assert!(tokens[0].query.contains("scope=repository%3Aguarded%2Fimage%3Apull"), "{}", tokens[0].query);
        assert!(tokens[0].query.contains("service="), "{}", tokens[0].query);
        assert!(!tokens[0].headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn many_pulls_at_once_share_one_token_request() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("shared/image", Auth::anonymous_bearer()));
    let client = fixture.client();
    let pulls = (0..8).map(|_| {
        let (client, request) = (client.clone(), fixture.request("shared/image"));
        tokio::spawn(async move { wslimage::resolve(&client, request, &Job::default()).await })
    });
    for pull in pulls.collect::<Vec<_>>() {
        pull.await.expect("a task").expect("an image");
    }
    assert_eq!(token_requests(&fixture).len(), 1);
}

#[tokio::test]
async fn a_password_goes_to_the_token_service_and_not_to_the_registry() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("private/image", Auth::password_bearer("user", "pass word:ä")));
    fixture.pull(&fixture.client_of("user", "pass word:ä"), "private/image").await.expect("a file");
    fixture.expect_layer_in_file();
    assert!(token_requests(&fixture)[0].headers["authorization"].starts_with("Basic "));
    for request in fixture.registry.log("private/image") {
        let authorization = request.headers.get("authorization").map_or("", String::as_str);
        assert!(!authorization.starts_with("Basic "), "{request:?}");
    }
}

#[tokio::test]
async fn basic_at_the_registry_works_and_a_wrong_password_is_sent_once() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("basic/image", Auth::basic("user", "secret")));
    fixture.pull(&fixture.client_of("user", "secret"), "basic/image").await.expect("a file");
    fixture.expect_layer_in_file();

    fixture.registry.delete_log(&LogFilter::default());
    let error = fixture.pull(&fixture.client_of("user", "wr0ng-Secret"), "basic/image").await.expect_err("no access");
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Unauthorized, Some(401)));
    assert!(
        error.to_string().starts_with("Access denied to registry. The image may not exist or authentication failed. "),
        "{error}"
    );
    assert!(error.to_string().ends_with("Check the user name and the password."), "{error}");
    let with_password = fixture
        .registry
        .log("basic/image")
        .iter()
        .filter(|request| request.headers.contains_key("authorization"))
        .count();
    assert_eq!(with_password, 1, "more tries with a wrong password can lock the account");
    assert!(!format!("{error:?}").contains("wr0ng-Secret"));
}

#[tokio::test]
async fn without_a_login_a_private_image_says_how_to_get_on() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("basic/image", Auth::basic("user", "secret")));
    fixture.serve(guarded("bearer/image", Auth::password_bearer("user", "secret")));
    let error = fixture.pull(&fixture.client(), "basic/image").await.expect_err("no access");
    assert!(error.to_string().starts_with("Access denied to registry."), "{error}");
    assert!(error.to_string().contains("Sign in"), "{error}");
    let error = fixture.pull(&fixture.client(), "bearer/image").await.expect_err("no access");
    assert!(error.to_string().starts_with("Failed to get authentication token: "), "{error}");
    assert!(error.to_string().contains("401 Unauthorized (UNAUTHORIZED: "), "{error}");
    assert_eq!((error.kind(), error.registry_code()), (ErrorKind::Unauthorized, Some("UNAUTHORIZED")));
    assert!(fixture.files().is_empty());
}

#[tokio::test]
async fn a_token_service_that_refuses_is_told_with_its_status() {
    for (status, kind) in [(401, ErrorKind::Unauthorized), (403, ErrorKind::Denied)] {
        let fixture = Fixture::new().await;
        let auth = Auth::Bearer(Bearer { deny: true, deny_status: Some(status), ..Bearer::default() });
        fixture.serve(guarded("denied/image", auth));
        let error = fixture.pull(&fixture.client(), "denied/image").await.expect_err("no access");
        assert_eq!((error.kind(), error.http_status()), (kind, Some(status)));
        assert!(error.to_string().starts_with("Failed to get authentication token: localhost:"), "{error}");
    }
}

#[tokio::test]
async fn a_token_service_that_sends_no_token_is_told() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("no/token", Auth::anonymous_bearer()));
    fixture.route("/token", [Step::text(200, r#"{"token":"","expires_in":60}"#)]);
    let error = fixture.pull(&fixture.client(), "no/token").await.expect_err("no token");
    let registry = fixture.registry.https_address();
    let sentence = format!("Failed to retrieve authentication token for registry {registry} and repository no/token. ");
    assert!(error.to_string().starts_with(&sentence), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn a_token_for_no_registry_is_refused() {
    let fixture = Fixture::new().await;
    for (registry, repository) in [("", ""), ("no host", "a/b"), ("https://ghcr.io", "a/b"), ("ghcr.io", "A/B")] {
        let error = fixture.client().token(registry, repository, &Job::default()).await.expect_err("no registry");
        assert!(
            error.to_string().starts_with("Failed to get authentication token: Invalid image reference"),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::InvalidReference);
    }
}

#[tokio::test]
async fn a_given_token_is_used_and_never_replaced() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("given/image", Auth::anonymous_bearer()));
    let client = fixture.client();
    let registry = fixture.registry.https_address();
    let token = client.token(registry, "given/image", &Job::default()).await.expect("an answer").expect("a token");
    let other = fixture.client();
    let mut request = fixture.request("given/image");
    request.token = Some(token);
    fixture.pull_request(&other, request.clone()).await.expect("a file");
    assert_eq!(token_requests(&fixture).len(), 1, "only the one that was asked for by name");

    request.token = Some(SecretString::from("t0p-Secret"));
    let error = fixture.pull_request(&other, request).await.expect_err("no access");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(
        error.to_string().starts_with("Access denied to registry. The image may not exist or authentication failed. "),
        "{error}"
    );
    assert!(!format!("{error:?} {error}").contains("t0p-Secret"));
    assert_eq!(token_requests(&fixture).len(), 1);
}

#[tokio::test]
async fn a_token_is_nothing_where_none_is_asked_for() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("open/image"));
    fixture.serve(guarded("basic/image", Auth::basic("user", "secret")));
    let registry = fixture.registry.https_address();
    let job = Job::default();
    assert!(fixture.client().token(registry, "open/image", &job).await.expect("an answer").is_none());
    assert!(fixture.client().token(registry, "no/such-image", &job).await.expect("an answer").is_none());
    assert!(fixture.client().token(registry, "", &job).await.expect("an answer").is_none());
    let with_login = fixture.client_of("user", "secret");
    assert!(with_login.token(registry, "basic/image", &job).await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_on_the_way() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("expiring/image", Auth::anonymous_bearer()));
    let client = fixture.client();
    let job = Job::default();
    let image = wslimage::resolve(&client, fixture.request("expiring/image"), &job).await.expect("an image");
    fixture.registry.set_auth("expiring/image", Auth::anonymous_bearer()).expect("all tokens end");
    wslimage::pull(&client, &image, &fixture.destination(), wslimage::PullOptions::default(), &job)
        .await
        .expect("a file");
    fixture.expect_layer_in_file();
    assert_eq!(token_requests(&fixture).len(), 2);
}

#[tokio::test]
async fn a_registry_on_this_machine_is_asked_by_http_when_it_speaks_no_tls() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("plain/image"));
    fixture.serve(guarded("token/image", Auth::anonymous_bearer()));
    for name in ["plain/image", "token/image"] {
        let request = request_at(fixture.registry.http_address(), name);
        fixture.pull_request(&fixture.client(), request).await.expect("a file");
        fixture.expect_layer_in_file();
    }
}

#[tokio::test]
async fn a_password_goes_over_plain_http_only_when_asked_by_name() {
    let fixture = Fixture::new().await;
    fixture.serve(guarded("basic/image", Auth::basic("user", "secret")));
    fixture.serve(guarded("bearer/image", Auth::password_bearer("user", "secret")));
    for name in ["basic/image", "bearer/image"] {
        let request = request_at(fixture.registry.http_address(), name);
        let error =
            fixture.pull_request(&fixture.client_of("user", "secret"), request.clone()).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Insecure, "{error}");
        assert!(error.to_string().contains("over plain http"), "{error}");
        let sent = fixture.registry.log_of(&LogFilter::default());
        assert!(sent.iter().all(|request| !request.headers.contains_key("authorization")), "{sent:?}");

        let options =
            ClientOptions { plain_http: true, credential: Some(credential("user", "secret")), ..fixture.options() };
        let client = Client::new(options).expect("a client");
        fixture.pull_request(&client, request).await.expect("a file");
        fixture.expect_layer_in_file();
        fixture.registry.delete_log(&LogFilter::default());
    }
}

#[tokio::test]
async fn a_password_does_not_follow_a_realm_of_plain_http() {
    let fixture = Fixture::new().await;
    let realm = format!("http://{}/token", fixture.registry.http_address());
    let auth = Auth::Bearer(Bearer {
        realm: Some(realm),
        username: Some("user".to_owned()),
        password: Some("secret".to_owned()),
        ..Bearer::default()
    });
    fixture.serve(guarded("bearer/image", auth));
    let error = fixture.pull(&fixture.client_of("user", "secret"), "bearer/image").await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Insecure, "{error}");
    assert!(token_requests(&fixture).is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_unless_asked() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("tls/image"));
    let strict = Client::new(ClientOptions::default()).expect("a client");
    let error = fixture.pull(&strict, "tls/image").await.expect_err("not trusted");
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.to_string().contains("by an issuer that this system does not trust"), "{error}");
    assert!(fixture.registry.log("tls/image").is_empty(), "a registry that is not trusted is asked nothing");

    let lax =
        Client::new(ClientOptions { skip_certificate_check: true, ..ClientOptions::default() }).expect("a client");
    fixture.pull(&lax, "tls/image").await.expect("a file");
    fixture.expect_layer_in_file();
}

#[test]
fn a_certificate_file_that_cannot_be_used_is_named() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let (missing, empty) = (folder.path().join("missing.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "not a certificate").expect("a file");
    for file in [missing, empty] {
        let options = ClientOptions { ca_certificate: Some(file.clone()), ..ClientOptions::default() };
        let Err(error) = Client::new(options) else { panic!("{} was taken", file.display()) };
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}

#[test]
fn secrets_do_not_print() {
    let options = ClientOptions { credential: Some(credential("user", "pa55")), ..ClientOptions::default() };
    assert!(!format!("{options:?}").contains("pa55"));
}
