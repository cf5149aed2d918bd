//! What a client gets from a registry that behaves.

use crate::client::{Outcome, client, header, json};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use wslimage_test_registry::{
    Auth, Bearer, Blob, Image, Layers, LogFilter, Manifest, Platform, RepositoryOptions, TestRegistry, TokenField,
};

fn image(repository: &str, layers: Vec<Blob>) -> Image {
    Image { repository: repository.to_owned(), platforms: vec![Platform::linux_amd64(layers)], ..Image::default() }
}

/// Gets a path under `/v2/` over TLS.
async fn get(registry: &TestRegistry, path: &str) -> Response {
    let url = format!("https://{}/v2/{path}", registry.https_address());
    client(registry).get(url).send().await.expect("an answer")
}

fn assert_error(status: StatusCode, body: &Value, expected: StatusCode, code: &str) {
    assert_eq!((status, &body["errors"][0]["code"]), (expected, &json!(code)), "{body}");
    assert!(body["errors"][0]["message"].is_string(), "{body}");
}

/// Follows the challenge of a bearer registry as clients do and returns the token service's answer.
async fn token(client: &Client, challenged: &Response, login: Option<(&str, &str)>) -> Response {
    let challenge = header(challenged, "www-authenticate");
    let parameter = |name: &str| {
        let rest = challenge.split_once(&format!("{name}=\"")).expect("the parameter is there").1;
        rest.split_once('"').expect("a quoted string").0
    };
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    let url = format!("{}?service={}&scope={}", parameter("realm"), parameter("service"), parameter("scope"));
    let mut request = client.get(url);
    if let Some((username, password)) = login {
        request = request.basic_auth(username, Some(password));
    }
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn an_image_is_fetched_over_tls_with_a_token() -> Outcome {
    let registry = TestRegistry::start().await?;
    let mut described = image("a/b", vec![Blob::text("the layer")]);
    described.auth = Some(Auth::anonymous_bearer());
    described.tags = vec!["latest".into(), "1.0".into()];
    let digests = registry.add_image(described)?;

    let client = client(&registry);
    let base = format!("https://{}/v2/a/b", registry.https_address());
    let challenged = client.get(format!("{base}/manifests/1.0")).send().await?;
    let token = json(token(&client, &challenged, None).await).await;
    let token = token["token"].as_str().expect("a token");
    assert_error(challenged.status(), &json(challenged).await, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    let fetch = async |path: &str| client.get(format!("{base}{path}")).bearer_auth(token).send().await;

    let index = fetch("/manifests/1.0").await?;
    assert_eq!(header(&index, "content-type"), "application/vnd.oci.image.index.v1+json");
    assert_eq!(Some(header(&index, "docker-content-digest")), digests.index.as_deref());
    let index = json(index).await;
    let entry = &index["manifests"][0];
    assert_eq!(entry["platform"], json!({"os": "linux", "architecture": "amd64"}));
    assert_eq!(entry["digest"], digests.manifests[0]);

    let manifest = fetch(&format!("/manifests/{}", digests.manifests[0])).await?;
    assert_eq!(header(&manifest, "content-type"), "application/vnd.oci.image.manifest.v1+json");
    let text = manifest.bytes().await?;
    assert_eq!(entry["size"], text.len());
    let manifest: Value = serde_json::from_slice(&text)?;
    let layer = &manifest["layers"][0];
    assert_eq!(layer, &json!(digests.layers[0][0]));
    assert_eq!(layer["size"], 9);

    let config = fetch(&format!("/blobs/{}", digests.configs[0])).await?.bytes().await?;
    assert_eq!(manifest["config"]["size"], config.len());
    let config: Value = serde_json::from_slice(&config)?;
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("amd64")));
    for member in ["created", "config", "history", "rootfs"] {
        assert!(!config[member].is_null(), "{member}");
    }

    let blob = fetch(&format!("/blobs/{}", digests.layers[0][0].digest)).await?;
    assert_eq!(header(&blob, "content-length"), "9");
    assert_eq!(blob.text().await?, "the layer");
    Ok(())
}

