//! Mirrors: asked first, judged by digests, left for the next when they fail, and never told a secret of the registry.

use wslimage::{Client, ClientOptions, Credential, Environment, ErrorKind};
use wslimage_test_registry::{Auth, Image, Step, TestRegistry};

use crate::fixture::{Fixture, Recorder, credential};

/// A registry and a mirror of it, each with its own certificate authority.
struct Mirrored {
    fixture: Fixture,
    mirror: TestRegistry,
}

impl Mirrored {
    async fn new() -> Self {
        let mirror = TestRegistry::start().await.expect("a registry");
        Self { fixture: Fixture::new().await, mirror }
    }

    fn options(&self) -> ClientOptions {
        // The mirror is asked by plain http: the two have different authorities.
        let mirrors = vec![format!("http://{}", self.mirror.http_address()).parse().expect("a mirror")];
        ClientOptions { mirrors, ..self.fixture.options() }
    }

    fn at_mirror(&self) -> usize {
        self.mirror.log("a/b").len()
    }

    fn at_registry(&self) -> usize {
        self.fixture.registry.log("a/b").len()
    }

    async fn pull(&self, options: ClientOptions) -> wslimage::Result<Vec<String>> {
        let client = Client::new(options)?;
        let (recorder, _, job) = Recorder::job();
        let image = wslimage::resolve(&client, self.fixture.request("a/b"), &job).await?;
        wslimage::pull(&client, &image, &self.fixture.destination(), wslimage::PullOptions::default(), &job).await?;
        self.fixture.expect_layer_in_file();
        Ok(recorder.verbose_lines())
    }
}

#[tokio::test]
async fn a_mirror_that_has_the_image_is_enough() {
    let mirrored = Mirrored::new().await;
    mirrored.mirror.add_image(Fixture::image("a/b")).expect("an image");
    mirrored.pull(mirrored.options()).await.expect("a file");
    assert_eq!((mirrored.at_mirror(), mirrored.at_registry()), (4, 0));
}

#[tokio::test]
async fn a_mirror_that_fails_is_left_for_the_registry_with_a_line() {
    let image = || Fixture::image("a/b");
    type Setup = fn(&TestRegistry, &str);
    let cases: [(&str, Setup); 11] = [
        ("it lacks the image", |_, _| {}),
        ("it is out of order", |mirror, _| route(mirror, "/v2/*", Step::status(503))),
        ("it wants a login", |mirror, _| {
            mirror.add_image(Image { auth: Some(Auth::basic("a", "b")), ..Fixture::image("a/b") }).expect("an image");
        }),
        ("it denies", |mirror, _| route(mirror, "/v2/*", Step::status(403))),
        ("it sends a page", |mirror, _| route(mirror, "/v2/*", Step::text(200, "<html>"))),
        ("it closes", |mirror, _| route(mirror, "/v2/*", Step { close_before_response: true, ..Step::default() })),
        ("it limits", |mirror, _| route(mirror, "/v2/*", Step::status(429).header("Retry-After", "3600"))),
        ("it lacks the layer", |mirror, layer| {
            mirror.add_image(Fixture::image("a/b")).expect("an image");
            route(mirror, layer, Step::status(404));
        }),
        ("it has another layer", |mirror, layer| {
            mirror.add_image(Fixture::image("a/b")).expect("an image");
            route(mirror, layer, Step { status: Some(500), ..Step::default() });
        }),
        ("it cuts the layer", |mirror, layer| {
            mirror.add_image(Fixture::image("a/b")).expect("an image");
            route(mirror, layer, Step { cut_after: Some(10), ..Step::pass() });
        }),
        ("it redirects the layer to nowhere", |mirror, layer| {
            mirror.add_image(Fixture::image("a/b")).expect("an image");
            route(mirror, layer, Step::status(307));
        }),
    ];
    for (name, setup) in cases {
        let mirrored = Mirrored::new().await;
        let served = mirrored.fixture.serve(image());
        setup(&mirrored.mirror, &format!("/v2/a/b/blobs/{}", served.layers[0][0].digest));
        let told = mirrored.pull(mirrored.options()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let left =
            told.iter().filter(|line| line.starts_with("The mirror ") && line.contains(" is left for the next: "));
        assert_eq!(left.count(), 1, "{name}: {told:?}");
    }
}

fn route(registry: &TestRegistry, path: &str, step: Step) {
    registry.add_route(wslimage_test_registry::Route::new(path, [step])).expect("a route");
}

#[tokio::test]
async fn what_a_mirror_falsifies_is_fetched_from_it_twice_and_refused() {
    let mirrored = Mirrored::new().await;
    let served = mirrored.fixture.serve(Fixture::image("a/b"));
    mirrored.mirror.add_image(Fixture::image("a/b")).expect("an image");
    let layer = format!("/v2/a/b/blobs/{}", served.layers[0][0].digest);
    let falsified = "x".repeat(crate::fixture::LAYER.len());
    route(&mirrored.mirror, &layer, Step::text(200, &falsified));
    // The digest is the judge: it finds the fault, and the registry has what is right.
    mirrored.pull(mirrored.options()).await.expect("a file");
}

#[tokio::test]
async fn the_registry_has_the_last_word() {
    let mirrored = Mirrored::new().await;
    let error = mirrored.pull(mirrored.options()).await.expect_err("neither has it");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(mirrored.fixture.registry.https_address()), "{error}");
    assert_eq!((mirrored.at_mirror(), mirrored.at_registry()), (1, 1));
}

