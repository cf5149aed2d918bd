//! Docker's `config.json` and `DOCKER_AUTH_CONFIG`.

use super::*;

#[tokio::test]
async fn keys_name_registries_as_docker_has_written_them() {
    for (image, key, is_found) in [
        ("ghcr.io/a/b", "ghcr.io", true),
        ("ghcr.io/a/b", "GHCR.io", true),
        ("ghcr.io/a/b", "https://ghcr.io", true),
        ("ghcr.io/a/b", "https://ghcr.io/", true),
        ("ghcr.io/a/b", "https://ghcr.io/v1/", true),
        ("ghcr.io/a/b", "https://ghcr.io/v2/", true),
        ("ghcr.io/a/b", "http://ghcr.io", true),
        ("ghcr.io/a/b", "ghcr.io/v1/", true),
        ("ghcr.io/a/b", "ghcr.io.example.com", false),
        ("ghcr.io/a/b", "https://example.com/ghcr.io", false),
        ("ghcr.io/a/b", "ghcr.io:5000", false),
        ("ghcr.io/a/b", "", false),
        ("localhost:5000/a", "localhost:5000", true),
        ("localhost:5000/a", "https://localhost:5000/v1/", true),
        ("localhost:5000/a", "localhost", false),
        ("[::1]:5000/a", "[::1]:5000", true),
        ("[::1]:5000/a", "http://[::1]:5000/v2/", true),
        ("alpine", "https://index.docker.io/v1/", true),
        ("owner/name", "https://index.docker.io/v1/", true),
        ("alpine", "index.docker.io", true),
        ("alpine", "docker.io", true),
        ("alpine", "https://registry-1.docker.io", true),
        ("alpine", "hub.docker.com", false),
        ("alpine", "https://index.docker.io.example.com/v1/", false),
    ] {
        let machine = Machine::new();
        machine.docker_config(&auths(&[(key, "user")]));
        assert_eq!(machine.find(image).await.user(), is_found.then_some("user"), "{image} by {key:?}");
    }
}

#[tokio::test]
async fn the_key_that_docker_writes_today_goes_before_others() {
    let machine = Machine::new();
    machine.docker_config(&auths(&[
        ("docker.io", "old"),
        ("https://index.docker.io/v1/", "today"),
        ("http://ghcr.io", "old"),
        ("ghcr.io", "today"),
    ]));
    assert_eq!(machine.find("alpine").await.user(), Some("today"));
    assert_eq!(machine.find("ghcr.io/a/b").await.user(), Some("today"));
}

#[tokio::test]
async fn an_identity_token_is_for_the_token_service() {
    let machine = Machine::new();
    machine.docker_config(r#"{"auths": {"x.azurecr.io": {"auth": "MDAwMDo=", "identitytoken": "secret"}}}"#);
    let found = machine.find("x.azurecr.io/a").await;
    assert_eq!(found.login, Some((crate::Credential::IDENTITY_TOKEN.to_owned(), "secret".to_owned())));
}

#[tokio::test]
async fn docker_config_names_another_folder() {
    let mut machine = Machine::new();
    machine.docker_config(&auths(&[("ghcr.io", "home")]));
    machine.write("other/config.json", auths(&[("ghcr.io", "other")]));
    machine.set("DOCKER_CONFIG", machine.path("other"));
    assert_eq!(machine.find("ghcr.io/a/b").await.user(), Some("other"));
    machine.set("DOCKER_CONFIG", machine.path("missing"));
    assert_eq!(machine.find("ghcr.io/a/b").await, Found { login: None, warnings: vec![] });
}

#[tokio::test]
async fn docker_auth_config_goes_before_the_file() {
    let mut machine = Machine::new();
    machine.docker_config(&auths(&[("ghcr.io", "file"), ("quay.io", "file")]));
    machine.set("DOCKER_AUTH_CONFIG", auths(&[("ghcr.io", "variable"), ("https://index.docker.io/v1/", "variable")]));
    for (image, user) in [
        ("ghcr.io/a/b", Some("variable")),
        ("quay.io/a/b", Some("file")),
        ("alpine", Some("variable")),
        ("mcr.microsoft.com/a", None),
    ] {
        assert_eq!(machine.find(image).await.user(), user, "{image}");
    }
}

#[tokio::test]
async fn docker_auth_config_that_docker_would_leave_out_is_left_out() {
    for (value, reason) in [
        ("secret", "it is not JSON (line 1, column 1)"),
        (r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}, "b": {}}}"#, "one of them has no auth"),
        (
            r#"{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}, "b": {"auth": "secret!"}}}"#,
            "of one of them its auth is not base64 of USER:PASSWORD (other characters)",
        ),
    ] {
        let mut machine = Machine::new();
        machine.docker_config(&auths(&[("ghcr.io", "file")]));
        machine.set("DOCKER_AUTH_CONFIG", value);
        let found = machine.find("ghcr.io/a/b").await;
        assert_eq!(found.user(), Some("file"));
        assert_eq!(found.warnings, [format!("The logins in DOCKER_AUTH_CONFIG are left out: {reason}")]);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_a_warning_and_the_search_goes_on() {
    let large = format!("{{\"auths\": {{}}{}", " ".repeat(1024 * 1024));
    for (json, reason) in [
        ("{\"auths\": {\"ghcr.io\": {\"auth\":\n  secret}}}", "it is not JSON (line 2, column 3)"),
        ("{\"auths\": \"secret\"}", "it does not have the form of such a file (line 1, column 18)"),
        (large.as_str(), "the file is larger than 1 MiB"),
    ] {
        let machine = Machine::new();
        let file = machine.docker_config(json);
        machine.podman_auth(&auths(&[("ghcr.io", "podman")]));
        let found = machine.find("ghcr.io/a/b").await;
        assert_eq!(found.user(), Some("podman"));
        assert_eq!(found.warnings, [format!("The logins in {} are left out: {reason}", shown(&file))]);
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file_is_a_warning() {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.path("home/.docker/config.json")).expect("a folder");
    let found = machine.find("ghcr.io/a/b").await;
    assert_eq!(found.login, None);
    let [warning] = found.warnings.as_slice() else { panic!("one warning: {:?}", found.warnings) };
    assert!(warning.contains("are left out: the file cannot be read ("), "{warning}");
}

#[tokio::test]
async fn an_entry_that_is_no_login_is_a_warning_only_where_it_is_needed() {
    let machine = Machine::new();
    let file =
        machine.docker_config(r#"{"auths": {"ghcr.io": {"auth": "secret!"}, "quay.io": {"registrytoken": "secret"}}}"#);
    let file = shown(&file);
    for (image, warning) in [
        (
            "ghcr.io/a/b",
            Some(format!(
                "The login for ghcr.io in {file} is left out: its auth is not base64 of USER:PASSWORD (other characters)"
            )),
        ),
        (
            "quay.io/a/b",
            Some(format!(
                "The registrytoken for quay.io in {file} is left out: sign in with a user name and password or an identity token"
            )),
        ),
        ("alpine", None),
    ] {
        assert_eq!(machine.find(image).await, Found { login: None, warnings: warning.into_iter().collect() });
    }
}

#[tokio::test]
async fn a_byte_order_mark_does_not_matter() {
    let machine = Machine::new();
    machine.docker_config(&format!("\u{feff}{}", auths(&[("ghcr.io", "user")])));
    assert_eq!(machine.find("ghcr.io/a/b").await.user(), Some("user"));
}
