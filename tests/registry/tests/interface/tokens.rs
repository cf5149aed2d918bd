//! Tokens: how a client gets one, and when it ends.

use crate::client::{Outcome, client, header, json};
use serde_json::{Value, json};
use wslimage_test_registry::{Auth, Bearer, Blob, Image, LogFilter, Platform, Route, Step, TestRegistry};

/// A registry with an image `a/b` for whoever has a token.
async fn with_auth(bearer: Bearer) -> Result<TestRegistry, wslimage_test_registry::Error> {
    let registry = TestRegistry::start().await?;
    registry.add_image(Image {
        repository: "a/b".into(),
        auth: Some(Auth::Bearer(bearer)),
        platforms: vec![Platform::linux_amd64(vec![Blob::text("the layer")])],
        ..Image::default()
    })?;
    Ok(registry)
}

async fn get_token(registry: &TestRegistry) -> Value {
    let url = format!("https://{}/token?service=s&scope=repository:a/b:pull", registry.https_address());
    json(client(registry).get(url).send().await.expect("an answer")).await
}

async fn post_token(registry: &TestRegistry, form: &[(&str, &str)]) -> (u16, Value) {
    let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client(registry).post(format!("https://{}/token", registry.https_address()));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), json(answer).await)
}

/// The status that the manifest is answered with, and the challenge.
async fn fetch(registry: &TestRegistry, token: &str) -> (u16, String) {
    let url = format!("https://{}/v2/a/b/manifests/latest", registry.https_address());
    let answer = client(registry).get(url).bearer_auth(token).send().await.expect("an answer");
    (answer.status().as_u16(), header(&answer, "www-authenticate").to_owned())
}

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member} in {answer}"))
}

#[tokio::test]
async fn a_form_gets_a_token_for_a_refresh_token_or_a_password() -> Outcome {
    let registry = with_auth(Bearer {
        username: Some("user".into()),
        password: Some("secret".into()),
        identity_token: Some("identity".into()),
        ..Bearer::default()
    })
    .await?;
    let who = [("service", "s"), ("client_id", "test"), ("scope", "repository:a/b:pull")];
    let refresh = |token| [("grant_type", "refresh_token"), ("refresh_token", token)];
    let password = |password| [("grant_type", "password"), ("username", "user"), ("password", password)];
    for (form, expected) in [
        ([&who[..], &refresh("identity")].concat(), 200),
        ([&who[..], &refresh("other")].concat(), 401),
        ([&who[..], &password("secret")].concat(), 200),
        ([&who[..], &password("wrong")].concat(), 401),
        ([&who[..], &[("grant_type", "password"), ("username", "user")]].concat(), 400),
        ([&who[..], &[("grant_type", "client_credentials")]].concat(), 400),
        ([&who[1..], &refresh("identity")].concat(), 400),
        ([&who[..1], &who[2..], &refresh("identity")].concat(), 400),
        (who.to_vec(), 400),
    ] {
        let (status, answer) = post_token(&registry, &form).await;
        assert_eq!(status, expected, "{form:?}: {answer}");
        if expected == 200 {
            assert!(answer["token"].is_null() && answer["refresh_token"].is_null(), "{answer}");
            assert_eq!(fetch(&registry, text(&answer, "access_token")).await.0, 200);
        }
    }
    let offline = [&who[..], &password("secret"), &[("access_type", "offline")]].concat();
    assert_eq!(post_token(&registry, &offline).await.1["refresh_token"], "identity");

    // Nobody in particular gets none, and the log has what was sent.
    assert!(get_token(&registry).await["errors"].is_array());
    let log = registry.log_of(&LogFilter { path: Some("/token".into()), ..LogFilter::default() });
    assert_eq!(log[0].method, "POST");
    assert_eq!(log[0].form["refresh_token"], "identity");
    assert_eq!(log[0].form["scope"], "repository:a/b:pull");
    assert_eq!(log[2].form["password"], "secret");
    assert!(log.last().is_some_and(|get| get.form.is_empty()));
    Ok(())
}

#[tokio::test]
async fn a_service_without_post_still_answers_get() -> Outcome {
    let form =
        [("service", "s"), ("client_id", "c"), ("scope", "repository:a/b:pull"), ("grant_type", "refresh_token")];
    for status in [404, 405, 401] {
        let registry = with_auth(Bearer { post_status: Some(status), ..Bearer::default() }).await?;
        assert_eq!(post_token(&registry, &form).await.0, status);
        assert_eq!(fetch(&registry, text(&get_token(&registry).await, "token")).await.0, 200);
    }
    let registry = TestRegistry::start().await?;
    assert!(registry.set_auth("a", Auth::Bearer(Bearer { post_status: Some(200), ..Bearer::default() })).is_err());
    Ok(())
}

#[tokio::test]
async fn the_service_tells_the_times_that_it_is_given() -> Outcome {
    let registry = with_auth(Bearer::default()).await?;
    let answer = get_token(&registry).await;
    assert!(answer["expires_in"].is_null() && answer["issued_at"].is_null(), "{answer}");
    let issued_at = Some("2019-02-30T99:00:00Z".to_owned());
    registry.set_auth("a/b", Auth::Bearer(Bearer { expires_in: Some(600), issued_at, ..Bearer::default() }))?;
    let answer = get_token(&registry).await;
    assert_eq!(
        (&answer["expires_in"], &answer["issued_at"]),
        (&json!(600), &json!("2019-02-30T99:00:00Z")),
        "{answer}"
    );
    assert_eq!(fetch(&registry, text(&answer, "token")).await.0, 200);
    Ok(())
}

#[tokio::test]
async fn a_token_that_has_ended_gets_a_new_challenge() -> Outcome {
    // One is over at once, one after two requests, one when the test says so.
    let registry = with_auth(Bearer { expires_in: Some(0), ..Bearer::default() }).await?;
    let assert_ended = |(status, challenge): (u16, String)| {
        assert_eq!(status, 401);
        assert!(
            challenge.starts_with("Bearer realm=") && challenge.ends_with(",error=\"invalid_token\""),
            "{challenge}"
        );
    };
    assert_ended(fetch(&registry, text(&get_token(&registry).await, "token")).await);

    registry.set_auth("a/b", Auth::Bearer(Bearer { maximum_uses: Some(2), ..Bearer::default() }))?;
    let answer = get_token(&registry).await;
    for _ in 0..2 {
        assert_eq!(fetch(&registry, text(&answer, "token")).await.0, 200);
    }
    assert_ended(fetch(&registry, text(&answer, "token")).await);

    registry.set_auth("a/b", Auth::anonymous_bearer())?;
    let answer = get_token(&registry).await;
    assert_eq!(fetch(&registry, text(&answer, "token")).await.0, 200);
    registry.expire_tokens("a/b");
    assert_ended(fetch(&registry, text(&answer, "token")).await);
    assert_eq!(fetch(&registry, text(&get_token(&registry).await, "token")).await.0, 200);
    Ok(())
}

#[tokio::test]
async fn a_step_ends_the_tokens_but_answers_its_own_request() -> Outcome {
    let registry = with_auth(Bearer::default()).await?;
    let step = Step { expire_tokens: true, ..Step::pass() };
    registry.add_route(Route::new("/v2/a/b/manifests/latest", [step, Step::pass()]))?;
    let answer = get_token(&registry).await;
    assert_eq!(fetch(&registry, text(&answer, "token")).await.0, 200);
    assert_eq!(fetch(&registry, text(&answer, "token")).await.0, 401);
    Ok(())
}