#[tokio::test]
async fn a_login_for_the_registry_never_goes_to_a_mirror() {
    let mirrored = Mirrored::new().await;
    let auth = || Some(Auth::basic("user", "s3cret"));
    mirrored.mirror.add_image(Image { auth: auth(), ..Fixture::image("a/b") }).expect("an image");
    mirrored.fixture.serve(Image { auth: auth(), ..Fixture::image("a/b") });
    let login: Option<Credential> = Some(credential("user", "s3cret"));
    mirrored.pull(ClientOptions { credential: login, ..mirrored.options() }).await.expect("a file");
    let told = mirrored.mirror.log("a/b");
    assert!(!told.is_empty() && told.iter().all(|request| !request.headers.contains_key("authorization")), "{told:?}");
}

#[tokio::test]
async fn a_token_that_was_given_never_goes_to_a_mirror() {
    let mirrored = Mirrored::new().await;
    mirrored.mirror.add_image(Fixture::image("a/b")).expect("an image");
    let client = Client::new(mirrored.options()).expect("a client");
    let mut request = mirrored.fixture.request("a/b");
    request.token = Some("s3cret".into());
    mirrored.fixture.pull_request(&client, request).await.expect("a file");
    assert!(mirrored.mirror.log("a/b").iter().all(|request| !request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_mirror_may_keep_its_images_below_a_path() {
    let mirrored = Mirrored::new().await;
    mirrored.mirror.add_image(Fixture::image("hub/copy/a/b")).expect("an image");
    let address = format!("http://{}/hub/copy/", mirrored.mirror.http_address());
    let mirrors = vec![address.parse().expect("a mirror")];
    mirrored.pull(ClientOptions { mirrors, ..mirrored.options() }).await.expect("a file");
    assert_eq!(mirrored.at_registry(), 0);
}

#[tokio::test]
async fn mirrors_are_asked_in_their_order_and_a_failed_one_only_once() {
    let mirrored = Mirrored::new().await;
    let second = TestRegistry::start().await.expect("a registry");
    second.add_image(Fixture::image("a/b")).expect("an image");
    let mut options = mirrored.options();
    options.mirrors.push(format!("http://{}", second.http_address()).parse().expect("a mirror"));
    mirrored.pull(options).await.expect("a file");
    assert_eq!((mirrored.at_mirror(), second.log("a/b").len(), mirrored.at_registry()), (1, 4, 0));
}

#[test]
fn a_mirror_is_a_host_with_an_optional_port_and_path() {
    for (text, expected) in [
        ("mirror.example", "mirror.example"),
        ("https://mirror.example/", "mirror.example"),
        ("http://mirror.example:5000", "http://mirror.example:5000"),
        ("mirror.example/docker-hub/", "mirror.example/docker-hub"),
        ("[::1]:5000/a/b", "[::1]:5000/a/b"),
    ] {
        let location: wslimage::MirrorLocation = text.parse().expect(text);
        assert_eq!(location.to_string(), expected);
    }
    for text in ["", "ftp://mirror", "mirror example", "mirror/UPPER", "user:secret@mirror", "mirror/a?b", "mirror:0"] {
        let error = text.parse::<wslimage::MirrorLocation>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}: {error}");
    }
}

#[tokio::test]
async fn the_mirrors_of_registries_conf_are_asked_too() {
    let mirrored = Mirrored::new().await;
    mirrored.mirror.add_image(Fixture::image("copy/a/b")).expect("an image");
    let file = mirrored.fixture.extra().join("registries.conf");
    let conf = format!(
        "[[registry]]\nlocation = \"{}\"\n[[registry.mirror]]\nlocation = \"{}/copy\"\ninsecure = true\n",
        mirrored.fixture.registry.https_address(),
        // Its authority is not known here, which `insecure` allows.
        mirrored.mirror.https_address(),
    );
    std::fs::write(&file, conf).expect("a file");
    let environment: Environment = [("CONTAINERS_REGISTRIES_CONF", &file)].into_iter().collect();
    mirrored.pull(ClientOptions { environment, ..mirrored.fixture.options() }).await.expect("a file");
    assert_eq!((mirrored.mirror.log("copy/a/b").len(), mirrored.at_registry()), (4, 0));
}

#[tokio::test]
async fn a_blocked_registry_is_not_asked() {
    let mirrored = Mirrored::new().await;
    mirrored.fixture.serve(Fixture::image("a/b"));
    let file = mirrored.fixture.extra().join("registries.conf");
    let conf = format!("[[registry]]\nlocation = \"{}\"\nblocked = true\n", mirrored.fixture.registry.https_address());
    std::fs::write(&file, conf).expect("a file");
    let environment: Environment = [("CONTAINERS_REGISTRIES_CONF", &file)].into_iter().collect();
    let error = mirrored.pull(ClientOptions { environment, ..mirrored.fixture.options() }).await.expect_err("blocked");
    assert_eq!(error.kind(), ErrorKind::Blocked);
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert_eq!(mirrored.at_registry(), 0);
}
