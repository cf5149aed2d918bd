//! What registries.conf makes of names of images.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::reference::Reference;

fn conf(text: &str) -> RegistriesConf {
    RegistriesConf { entries: file::parse(Path::new("registries.conf"), text).expect(text) }
}

fn repository(name: &str) -> Repository {
    name.parse::<Reference>().expect(name).repository().clone()
}

/// The places of `name`, each with its mark: `!` for insecure, `@` for digests only, `:` for tags only, `*` for itself.
fn places(conf: &RegistriesConf, name: &str) -> Vec<String> {
    let endpoints = conf.endpoints(&repository(name)).expect(name);
    let mark = |endpoint: &Endpoint| {
        let only = match endpoint.only {
            Only::All => "",
            Only::Digest => "@",
            Only::Tag => ":",
        };
        let (insecure, itself) = (if endpoint.insecure { "!" } else { "" }, if endpoint.is_mirror { "" } else { "*" });
        format!("{}{insecure}{only}{itself}", endpoint.repository)
    };
    endpoints.iter().map(mark).collect()
}

#[test]
fn an_image_is_looked_for_at_its_mirrors_and_then_at_its_registry() {
    let hub = r#"
        unqualified-search-registries = ["docker.io"]
        short-name-mode = "permissive"
        credential-helpers = ["containers-auth.json"]
        [[registry]]
        prefix = "docker.io"
        location = "docker.io"
        unknown = 1
        [[registry.mirror]]
        location = "mirror.example:5000/hub/"
        insecure = true
        [[registry.mirror]]
        location = "second.example"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "third.example"
        pull-from-mirror = "tag-only"
        [[registry]]
        location = "docker.io/library"
        mirror-by-digest-only = true
        insecure = true
        [[registry.mirror]]
        location = "official.example/x"
        [aliases]
        "a" = "b/c"
    "#;
    let renamed = r#"
        [[registry]]
        prefix = "*.example.com"
        location = "all.example/sub"
        [[registry]]
        prefix = "one.example.com"
        location = "docker.io"
        [[registry]]
        prefix = "one.example.com/team/app"
        location = "ghcr.io/other/name"
        [[registry]]
        prefix = "*.example.net"
        insecure = true
        [[registry]]
        prefix = "Upper.example/A"
        location = "lower.example"
    "#;
    for (text, name, expected) in [
        ("", "alpine", &["docker.io/library/alpine*"][..]),
        ("[[registry]]\nlocation = 'ghcr.io'", "alpine", &["docker.io/library/alpine*"]),
        (
            hub,
            "owner/name",
            &[
                "mirror.example:5000/hub/owner/name!",
                "second.example/owner/name@",
                "third.example/owner/name:",
                "docker.io/owner/name*",
            ],
        ),
        (hub, "alpine", &["official.example/x/alpine@", "docker.io/library/alpine!*"]),
        (
            hub,
            "docker.io/library2/alpine",
            &[
                "mirror.example:5000/hub/library2/alpine!",
                "second.example/library2/alpine@",
                "third.example/library2/alpine:",
                "docker.io/library2/alpine*",
            ],
        ),
        (renamed, "a.b.example.com/x/y", &["all.example/sub/x/y*"]),
        (renamed, "example.com/x/y", &["example.com/x/y*"]),
        (renamed, "notexample.com/x/y", &["notexample.com/x/y*"]),
        (renamed, "a.example.com.evil/x", &["a.example.com.evil/x*"]),
        (renamed, "one.example.com/alpine", &["docker.io/library/alpine*"]),
        (renamed, "one.example.com/team/app", &["ghcr.io/other/name*"]),
        (renamed, "one.example.com/team/app/sub", &["ghcr.io/other/name/sub*"]),
        (renamed, "one.example.com/team/application", &["docker.io/team/application*"]),
        (renamed, "x.example.net:5000/y", &["x.example.net:5000/y!*"]),
        (renamed, "upper.example/a/b", &["lower.example/b*"]),
        ("[[registry]]\nlocation = 'a.example'\ninsecure = true", "a.example:5000/x", &["a.example:5000/x!*"]),
    ] {
        assert_eq!(places(&conf(text), name), expected, "{name}");
    }
}

