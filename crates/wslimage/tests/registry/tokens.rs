//! Tokens over their life, and the logins that this machine knows.

use std::path::Path;

use wslimage::{Client, ClientOptions, Credential, Environment, ErrorKind};
use wslimage_test_registry::{Auth, Bearer, Blob, Image, LogEntry, LogFilter, Platform as Served, Step, TokenField};

use crate::fixture::{Fixture, LAYER, credential};

const IDENTITY: &str = "1dentity-t0ken";

fn bearer(bearer: Bearer) -> Image {
    Image { auth: Some(Auth::Bearer(bearer)), ..Fixture::image("a/b") }
}

fn token_requests(fixture: &Fixture) -> Vec<LogEntry> {
    fixture.registry.log_of(&LogFilter { path: Some("/token".to_owned()), ..LogFilter::default() })
}

fn methods(fixture: &Fixture) -> Vec<String> {
    token_requests(fixture).into_iter().map(|request| request.method).collect()
}

#[tokio::test]
async fn an_identity_token_is_posted_and_never_sent_as_a_password() {
    let fixture = Fixture::new().await;
    fixture.serve(bearer(Bearer { identity_token: Some(IDENTITY.to_owned()), ..Bearer::default() }));
    fixture.pull(&fixture.client_of(Credential::IDENTITY_TOKEN, IDENTITY), "a/b").await.expect("a file");
    fixture.expect_layer_in_file();
    let asked = token_requests(&fixture);
    assert_eq!(methods(&fixture), ["POST"]);
    let form = &asked[0].form;
    assert_eq!(form["grant_type"], "refresh_token");
    assert_eq!(form["refresh_token"], IDENTITY);
    assert_eq!(form["scope"], "repository:a/b:pull");
    assert_eq!(form["service"], fixture.registry.https_address());
    assert!(form.contains_key("client_id"));
    let everything = fixture.registry.log_of(&LogFilter::default());
    assert!(everything.iter().all(|request| {
        !request.query.contains(IDENTITY)
            && !request.headers.get("authorization").is_some_and(|header| header.starts_with("Basic"))
    }));
}