#[tokio::test]
async fn a_token_opens_its_repository_only_and_only_until_auth_is_set_again() -> Outcome {
    let registry = TestRegistry::start().await?;
    let client = client(&registry);
    for repository in ["mine", "other"] {
        registry.add_image(image(repository, vec![]))?;
        registry.set_auth(repository, Auth::anonymous_bearer())?;
    }
    let url = |repository| format!("http://{}/v2/{repository}/manifests/latest", registry.http_address());
    let challenged = client.get(url("mine")).send().await?;
    let token = json(token(&client, &challenged, None).await).await["token"].as_str().expect("a token").to_owned();
    let status = async |repository| client.get(url(repository)).bearer_auth(&token).send().await.map(|it| it.status());

    assert_eq!(status("mine").await?, StatusCode::OK);
    assert_eq!(status("other").await?, StatusCode::UNAUTHORIZED);
    registry.set_auth("mine", Auth::anonymous_bearer())?;
    assert_eq!(status("mine").await?, StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test]
async fn the_token_service_knows_its_users() -> Outcome {
    let registry = TestRegistry::start().await?;
    registry.add_image(image("a", vec![]))?;
    let client = client(&registry);
    let user = Auth::password_bearer("user", "secret");
    let both = match user.clone() {
        Auth::Bearer(bearer) => Auth::Bearer(Bearer { anonymous: Some(true), ..bearer }),
        other => other,
    };
    let denied = |status| Auth::Bearer(Bearer { deny: true, deny_status: status, ..Bearer::default() });
    for (auth, login, expected, code) in [
        (user.clone(), None, 401, "UNAUTHORIZED"),
        (user.clone(), Some(("user", "wrong")), 401, "UNAUTHORIZED"),
        (user, Some(("user", "secret")), 200, ""),
        (both.clone(), None, 200, ""),
        (both, Some(("user", "wrong")), 401, "UNAUTHORIZED"),
        (denied(None), None, 401, "UNAUTHORIZED"),
        (denied(Some(403)), None, 403, "DENIED"),
        (denied(Some(429)), None, 429, "TOOMANYREQUESTS"),
    ] {
        registry.set_auth("a", auth)?;
        let manifest = format!("https://{}/v2/a/manifests/latest", registry.https_address());
        let challenged = client.get(&manifest).send().await?;
        let answer = token(&client, &challenged, login).await;
        let (status, body) = (answer.status(), json(answer).await);
        if expected == 200 {
            assert_eq!(status, 200);
            let fetched = client.get(&manifest).bearer_auth(body["token"].as_str().expect("a token")).send().await?;
            assert_eq!(fetched.status(), 200);
        } else {
            assert_error(status, &body, StatusCode::from_u16(expected)?, code);
        }
    }
    // Token requests are in the log under their own path.
    let tokens = registry.log_of(&LogFilter { path: Some("/token".into()), ..LogFilter::default() });
    assert_eq!(tokens.len(), 8);
    assert!(tokens.iter().all(|it| it.query.contains("scope=repository:a:pull")));
    Ok(())
}

#[tokio::test]
async fn a_challenge_says_what_the_test_wants() -> Outcome {
    let registry = TestRegistry::start().await?;
    registry.add_image(image("a", vec![]))?;
    registry.set_auth(
        "a",
        Auth::Bearer(Bearer {
            realm: Some(format!("http://{}/token/a", registry.http_address())),
            service: Some("a service".into()),
            token_field: Some(TokenField::AccessToken),
            ..Bearer::default()
        }),
    )?;
    let challenged = get(&registry, "a/manifests/latest").await;
    let challenge = format!(
        "Bearer realm=\"http://{}/token/a\",service=\"a service\",scope=\"repository:a:pull\"",
        registry.http_address()
    );
    assert_eq!(header(&challenged, "www-authenticate"), challenge);
    let answer = json(token(&client(&registry), &challenged, None).await).await;
    assert!(answer["token"].is_null() && answer["access_token"].is_string(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn basic_wants_the_right_password() -> Outcome {
    let registry = TestRegistry::start().await?;
    let mut described = image("a", vec![]);
    described.auth = Some(Auth::basic("user", "secret"));
    registry.add_image(described)?;
    let url = format!("https://{}/v2/a/manifests/latest", registry.https_address());
    let anonymous = get(&registry, "a/manifests/latest").await;
    assert_eq!(anonymous.status(), 401);
    assert!(header(&anonymous, "www-authenticate").starts_with("Basic realm="));
    for (password, status) in [("wrong", 401), ("secret", 200)] {
        let answer = client(&registry).get(&url).basic_auth("user", Some(password)).send().await?;
        assert_eq!(answer.status(), status, "{password}");
    }
    Ok(())
}

#[tokio::test]
async fn a_blob_from_a_file_answers_ranges() -> Outcome {
    let registry = TestRegistry::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("layer");
    // More than one piece of reading, and not a multiple of one.
    let bytes: Vec<u8> = (0..1_000_003u32).map(|it| (it % 251) as u8).collect();
    std::fs::write(&file, &bytes)?;
    let blob = registry.add_blob("a", Blob::file(&file))?;
    assert_eq!(blob.size, 1_000_003);
    let url = format!("https://{}/v2/a/blobs/{}", registry.https_address(), blob.digest);
    let client = client(&registry);

    let whole = client.get(&url).send().await?;
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let etag = header(&whole, "etag").to_owned();
    assert_eq!(whole.bytes().await?, bytes);

    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=262143-262145", 262_143..262_146),
        ("bytes=999999-", 999_999..1_000_003),
        ("bytes=-2", 1_000_001..1_000_003),
        ("bytes=500000-9999999", 500_000..1_000_003),
    ] {
        let answer = client.get(&url).header("range", range).header("if-range", &etag).send().await?;
        assert_eq!(answer.status(), 206, "{range}");
        let content_range = format!("bytes {}-{}/1000003", part.start, part.end - 1);
        assert_eq!(header(&answer, "content-range"), content_range);
        assert_eq!(answer.bytes().await?, bytes[part], "{range}");
    }
    let beyond = client.get(&url).header("range", "bytes=1000003-").send().await?;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */1000003"));
    let changed = client.get(&url).header("range", "bytes=5-").header("if-range", "\"other\"").send().await?;
    assert_eq!((changed.status().as_u16(), header(&changed, "content-length")), (200, "1000003"));

    let head = client.head(&url).send().await?;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "1000003"));
    assert_eq!(header(&head, "docker-content-digest"), blob.digest);
    assert_eq!(head.bytes().await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_file_that_changed_has_another_digest() -> Outcome {
    let registry = TestRegistry::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("layer");
    std::fs::write(&file, "one")?;
    let first = registry.add_blob("a", Blob::file(&file))?;
    assert_eq!(registry.add_blob("b", Blob::file(&file))?, first);
    assert_eq!(registry.add_blob("b", Blob::text("one"))?, first);
    std::fs::write(&file, "longer")?;
    assert_eq!(registry.add_blob("c", Blob::file(&file))?, registry.add_blob("c", Blob::text("longer"))?);
    assert!(registry.add_blob("a", Blob::file(folder.path().join("missing"))).is_err());
    assert!(registry.add_blob("a", Blob::file(folder.path())).is_err());
    Ok(())
}

#[tokio::test]
async fn manifests_are_as_odd_as_the_test_wants() -> Outcome {
    let registry = TestRegistry::start().await?;
    let lying = Blob {
        digest: Some(format!("sha256:{}", "0".repeat(64))),
        size: Some(1 << 40),
        media_type: Some("application/odd".into()),
        ..Blob::text("true")
    };
    let platform = |layers: Layers| Platform { layers, ..Platform::new("linux", "arm64", vec![]) };
    let described = Image {
        platforms: vec![
            Platform {
                config_text: Some("not JSON".into()),
                descriptor: json!({"annotations": {"a": "b"}}).as_object().cloned().unwrap_or_default(),
                ..Platform::linux_amd64(vec![lying])
            },
            platform(Layers::Absent),
            platform(Layers::Null),
            platform(Layers::List(vec![])),
            Platform {
                platform: None,
                manifest: json!({"config": {"size": 5}, "extra": null}).as_object().cloned().unwrap_or_default(),
                ..Platform::default()
            },
        ],
        index_overrides: json!({"annotations": {"c": "d"}}).as_object().cloned().unwrap_or_default(),
        ..image("a", vec![])
    };
    let digests = registry.add_image(described)?;
    let manifest =
        async |number: usize| json(get(&registry, &format!("a/manifests/{}", digests.manifests[number])).await).await;

    let index = json(get(&registry, "a/manifests/latest").await).await;
    assert_eq!(index["annotations"]["c"], "d");
    assert_eq!(index["manifests"][0]["annotations"]["a"], "b");
    assert!(index["manifests"][4].get("platform").is_none());

    let first = manifest(0).await;
    let layer = &first["layers"][0];
    assert_eq!((&layer["mediaType"], &layer["size"]), (&json!("application/odd"), &json!(1u64 << 40)));
    let served = get(&registry, &format!("a/blobs/sha256:{}", "0".repeat(64))).await;
    assert_eq!(header(&served, "content-length"), "4");
    assert_eq!(served.text().await?, "true");
    assert_eq!(get(&registry, &format!("a/blobs/{}", digests.configs[0])).await.text().await?, "not JSON");

    assert!(manifest(1).await.get("layers").is_none());
    assert_eq!(manifest(2).await.get("layers"), Some(&Value::Null));
    assert_eq!(manifest(3).await["layers"], json!([]));
    let last = manifest(4).await;
    assert_eq!((&last["config"]["size"], last.get("extra")), (&json!(5), Some(&Value::Null)));
    assert_eq!(last["config"]["digest"], digests.configs[4]);
    Ok(())
}

#[tokio::test]
async fn an_image_may_be_dockers_and_without_an_index() -> Outcome {
    let registry = TestRegistry::start().await?;
    let described = Image { index: false, docker: true, ..image("a", vec![Blob::text("x")]) };
    let digests = registry.add_image(described)?;
    assert_eq!(digests.index, None);
    let manifest = get(&registry, "a/manifests/latest").await;
    assert_eq!(header(&manifest, "content-type"), "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(header(&manifest, "docker-content-digest"), digests.manifests[0]);
    let manifest = json(manifest).await;
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.docker.container.image.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip");
    Ok(())
}

#[tokio::test]
async fn a_single_manifest_is_under_its_reference_and_its_digest() -> Outcome {
    let registry = TestRegistry::start().await?;
    let described = Manifest {
        repository: "a".into(),
        reference: "odd".into(),
        media_type: "text/odd".into(),
        text: Some("no manifest".into()),
        json: None,
    };
    let digest = registry.add_manifest(described.clone())?;
    let wrong = format!("sha256:{}", "f".repeat(64));
    registry.add_manifest(Manifest { reference: wrong.clone(), ..described })?;
    for reference in ["odd", &digest, &wrong] {
        let answer = get(&registry, &format!("a/manifests/{reference}")).await;
        assert_eq!(header(&answer, "content-type"), "text/odd");
        assert_eq!(answer.text().await?, "no manifest", "{reference}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_an_error_of_the_specification() -> Outcome {
    let registry = TestRegistry::start().await?;
    registry.add_image(image("a", vec![]))?;
    for (path, code) in [
        ("b/manifests/latest", "NAME_UNKNOWN"),
        ("A/manifests/latest", "NAME_INVALID"),
        ("a/manifests/missing", "MANIFEST_UNKNOWN"),
        ("a/blobs/sha256:00", "BLOB_UNKNOWN"),
    ] {
        let answer = get(&registry, path).await;
        assert_error(answer.status(), &json(answer).await, StatusCode::NOT_FOUND, code);
    }
    let url = format!("https://{}/v2/a/manifests/latest", registry.https_address());
    let answer = client(&registry).request(Method::PUT, url).body("{}").send().await?;
    assert_error(answer.status(), &json(answer).await, StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
    assert_eq!(get(&registry, "").await.status(), 200);
    Ok(())
}

#[tokio::test]
async fn tags_are_listed_page_by_page() -> Outcome {
    let registry = TestRegistry::start().await?;
    let mut described = image("a/b", vec![]);
    described.tags = ["c", "a", "b"].map(str::to_owned).to_vec();
    registry.add_image(described)?;
    let first = get(&registry, "a/b/tags/list?n=2").await;
    assert_eq!(header(&first, "link"), "</v2/a/b/tags/list?n=2&last=b>; rel=\"next\"");
    assert_eq!(json(first).await, json!({"name": "a/b", "tags": ["a", "b"]}));
    let last = get(&registry, "a/b/tags/list?n=2&last=b").await;
    assert_eq!(header(&last, "link"), "");
    assert_eq!(json(last).await["tags"], json!(["c"]));

    // A page is never larger than the registry likes, whatever is asked for.
    let options = RepositoryOptions { tags_page_size: Some(1), ..RepositoryOptions::default() };
    registry.set_options("a/b", options.clone())?;
    for query in ["", "?n=3"] {
        let first = get(&registry, &format!("a/b/tags/list{query}")).await;
        assert_eq!(header(&first, "link"), "</v2/a/b/tags/list?n=1&last=a>; rel=\"next\"");
        assert_eq!(json(first).await["tags"], json!(["a"]));
    }
    registry.set_options("a/b", RepositoryOptions { tags_link_absolute: true, ..options.clone() })?;
    let link = header(&get(&registry, "a/b/tags/list").await, "link").to_owned();
    assert_eq!(link, format!("<https://{}/v2/a/b/tags/list?n=1&last=a>; rel=\"next\"", registry.https_address()));
    assert!(registry.set_options("a/b", RepositoryOptions { tags_page_size: Some(0), ..options }).is_err());
    Ok(())
}
