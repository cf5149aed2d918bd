//! Credential helpers: real programs, as the configuration names them.

use super::*;
use crate::error::ErrorKind;

/// Ends when it is ended.
const HANG: &str = "exec /bin/sleep 600";
const ANSWER: &str = r#"echo '{"ServerURL": "x", "Username": "helper", "Secret": "secret"}'"#;

fn of_helper() -> Option<(String, String)> {
    Some(("helper".to_owned(), "secret".to_owned()))
}

#[tokio::test]
async fn the_helper_of_the_registry_goes_before_the_store_and_the_store_before_the_file() {
    let machine = Machine::new();
    for name in ["one", "all"] {
        machine.helper(name, &format!(r#"echo '{{"Username": "{name}", "Secret": "secret"}}'"#));
    }
    machine.docker_config(&format!(
        r#"{{"auths": {{{}, {}}}, "credsStore": "all", "credHelpers": {{"ghcr.io": "one", "quay.io": ""}}}}"#,
        entry("ghcr.io", "file"),
        entry("quay.io", "file"),
    ));
    for (image, user) in [("ghcr.io/a", "one"), ("mcr.microsoft.com/a", "all"), ("quay.io/a", "file")] {
        assert_eq!(machine.find(image).await, Found { login: Some((user.into(), "secret".into())), warnings: vec![] });
    }
}

#[tokio::test]
async fn a_helper_is_asked_for_the_key_of_the_registry() {
    let machine = Machine::new();
    // It answers with what it was asked.
    machine.helper("echo", r#"read -r server; echo "{\"Username\": \"$1 $server\", \"Secret\": \"secret\"}""#);
    machine.docker_config(r#"{"credsStore": "echo"}"#);
    assert_eq!(machine.find("ghcr.io/a/b").await.user(), Some("get ghcr.io"));
    assert_eq!(machine.find("localhost:5000/a").await.user(), Some("get localhost:5000"));
    assert_eq!(machine.find("alpine").await.user(), Some("get https://index.docker.io/v1/"));

    let machine = Machine::new();
    machine.helper("echo", r#"read -r server; echo "{\"Username\": \"$1 $server\", \"Secret\": \"secret\"}""#);
    machine.podman_auth(r#"{"credHelpers": {"docker.io": "echo", "quay.io": "echo"}}"#);
    assert_eq!(machine.find("quay.io/a/b").await.user(), Some("get quay.io"));
    assert_eq!(machine.find("alpine").await.user(), Some("get docker.io"));
    assert_eq!(machine.find("ghcr.io/a").await.user(), None);
}

#[tokio::test]
async fn a_helper_has_the_variables_of_the_environment_and_no_others() {
    let mut machine = Machine::new();
    machine.helper("variables", r#"echo "{\"Username\": \"$PROFILE${CARGO_MANIFEST_DIR-}\", \"Secret\": \"secret\"}""#);
    machine.docker_config(r#"{"credsStore": "variables"}"#);
    machine.set("PROFILE", "work");
    assert_eq!(machine.find("ghcr.io/a").await.user(), Some("work"));
}

#[tokio::test]
async fn an_identity_token_of_a_helper_is_one() {
    let machine = Machine::new();
    machine.helper("token", r#"echo '{"Username": "<token>", "Secret": "secret"}'"#);
    machine.docker_config(r#"{"credsStore": "token"}"#);
    let found = machine.find("ghcr.io/a").await;
    assert_eq!(found.user(), Some(crate::Credential::IDENTITY_TOKEN));
}

#[tokio::test]
async fn a_helper_without_the_login_hides_the_file_as_with_docker() {
    for script in [
        "echo credentials not found in native keychain; exit 1",
        r#"echo '{"ServerURL": "x", "Username": "", "Secret": ""}'"#,
    ] {
        let machine = Machine::new();
        machine.helper("empty", script);
        machine.docker_config(&format!(r#"{{"auths": {{{}}}, "credsStore": "empty"}}"#, entry("ghcr.io", "file")));
        assert_eq!(machine.find("ghcr.io/a").await, Found { login: None, warnings: vec![] }, "{script}");
    }
}

#[tokio::test]
async fn a_helper_that_fails_is_a_warning_and_the_file_is_used() {
    for (name, script, reason) in [
        ("missing", "", "docker-credential-missing is not on the PATH"),
        (
            "fails",
            "echo no keychain; exit 3",
            "docker-credential-fails failed with the message \"no keychain\" (exit status: 3)",
        ),
        ("silent", "exit 1", "docker-credential-silent failed without a message (exit status: 1)"),
        ("traces", "set -x; : secret; exit 1", "docker-credential-traces failed without a message (exit status: 1)"),
        (
            "half",
            r#"echo '{"Username": "user", "Secret": "secret"}'; exit 1"#,
            "docker-credential-half failed after an answer (exit status: 1)",
        ),
        (
            "terminal",
            r"printf 'a\033[31mb'; exit 1",
            "docker-credential-terminal failed with the message \"a·[31mb\" (exit status: 1)",
        ),
        ("text", "echo secret", "docker-credential-text gave an answer that is no login (line 1, column 1)"),
        (
            "list",
            r#"echo '{"Username": ["secret"]}'"#,
            "docker-credential-list gave an answer that is no login (line 1, column 13)",
        ),
        ("nothing", "exit 0", "docker-credential-nothing gave an answer that is no login (line 1, column 0)"),
        (
            "endless",
            "while :; do echo secret; done",
            "docker-credential-endless gave an answer of more than 65536 bytes",
        ),
        ("signal", "kill -9 $$", "docker-credential-signal failed without a message (signal: 9 (SIGKILL))"),
        ("../up", "", "the names of helpers consist of letters, digits, \".\", \"_\" and \"-\""),
        ("a b", "", "the names of helpers consist of letters, digits, \".\", \"_\" and \"-\""),
    ] {
        let machine = Machine::new();
        if !script.is_empty() {
            machine.helper(name, script);
        }
        let docker = machine.docker_config(&format!(
            r#"{{"auths": {{{}}}, "credHelpers": {{"ghcr.io": "{name}"}}}}"#,
            entry("ghcr.io", "file")
        ));
        let found = machine.find("ghcr.io/a").await;
        assert_eq!(found.user(), Some("file"), "{name}");
        let line = format!("{} names a credential helper for ghcr.io that is left out: {reason}", shown(&docker));
        assert_eq!(found.warnings, [line]);
    }
}

#[tokio::test]
async fn a_helper_may_complain_at_length_and_need_not_read() {
    let machine = Machine::new();
    machine.helper(
        "wordy",
        &format!("exec 0<&-; i=0; while [ $i -lt 20000 ]; do echo complaint >&2; i=$((i+1)); done; {ANSWER}"),
    );
    machine.docker_config(r#"{"credsStore": "wordy"}"#);
    assert_eq!(machine.find("ghcr.io/a").await, Found { login: of_helper(), warnings: vec![] });
}

#[tokio::test]
async fn a_helper_that_hangs_is_ended_after_its_time() {
    let machine = Machine::new();
    machine.helper("hangs", HANG);
    let docker = machine.docker_config(r#"{"credsStore": "hangs"}"#);
    machine.podman_auth(&auths(&[("ghcr.io", "podman")]));
    let found = machine.find_within("ghcr.io/a", Duration::from_millis(20)).await;
    assert_eq!(found.user(), Some("podman"));
    let reason = "docker-credential-hangs gave no answer within 20ms";
    let line = format!("{} names a credential helper for ghcr.io that is left out: {reason}", shown(&docker));
    assert_eq!(found.warnings, [line]);
}

#[tokio::test]
async fn cancelling_ends_a_helper_that_hangs() {
    let machine = Machine::new();
    let mark = machine.path("process");
    machine.helper("hangs", &format!("echo $$ > '{0}.new'; /bin/mv '{0}.new' '{0}'; {HANG}", shown(&mark)));
    machine.docker_config(r#"{"credsStore": "hangs"}"#);
    let environment = machine.environment();
    let cancellation = CancellationToken::new();
    let cancel = async {
        while !mark.exists() {
            tokio::task::yield_now().await;
        }
        cancellation.cancel();
    };
    let search = search(&environment, "ghcr.io/a", PATIENCE, cancellation.clone());
    let both = async { tokio::join!(search, cancel) };
    let ((login, _), ()) = tokio::time::timeout(PATIENCE / 2, both).await.expect("cancelling ends the search");
    assert_eq!(login.expect_err("it was cancelled").kind(), ErrorKind::Cancelled);

    let process = std::fs::read_to_string(&mark).expect("the helper has left its process ID");
    let is_alive = || {
        let signal = std::process::Command::new("/bin/sh").args(["-c", "kill -0 \"$0\" 2>&-", process.trim()]).status();
        signal.expect("a shell").success()
    };
    let ended = async {
        while is_alive() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE / 2, ended).await.expect("the helper is ended");
}

#[tokio::test]
async fn the_helper_of_this_system_is_asked_where_nothing_is_set_up() {
    let name = if cfg!(target_os = "macos") { "osxkeychain" } else { "secretservice" };
    let machine = Machine::new();
    machine.helper(name, ANSWER);
    assert_eq!(machine.find("ghcr.io/a").await.login, of_helper());
    machine.docker_config(r#"{"HttpHeaders": {}}"#);
    assert_eq!(machine.find("ghcr.io/a").await.login, of_helper());
    machine.docker_config(r#"{"auths": {"quay.io": {}}}"#);
    assert_eq!(machine.find("ghcr.io/a").await.login, None);

    let machine = Machine::new();
    machine.helper(name, "echo no session bus; exit 1");
    assert_eq!(machine.find("ghcr.io/a").await, Found { login: None, warnings: vec![] }, "nobody asked for it");
}

#[tokio::test]
async fn a_helper_in_a_folder_relative_to_the_current_one_is_not_run() {
    let mut machine = Machine::new();
    machine.helper("x", ANSWER);
    machine.docker_config(r#"{"credsStore": "x"}"#);
    assert_eq!(machine.find("ghcr.io/a").await.login, of_helper());
    let up = "../".repeat(std::env::current_dir().expect("a folder").components().count());
    machine.set("PATH", format!("{up}{}", shown(&machine.path("bin"))));
    assert_eq!(machine.find("ghcr.io/a").await.login, None);
}

#[tokio::test]
async fn a_helper_of_podman_hides_what_its_file_has() {
    let machine = Machine::new();
    machine.helper("empty", "echo credentials not found in native keychain; exit 1");
    machine.podman_auth(&format!(
        r#"{{"auths": {{{}}}, "credHelpers": {{"quay.io": "empty"}}}}"#,
        entry("quay.io", "file")
    ));
    assert_eq!(machine.find("quay.io/a").await, Found { login: None, warnings: vec![] });
}
