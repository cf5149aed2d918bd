use super::*;
use proptest::prelude::*;

const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

#[test]
fn references_are_read_as_docker_reads_them() {
    let with_digest = |name: &str| format!("{name}@{DIGEST}");
    for (text, shown) in [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest"),
        ("registry-1.docker.io/alpine", "docker.io/library/alpine:latest"),
        ("Docker.IO/alpine", "docker.io/library/alpine:latest"),
        ("owner/name", "docker.io/owner/name:latest"),
        ("Host/owner/name", "Host/owner/name:latest"),
        ("GHCR.io/a/b", "ghcr.io/a/b:latest"),
        ("LOCALHOST/a", "localhost/a:latest"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("ghcr.io/a/b/c/d:v1.0_x-y", "ghcr.io/a/b/c/d:v1.0_x-y"),
        ("host:5000/x/y:z", "host:5000/x/y:z"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ("[::1]:5000/x", "[::1]:5000/x:latest"),
        ("[::1]/x:y", "[::1]/x:y"),
        ("a--b/c__d/e.f_g", "docker.io/a--b/c__d/e.f_g:latest"),
        ("x:_Tag", "docker.io/library/x:_Tag"),
        (&with_digest("alpine"), &with_digest("docker.io/library/alpine")),
        (&with_digest("ghcr.io/a/b"), &with_digest("ghcr.io/a/b")),
        (&with_digest("ghcr.io/a/b:tag"), &with_digest("ghcr.io/a/b:tag")),
        (&with_digest("h:5000/b"), &with_digest("h:5000/b")),
    ] {
        let reference: Reference = text.parse().expect(text);
        assert_eq!(reference.to_string(), shown, "{text}");
        assert_eq!(reference.to_string().parse::<Reference>().expect(shown), reference);
    }
}

#[test]
fn what_is_no_reference_is_refused_by_name() {
    let (long_name, long_tag) = (format!("a/{}", "b".repeat(254)), format!("a:{}", "t".repeat(129)));
    for text in [
        "",
        ":tag",
        "a:",
        "a/",
        "/a",
        "a//b",
        "A",
        "ghcr.io/Owner/name",
        "a b",
        "a:b c",
        "a:.hidden",
        "a:-x",
        "a___b",
        "a..b",
        "-a",
        "a-",
        "a_",
        ".a",
        "https://ghcr.io/a",
        "ghcr.io:port/a",
        "ghcr.io:0/a",
        "ghcr.io:70000/a",
        "-x.io/a",
        "[::1/a",
        "[zz]/a",
        "a@sha256:123",
        "a@md5:d41d8cd98f00b204e9800998ecf8427e",
        "a@latest",
        "a@",
        "a@@",
        "a@\0:",
        "a@\u{1b}[31m:",
        "ä",
        "a/b\u{202e}c",
        "a\0b",
        "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
        &long_name,
        &long_tag,
    ] {
        let error = text.parse::<Reference>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidReference, "{text}");
        assert!(error.to_string().starts_with("Invalid image reference \""), "{error}");
        crate::fuzz::expect_printable(&error);
    }
}

#[test]
fn what_stands_beside_a_name_is_joined_with_it() {
    let with_digest = format!("ghcr.io/a/b@{DIGEST}");
    let with_both = format!("ghcr.io/a/b:c@{DIGEST}");
    for (registry, default, name, version, shown) in [
        (None, "ghcr.io", "a/b", None, "ghcr.io/a/b:latest"),
        (None, "ghcr.io", "alpine", Some("3.20"), "ghcr.io/alpine:3.20"),
        (None, "docker.io", "alpine", Some("3.20"), "docker.io/library/alpine:3.20"),
        (None, "ghcr.io", "docker.io/library/alpine:3.20", None, "docker.io/library/alpine:3.20"),
        (None, "ghcr.io", "docker.io/alpine", Some("3.20"), "docker.io/library/alpine:3.20"),
        (None, "ghcr.io", "localhost:5000/x", Some("b"), "localhost:5000/x:b"),
        (None, "ghcr.io", "[::1]:5000/a", Some("b"), "[::1]:5000/a:b"),
        (None, "ghcr.io", "Host/a", None, "Host/a:latest"),
        (None, "ghcr.io", "a/b", Some(DIGEST), with_digest.as_str()),
        (None, "docker.io", with_digest.as_str(), Some(DIGEST), with_digest.as_str()),
        (None, "docker.io", with_both.as_str(), Some("c"), with_both.as_str()),
        (None, "docker.io", with_both.as_str(), Some(DIGEST), with_both.as_str()),
        (Some("ghcr.io"), "docker.io", "a/b", None, "ghcr.io/a/b:latest"),
        (Some("ghcr.io"), "docker.io", "a/b:c", None, "ghcr.io/a/b:c"),
        (Some("ghcr.io"), "docker.io", "a/b:c", Some("c"), "ghcr.io/a/b:c"),
        (Some("ghcr.io"), "docker.io", with_digest.as_str(), None, with_digest.as_str()),
        (Some("GHCR.io"), "docker.io", "ghcr.io/a/b", None, "ghcr.io/a/b:latest"),
        (Some("docker.io"), "ghcr.io", "index.docker.io/alpine", None, "docker.io/library/alpine:latest"),
        (Some("registry-1.docker.io"), "ghcr.io", "alpine", None, "docker.io/library/alpine:latest"),
        (Some("m:5000"), "ghcr.io", "m:5000/docker.io/library/x", None, "m:5000/docker.io/library/x:latest"),
    ] {
        let reference = Reference::from_parts(registry, default, name, version).expect(name);
        assert_eq!(reference.to_string(), shown, "{registry:?} {default} {name} {version:?}");
    }
}

#[test]
fn what_contradicts_a_name_or_is_not_well_formed_beside_it_is_refused() {
    let pinned = format!("ghcr.io/a/b@{DIGEST}");
    let other = format!("sha256:{}", "a".repeat(64));
    for (registry, default, name, version, reason) in [
        (Some("ghcr.io"), "ghcr.io", "docker.io/library/alpine", None, "another registry"),
        (Some("m:5000"), "ghcr.io", "docker.io/library/x", None, "another registry is asked for beside it, m:5000"),
        (Some("ghcr.io"), "ghcr.io", "localhost/x", None, "another registry"),
        (Some("ghcr.io"), "ghcr.io", "Owner/name", None, "must be in lower case"),
        (Some(""), "ghcr.io", "a/b", None, "not a host"),
        (Some("no host"), "ghcr.io", "a/b", None, "not a host"),
        (None, "", "a/b", None, "not a host"),
        (None, "ghcr.io", "ghcr.io/a/b:c", Some("d"), "another tag is asked for beside it, d"),
        (None, "ghcr.io", "a:latest", Some("b"), "another tag"),
        (None, "ghcr.io", pinned.as_str(), Some("c"), "another tag"),
        (None, "ghcr.io", pinned.as_str(), Some(other.as_str()), "another tag"),
        (None, "ghcr.io", "a/b:c", Some(DIGEST), "another tag"),
        (None, "ghcr.io", "a", Some(""), "the tag is missing"),
        (None, "ghcr.io", "a", Some("no tag"), "a tag has"),
        (None, "ghcr.io", "", None, "the name of the image is missing"),
    ] {
        let error = Reference::from_parts(registry, default, name, version).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidReference, "{name}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn the_parts_of_a_reference_say_where_to_ask() {
    let hub: Reference = "alpine:3.20".parse().expect("a reference");
    assert_eq!(hub.registry().api_address(), "registry-1.docker.io");
    assert_eq!(hub.repository().path(), "library/alpine");
    assert_eq!((hub.tag(), hub.version()), (Some("3.20"), "3.20"));
    let pinned: Reference = format!("ghcr.io/a/b:tag@{DIGEST}").parse().expect("a reference");
    assert_eq!(pinned.version(), DIGEST, "the digest decides");
}

#[test]
fn loopback_is_this_machine_only() {
    for (name, is_loopback) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1", true),
        ("127.9.9.9:80", true),
        ("[::1]:5000", true),
        ("localhost.example.com", false),
        ("127.0.0.1.example.com", false),
        ("10.0.0.1", false),
        ("ghcr.io", false),
    ] {
        assert_eq!(name.parse::<Registry>().expect(name).is_loopback(), is_loopback, "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", beside in "\\PC{0,20}") {
        let _ = text.parse::<Reference>();
        let _ = Reference::from_parts(Some(&beside), "ghcr.io", &text, Some(&beside));
    }

    #[test]
    fn what_is_read_is_shown_and_read_again_the_same(
        text in "([a-z0-9.-]{1,12}(:[0-9]{1,5})?/)?[a-z0-9._/-]{1,20}(:[a-zA-Z0-9._-]{1,9})?(@sha256:[0-9a-f]{64})?",
    ) {
        if let Ok(reference) = text.parse::<Reference>() {
            let shown = reference.to_string();
            prop_assert_eq!(shown.parse::<Reference>().expect("what is shown is a reference"), reference);
        }
    }
}

#[test]
fn fuzz_reference() {
    crate::fuzz::check("reference", |bytes| match String::from_utf8_lossy(bytes).parse::<Reference>() {
        Ok(reference) => {
            let shown = reference.to_string();
            assert_eq!(shown.parse::<Reference>().expect("what is shown is a reference"), reference);
            assert!(!shown.contains(|c: char| c.is_control() || c.is_whitespace()), "{shown:?}");
            reference.version().parse::<Version>().expect("a tag or a digest");
        }
        Err(error) => crate::fuzz::expect_printable(&error),
    });
}
