//! The example program: the same job from a shell.

use std::path::PathBuf;
use std::process::Output;

use crate::fixture::{Fixture, LAYER};
use wslimage_test_registry::{Auth, Image};

/// Cargo builds the examples for the tests, beside the folder of the test programs.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program's path");
    let folder = test.parent().and_then(|folder| folder.parent()).expect("the target folder");
    folder.join("examples").join(format!("pull{}", std::env::consts::EXE_SUFFIX))
}

async fn run(arguments: Vec<String>) -> Output {
    tokio::task::spawn_blocking(move || std::process::Command::new(program()).args(arguments).output())
        .await
        .expect("a thread")
        .expect("the example runs")
}

fn arguments(fixture: &Fixture, name: &str, more: &[&str]) -> Vec<String> {
    let reference = format!("{}/{name}", fixture.registry.https_address());
    let (ca, output) = (fixture.registry.ca_certificate_path().display(), fixture.destination());
    ["--ca-certificate", &ca.to_string(), &reference, "-o", &output.display().to_string()]
        .into_iter()
        .chain(more.iter().copied())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_example_prints_the_digest_of_the_file_and_nothing_else() {
    let fixture = Fixture::new().await;
    let served = fixture.serve(Image { auth: Some(Auth::basic("user", "a:b")), ..Fixture::image("a/b") });
    let output = run(arguments(&fixture, "a/b:latest", &["--creds", "user:a:b", "--platform", "linux/amd64"])).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), served.layers[0][0].digest);
    assert!(output.stderr.is_empty(), "no progress bar where standard error is no terminal: {output:?}");
    assert_eq!(std::fs::read_to_string(fixture.destination()).expect("the file"), LAYER);
}

#[tokio::test]
async fn the_example_fails_with_one_error_and_its_causes() {
    let fixture = Fixture::new().await;
    let output = run(arguments(&fixture, "a/b:missing", &[])).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(told.starts_with("error: Image not found: ") && told.lines().count() == 1, "{told}");

    let output = run(vec!["--plain-http".into(), "127.0.0.1:1/a/b".into(), "-o".into(), "/nonexistent/x".into()]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("\n  caused by: "), "{told}");
    let output = run(vec!["--creds".into(), "s3cret".into(), "a".into(), "-o".into(), "x".into()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"), "{output:?}");
}

#[tokio::test]
async fn the_example_takes_an_image_from_a_path_or_a_registry_but_not_both() {
    let fixture = Fixture::new().await;
    let path = fixture.extra().join("image.tar");
    std::fs::write(&path, "no archive").expect("a file");
    let (path, output) = (path.display().to_string(), fixture.destination().display().to_string());
    for (arguments, code, told) in [
        (&["--path", &path, "-o", &output][..], 1, "error: Failed to read an image from "),
        (&["--path", &path, "--tag", "v1", "-o", &output], 1, "error: Failed to read an image from "),
        (&["--path", &path, "alpine", "-o", &output], 2, "error: the argument "),
        (&["--tag", "v1", "alpine", "-o", &output], 2, "error: the argument "),
        (&["-o", &output], 2, "error: the following required arguments were not provided:"),
    ] {
        let output = run(arguments.iter().map(|argument| (*argument).to_owned()).collect()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.starts_with(told), "{error}");
    }
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}