#[tokio::test]
async fn a_service_that_knows_no_post_is_asked_by_get() {
    for (status, expected) in
        [(404, vec!["POST", "GET"]), (405, vec!["POST", "GET"]), (401, vec!["POST"]), (400, vec!["POST"])]
    {
        let fixture = Fixture::new().await;
        fixture.serve(bearer(Bearer {
            identity_token: Some(IDENTITY.to_owned()),
            username: Some(Credential::IDENTITY_TOKEN.to_owned()),
            password: Some(IDENTITY.to_owned()),
            post_status: Some(status),
            ..Bearer::default()
        }));
        let client = fixture.client_of(Credential::IDENTITY_TOKEN, IDENTITY);
        let result = fixture.pull(&client, "a/b").await;
        assert_eq!(methods(&fixture), expected, "{status}");
        match status {
            404 | 405 => drop(result.unwrap_or_else(|error| panic!("{status}: {error}"))),
            _ => {
                let error = result.expect_err("refused");
                assert!(error.to_string().starts_with("Failed to get authentication token: "), "{error}");
                assert!(!format!("{error:?} {error} {:?}", error.causes()).contains(IDENTITY), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_read_wherever_services_put_it() {
    for (name, answer) in [
        ("token", r#"{"token":"TOKEN"}"#),
        ("access_token", r#"{"access_token":"TOKEN"}"#),
        ("both", r#"{"token":"TOKEN","access_token":"TOKEN"}"#),
        ("an empty one beside it", r#"{"token":"","access_token":"TOKEN"}"#),
        ("null beside it", r#"{"token":null,"access_token":"TOKEN"}"#),
        ("with a life", r#"{"token":"TOKEN","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"}"#),
        ("with a life in text", r#"{"token":"TOKEN","expires_in":"300"}"#),
        ("with a life of nothing", r#"{"token":"TOKEN","expires_in":null,"issued_at":null}"#),
        ("with a life that is none", r#"{"token":"TOKEN","expires_in":{"a":1},"issued_at":[]}"#),
        ("with a negative life", r#"{"token":"TOKEN","expires_in":-5}"#),
        ("with a refresh token", r#"{"token":"TOKEN","refresh_token":"other"}"#),
    ] {
        let fixture = Fixture::new().await;
        let realm = format!("https://{}/token/mine", fixture.registry.https_address());
        fixture.serve(Fixture::image("a/b"));
        let challenge = format!(r#"Bearer realm="{realm}",service="s",scope="repository:a/b:pull""#);
        let refusal = Step::status(401).header("WWW-Authenticate", &challenge);
        fixture.route("/v2/a/b/manifests/latest", [refusal, Step::pass()]);
        fixture.route("/token/mine", [Step::text(200, answer)]);
        fixture.pull(&fixture.client(), "a/b").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let sent = fixture.registry.log("a/b").into_iter().skip(1);
        for request in sent {
            assert_eq!(request.headers.get("authorization").map(String::as_str), Some("Bearer TOKEN"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_challenge_is_found_among_others() {
    let many =
        |values: &[&str]| wslimage_test_registry::HeaderValues::Many(values.iter().map(|v| (*v).to_owned()).collect());
    for (name, headers) in [
        ("alone", vec!["Bearer REALM"]),
        ("in another case", vec!["bEaReR REALM"]),
        ("after one that is not known", vec!["Negotiate", "NTLM", "Bearer REALM"]),
        ("after one in the same header", vec![r#"Negotiate, Basic realm="x", Bearer REALM"#]),
        ("before Basic", vec!["Bearer REALM", r#"Basic realm="Registry, \"the\" one""#]),
        ("after a Basic with a comma in its realm", vec![r#"Basic realm="a, Bearer b", Bearer REALM"#]),
        ("after one with unknown parameters", vec![r#"Digest realm="x", nonce="y", algorithm=MD5"#, "Bearer REALM"]),
        ("with parameters that are not known", vec![r#"Bearer error="invalid_token",REALM,x=y"#]),
        ("after a broken one", vec![r#"Basic realm="unfinished"#, "Bearer REALM"]),
    ] {
        let fixture = Fixture::new().await;
        fixture.serve(bearer(Bearer::default()));
        let realm = format!(r#"realm="https://{}/token",service="s, \"t\"""#, fixture.registry.https_address());
        let headers: Vec<String> = headers.iter().map(|header| header.replace("REALM", &realm)).collect();
        let mut refusal = Step::status(401);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        refusal.headers.insert("WWW-Authenticate".to_owned(), many(&headers));
        fixture.route("/v2/a/b/manifests/latest", [refusal, Step::pass()]);
        fixture.pull(&fixture.client(), "a/b").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(token_requests(&fixture)[0].query.contains("service=s%2C+%22t%22"), "{name}");
    }
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_download_is_renewed() {
    let fixture = Fixture::new().await;
    let content = "0123456789abcdef".repeat(256 * 1024);
    let served = fixture.serve(Image {
        platforms: vec![Served::linux_amd64(vec![Blob::text(content.clone())])],
        ..bearer(Bearer::default())
    });
    let blob = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
    let cut = Step { cut_after: Some(2 * 1024 * 1024), expire_tokens: true, ..Step::pass() };
    fixture.route(&blob, [cut, Step::pass()]);
    fixture.pull(&fixture.client(), "a/b").await.expect("a file");
    assert!(std::fs::read_to_string(fixture.destination()).expect("the file") == content);
    let statuses: Vec<_> =
        fixture.registry.log("a/b").into_iter().filter(|it| it.path == blob).filter_map(|it| it.status).collect();
    assert_eq!(statuses, [200, 401, 206]);
    assert_eq!(token_requests(&fixture).len(), 2);
}

#[tokio::test]
async fn tokens_are_asked_for_as_often_as_they_end() {
    for (name, life, expected) in [
        ("without end", Bearer::default(), 1),
        ("long enough", Bearer { expires_in: Some(300), ..Bearer::default() }, 1),
        ("good once", Bearer { maximum_uses: Some(1), ..Bearer::default() }, 4),
        ("good twice", Bearer { maximum_uses: Some(2), ..Bearer::default() }, 2),
        (
            "issued long ago",
            Bearer { expires_in: Some(300), issued_at: Some("2020-01-01T00:00:00Z".to_owned()), ..Bearer::default() },
            1,
        ),
        (
            "issued in the future",
            Bearer { expires_in: Some(300), issued_at: Some("2099-01-01T00:00:00Z".to_owned()), ..Bearer::default() },
            1,
        ),
        ("by another name", Bearer { token_field: Some(TokenField::AccessToken), ..Bearer::default() }, 1),
    ] {
        let fixture = Fixture::new().await;
        fixture.serve(bearer(life));
        fixture.pull(&fixture.client(), "a/b").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
        assert_eq!(token_requests(&fixture).len(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_token_is_for_one_repository() {
    let fixture = Fixture::new().await;
    for repository in ["a/one", "a/two"] {
        fixture.serve(Image { auth: Some(Auth::anonymous_bearer()), ..Fixture::image(repository) });
    }
    let client = fixture.client();
    for repository in ["a/one", "a/two", "a/one"] {
        let _ = std::fs::remove_file(fixture.destination());
        fixture.pull(&client, repository).await.expect("a file");
    }
    assert_eq!(token_requests(&fixture).len(), 2);
    assert!(
        fixture
            .registry
            .log("a/two")
            .iter()
            .filter(|it| it.headers.contains_key("authorization"))
            .all(|it| it.status == Some(200))
    );
}

/// An environment whose `DOCKER_CONFIG` holds `config`.
fn docker(folder: &Path, config: &str) -> Environment {
    let docker = folder.join("docker");
    std::fs::create_dir_all(&docker).expect("a folder");
    std::fs::write(docker.join("config.json"), config).expect("a file");
    [("DOCKER_CONFIG", docker)].into_iter().collect()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn the_logins_of_docker_and_podman_are_used() {
    let basic = || Auth::basic("user", "s3cret");
    let identity = || Auth::Bearer(Bearer { identity_token: Some(IDENTITY.to_owned()), ..Bearer::default() });
    let auth = base64("user:s3cret");
    for (name, auth, config) in [
        ("auths", basic(), format!(r#"{{"auths":{{"HOST":{{"auth":"{auth}"}}}}}}"#)),
        ("auths with https", basic(), format!(r#"{{"auths":{{"https://HOST/v1/":{{"auth":"{auth}"}}}}}}"#)),
        ("user and password", basic(), r#"{"auths":{"HOST":{"username":"user","password":"s3cret"}}}"#.to_owned()),
        (
            "an identity token",
            identity(),
            format!(r#"{{"auths":{{"HOST":{{"auth":"{auth}","identitytoken":"{IDENTITY}"}}}}}}"#),
        ),
        (
            "at the token service",
            Auth::password_bearer("user", "s3cret"),
            format!(r#"{{"auths":{{"HOST":{{"auth":"{auth}"}}}}}}"#),
        ),
    ] {
        let fixture = Fixture::new().await;
        fixture.serve(Image { auth: Some(auth), ..Fixture::image("a/b") });
        let environment = docker(fixture.extra(), &config.replace("HOST", fixture.registry.https_address()));
        let client = Client::new(ClientOptions { environment, ..fixture.options() }).expect("a client");
        fixture.pull(&client, "a/b").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        fixture.expect_layer_in_file();
    }
    for (name, key) in [("the registry", "HOST"), ("its folder", "HOST/a"), ("the repository", "HOST/a/b")] {
        let fixture = Fixture::new().await;
        fixture.serve(Image { auth: Some(basic()), ..Fixture::image("a/b") });
        let key = key.replace("HOST", fixture.registry.https_address());
        let file = fixture.extra().join("auth.json");
        std::fs::write(&file, format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#)).expect("a file");
        let environment: Environment = [("REGISTRY_AUTH_FILE", file)].into_iter().collect();
        let client = Client::new(ClientOptions { environment, ..fixture.options() }).expect("a client");
        fixture.pull(&client, "a/b").await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn what_the_caller_gives_comes_before_what_this_machine_knows() {
    let fixture = Fixture::new().await;
    fixture.serve(Image { auth: Some(Auth::basic("user", "s3cret")), ..Fixture::image("a/b") });
    let host = fixture.registry.https_address();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, base64("other:wrong"));
    let environment = docker(fixture.extra(), &config);
    let options = ClientOptions { environment, ..fixture.options() };
    let client = Client::new(ClientOptions { credential: Some(credential("user", "s3cret")), ..options.clone() });
    fixture.pull(&client.expect("a client"), "a/b").await.expect("a file");
    let error = fixture.pull(&Client::new(options).expect("a client"), "a/b").await;
    // The file is there by now, but the image's description needs the login.
    assert_eq!(error.expect_err("a wrong login").kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn an_open_registry_is_never_shown_a_login() {
    let fixture = Fixture::new().await;
    fixture.serve(Fixture::image("a/b"));
    let host = fixture.registry.https_address();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"{}"}}}}}}"#, base64("user:s3cret"));
    let environment = docker(fixture.extra(), &config);
    let client = Client::new(ClientOptions { environment, ..fixture.options() }).expect("a client");
    fixture.pull(&client, "a/b").await.expect("a file");
    assert!(fixture.registry.log("a/b").iter().all(|request| !request.headers.contains_key("authorization")));
    assert_eq!(std::fs::read_to_string(fixture.destination()).expect("the file"), LAYER);
}