#[test]
fn a_mirror_may_be_for_digests_or_for_tags() {
    for (only, by_digest, by_tag) in [(Only::All, true, true), (Only::Digest, true, false), (Only::Tag, false, true)] {
        assert_eq!((only.includes(true), only.includes(false)), (by_digest, by_tag), "{only:?}");
    }
}

#[test]
fn a_blocked_registry_is_not_asked() {
    let conf = conf(
        "\n[[registry]]\nprefix = \"*.bad.example\"\nblocked = true\n[[registry.mirror]]\nlocation = \"m.example\"",
    );
    let error = conf.endpoints(&repository("x.bad.example/a")).expect_err("blocked");
    assert_eq!(error.kind(), ErrorKind::Blocked);
    let expected = "x.bad.example/a is blocked by registries.conf (prefix \"*.bad.example\", line 2). ";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(places(&conf, "good.example/a"), ["good.example/a*"]);
}

#[test]
fn a_location_that_makes_no_name_is_named() {
    let conf = conf("[[registry]]\nprefix = \"a.example/x/y\"\nlocation = \"b.example\"");
    let error = conf.endpoints(&repository("a.example/x/y")).expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error
            .to_string()
            .contains("registries.conf, line 1 cannot be used: a.example/x/y has no name at \"b.example\""),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_line() {
    for (text, line, reason) in [
        ("a = 1\nb = \n", 2, ""),
        ("[[registry]]\nlocation = 5", 2, "invalid type"),
        ("\n[registries.search]\nregistries = ['docker.io']", 2, "it is of the first version of the format"),
        (
            "[[registry]]\nlocation = 'a.example'\n[[registry]]\ninsecure = true",
            3,
            "a registry has neither prefix nor location",
        ),
        ("[[registry]]\nprefix = 'a.example'", 1, "the registry with the prefix \"a.example\" has no location"),
        ("[[registry]]\nlocation = 'https://a.example'", 1, "\"https://a.example\" must be written without https://"),
        ("[[registry]]\nlocation = 'a b'", 1, "the location \"a b\" is not a host"),
        ("[[registry]]\nlocation = 'a.example/UPPER'", 1, "the location \"a.example/UPPER\" is not a host"),
        ("[[registry]]\nprefix = '*.'\nlocation = 'a.example'", 1, "the prefix \"*.\" does not begin with a host"),
        ("[[registry]]\nlocation = 'a.example'\npull-from-mirror = 'all'", 1, "pull-from-mirror stands in a registry"),
        ("[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\ninsecure = true", 3, "a mirror has no location"),
        (
            "[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'b.example'\npull-from-mirror = 'never'",
            3,
            "pull-from-mirror is \"never\", not all, digest-only or tag-only",
        ),
        (
            "[[registry]]\nlocation = 'a.example'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'b.example'\npull-from-mirror = 'all'",
            4,
            "mirror-by-digest-only and pull-from-mirror exclude each other",
        ),
    ] {
        let error = file::parse(Path::new("/x/registries.conf"), text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let start = format!("The registries configuration /x/registries.conf, line {line} cannot be used: {reason}");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
    assert!(file::parse(Path::new("x"), "[registries.search]\nregistries = []").expect("nothing").is_empty());
}

/// A user's folder with `files`.
fn home_with(files: &[(&str, &str)]) -> TempDir {
    let home = TempDir::new().expect("a folder");
    for (name, text) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    home
}

const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

#[test]
fn the_users_file_counts_and_the_files_beside_it_in_their_order() {
    let home = home_with(&[
        (".config/containers/registries.conf", "[[registry]]\nprefix = 'a.example'\nlocation = 'zero.example'"),
        (
            ".config/containers/registries.conf.d/20.conf",
            "[[registry]]\nprefix = 'a.example'\nlocation = 'two.example'",
        ),
        (
            ".config/containers/registries.conf.d/10.conf",
            "[[registry]]\nprefix = 'a.example'\nlocation = 'one.example'\n[[registry]]\nprefix = 'b.example'\nlocation = 'one.example'",
        ),
        (".config/containers/registries.conf.d/90.conf.bak", "not read"),
        (".config/containers/registries.conf.d/folder.conf/x", "not read"),
    ]);
    let conf = RegistriesConf::load(&Environment::from_iter([(HOME, home.path())])).expect("a configuration");
    assert_eq!(places(&conf, "a.example/x"), ["two.example/x*"]);
    assert_eq!(places(&conf, "b.example/x"), ["one.example/x*"]);
}

#[test]
fn the_environment_names_the_file() {
    let home = home_with(&[
        ("elsewhere/containers/registries.conf", "[[registry]]\nprefix = 'a.example'\nlocation = 'xdg.example'"),
        ("named.conf", "[[registry]]\nprefix = 'a.example'\nlocation = 'named.example'"),
    ]);
    let load = |variables: &[(&str, &str)]| {
        let paths = variables.iter().map(|(name, path)| (*name, home.path().join(path)));
        RegistriesConf::load(&paths.collect())
    };
    let xdg = load(&[(HOME, ""), ("XDG_CONFIG_HOME", "elsewhere")]).expect("a configuration");
    assert_eq!(places(&xdg, "a.example/x"), ["xdg.example/x*"]);
    let named = load(&[("CONTAINERS_REGISTRIES_CONF", "named.conf")]).expect("a configuration");
    assert_eq!(places(&named, "a.example/x"), ["named.example/x*"]);
    let error = load(&[("CONTAINERS_REGISTRIES_CONF", "absent.conf")]).expect_err("no file");
    assert!(error.to_string().contains("absent.conf cannot be used: "), "{error}");
    let nothing = RegistriesConf::load(&Environment::default()).expect("nothing");
    assert_eq!(places(&nothing, "a.example/x"), ["a.example/x*"]);
}

#[test]
fn fuzz_registries_conf() {
    let reference: crate::reference::Reference = "registry.example/a/b".parse().expect("a reference");
    crate::fuzz::check("registries_conf", |document| {
        let text = String::from_utf8_lossy(document);
        match file::parse(Path::new("registries.conf"), &text) {
            Ok(entries) => drop(RegistriesConf { entries }.endpoints(reference.repository())),
            Err(error) => crate::fuzz::expect_printable(&error),
        }
    });
}

proptest! {
    #[test]
    fn no_file_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = file::parse(Path::new("x"), &text);
    }

    #[test]
    fn no_values_make_the_rules_panic(
        prefix in "[*.]{0,2}[a-z:./é]{0,12}", location in "[a-z:./é]{0,12}", only in "all|digest-only|tag-only|x",
    ) {
        let text = format!(
            "[[registry]]\nprefix = '{prefix}'\nlocation = '{location}'\n[[registry.mirror]]\nlocation = '{location}'\n\
             pull-from-mirror = '{only}'"
        );
        if let Ok(entries) = file::parse(Path::new("x"), &text) {
            let conf = RegistriesConf { entries };
            for name in ["alpine", "a.b/c", "a.a.b:80/c/d"] {
                let _ = conf.endpoints(&repository(name));
            }
        }
    }

    #[test]
    fn without_a_configuration_every_name_stays_itself(name in "[a-z]{1,9}\\.example(/[a-z]{1,9}){1,3}") {
        prop_assert_eq!(places(&RegistriesConf::default(), &name), vec![format!("{name}*")]);
    }
}
