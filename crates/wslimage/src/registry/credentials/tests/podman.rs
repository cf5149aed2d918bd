//! Podman's `auth.json`.

use super::*;

#[tokio::test]
async fn the_longest_key_that_leads_to_the_repository_is_used() {
    let machine = Machine::new();
    machine.podman_auth(&auths(&[
        ("quay.io", "registry"),
        ("quay.io/a", "first"),
        ("quay.io/a/b/c", "repository"),
        ("docker.io/library/alpine", "alpine"),
        ("docker.io/owner", "owner"),
        ("ghcr.io/owner", "owner"),
        ("localhost:5000/a", "local"),
    ]));
    for (image, user) in [
        ("quay.io/a/b/c", Some("repository")),
        ("quay.io/a/b/c/d", Some("repository")),
        ("quay.io/a/b/cc", Some("first")),
        ("quay.io/a/b", Some("first")),
        ("quay.io/ab", Some("registry")),
        ("alpine", Some("alpine")),
        ("debian", None),
        ("owner/name", Some("owner")),
        ("ghcr.io/owner/name:tag", Some("owner")),
        ("ghcr.io/other/name", None),
        ("localhost:5000/a/b", Some("local")),
        ("localhost:5001/a/b", None),
    ] {
        assert_eq!(machine.find(image).await.user(), user, "{image}");
    }
}

#[tokio::test]
async fn a_key_may_be_an_address() {
    for (image, key, is_found) in [
        ("quay.io/a/b", "https://quay.io", true),
        ("quay.io/a/b", "https://quay.io/v1/", true),
        ("quay.io/a/b", "http://quay.io/v2/", true),
        ("quay.io/a/b", "quay.io/v1/", false),
        ("quay.io/a/b", "https://quay.io.example.com", false),
        ("alpine", "docker.io", true),
        ("alpine", "index.docker.io", true),
        ("alpine", "registry-1.docker.io", true),
        ("alpine", "https://index.docker.io/v1/", true),
    ] {
        let machine = Machine::new();
        machine.podman_auth(&auths(&[(key, "user")]));
        assert_eq!(machine.find(image).await.user(), is_found.then_some("user"), "{image} by {key}");
    }
}

#[tokio::test]
async fn a_registry_without_a_repository_has_its_own_login() {
    let machine = Machine::new();
    machine.podman_auth(&auths(&[("quay.io", "registry"), ("quay.io/a", "first")]));
    let registry = "quay.io".parse().expect("a registry");
    let login = crate::registry::credentials::find(&machine.environment(), &registry, None, &Job::default()).await;
    assert_eq!(login.expect("nobody cancels").expect("a login").username, "registry");
}

#[tokio::test]
async fn an_entry_without_a_login_leads_to_the_next_file() {
    let mut machine = Machine::new();
    machine.set("XDG_CONFIG_HOME", machine.path("xdg"));
    let first = if cfg!(target_os = "linux") { "run" } else { "home/.config" };
    machine.set("XDG_RUNTIME_DIR", machine.path("run"));
    machine.write(&format!("{first}/containers/auth.json"), r#"{"auths": {"quay.io": {}}}"#);
    machine.write("xdg/containers/auth.json", auths(&[("quay.io", "second"), ("ghcr.io", "second")]));
    assert_eq!(machine.find("quay.io/a").await.user(), Some("second"));
    machine.write(&format!("{first}/containers/auth.json"), auths(&[("quay.io", "first")]));
    assert_eq!(machine.find("quay.io/a").await.user(), Some("first"));
    assert_eq!(machine.find("ghcr.io/a").await.user(), Some("second"));
}

#[tokio::test]
async fn the_file_that_is_named_is_the_only_one() {
    let mut machine = Machine::new();
    machine.podman_auth(&auths(&[("quay.io", "home")]));
    let named = machine.write("ci/auth.json", auths(&[("ghcr.io", "named")]));
    machine.set("REGISTRY_AUTH_FILE", &named);
    assert_eq!(machine.find("ghcr.io/a").await.user(), Some("named"));
    assert_eq!(machine.find("quay.io/a").await, Found { login: None, warnings: vec![] });
    std::fs::remove_file(&named).expect("the file is there");
    let warning = format!("REGISTRY_AUTH_FILE names {}, which does not exist", shown(&named));
    assert_eq!(machine.find("ghcr.io/a").await, Found { login: None, warnings: vec![warning] });
}

#[tokio::test]
async fn a_file_that_cannot_be_used_leads_to_the_next() {
    let mut machine = Machine::new();
    machine.set("XDG_CONFIG_HOME", machine.path("xdg"));
    machine.set("XDG_RUNTIME_DIR", machine.path("run"));
    let first = if cfg!(target_os = "linux") { "run" } else { "home/.config" };
    let first = machine.write(&format!("{first}/containers/auth.json"), "secret");
    machine.write("xdg/containers/auth.json", auths(&[("quay.io", "second")]));
    let found = machine.find("quay.io/a").await;
    assert_eq!(found.user(), Some("second"));
    let reason = "it is not JSON (line 1, column 1)";
    assert_eq!(found.warnings, [format!("The logins in {} are left out: {reason}", shown(&first))]);
}
