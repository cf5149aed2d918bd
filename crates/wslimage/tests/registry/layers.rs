//! Images of several layers, and of one that is not the archive as it is: what the user gets, and what is asked for it.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use wslimage::{
    CancellationToken, Client, ClientOptions, ErrorKind, Format, Job, Notice, Observer, PullOptions, PulledFile,
    Result, Stage,
};
use wslimage_test_registry::{Blob, Image, Step};

use crate::fixture::{Event, Recorder};
use crate::large::{MEGABYTE, content};
use crate::stack::{Stack, base, gzip, large, of_text, tar, tree_of, typed, zstd};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// Three layers: the second removes and replaces what the first has.
fn three() -> Vec<Blob> {
    vec![base(), of_text(&[("etc/name", "two"), ("etc/.wh.gone", ""), ("opt/", "")]), of_text(&[("opt/tool", "three")])]
}

const THREE: &[(&str, &str)] =
    &[("bin/", ""), ("bin/sh", "a shell"), ("etc/", ""), ("etc/name", "two"), ("opt/", ""), ("opt/tool", "three")];

#[tokio::test]
async fn several_layers_become_one_archive() {
    for (index, docker) in [(true, false), (false, true)] {
        let stack = Stack::of(Image { index, docker, ..Stack::image(three()) }).await;
        stack.fixture.put_older_file();
        let (recorder, _, job) = Recorder::job();
        let file = stack.pull_as(&stack.fixture.client(), PullOptions::default(), &job).await.expect("a file");
        stack.expect(&file, THREE);
        assert_eq!(stack.asked(), [(0, None), (1, None), (2, None)]);
        let sizes: u64 = stack.layers.iter().map(|layer| layer.size).sum();
        assert!(recorder.events().contains(&Event::Expects(3, sizes)));
        assert_eq!(recorder.advanced(), sizes);
        let warnings: Vec<_> =
            recorder.events().into_iter().filter(|it| matches!(it, Event::Notice(Notice::Warning(_)))).collect();
        assert!(warnings.is_empty(), "{warnings:?}");
        let stages: Vec<Stage> = recorder.events().iter().filter_map(stage).collect();
        assert_eq!((stages.first(), stages.last()), (Some(&Stage::Downloading), Some(&Stage::Done)), "{stages:?}");
    }
}

fn stage(event: &Event) -> Option<Stage> {
    if let Event::Stage(stage) = event { Some(*stage) } else { None }
}

#[tokio::test]
async fn the_same_image_gives_the_same_bytes_however_it_comes() {
    let layers = || vec![base(), large(3 * MEGABYTE), of_text(&[("etc/name", "two")]), large(9 * MEGABYTE)];
    let mut archives = Vec::new();
    for (maximum_connections, step) in [
        (1, Step::pass()),
        (2, Step { bytes_per_second: Some(16 * MEGABYTE), ..Step::pass() }),
        (8, Step { bytes_per_second: Some(8 * MEGABYTE), ..Step::pass() }),
        (1, Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() }),
        (1, Step { chunked: true, ..Step::pass() }),
    ] {
        let stack = Stack::new(layers()).await;
        stack.at(1, [step.clone()]);
        stack.at(3, [step]);
        let options = ClientOptions { maximum_connections, ..stack.fixture.options() };
        let client = Client::new(options).expect("a client");
        stack.pull_as(&client, PullOptions::default(), &Job::default()).await.expect("a file");
        archives.push(std::fs::read(stack.fixture.destination()).expect("the file"));
    }
    assert!(archives.iter().all(|archive| *archive == archives[0]), "other bytes");
}

/// What an image comes to.
enum End {
    /// The archive has these files.
    Tree(&'static [(&'static str, &'static str)]),
    /// An error whose text begins so; `LAYER n` stands for the digest of a layer.
    Error(ErrorKind, &'static str),
}

struct Case {
    name: &'static str,
    layers: Vec<Blob>,
    diff_ids: Option<fn(&mut Vec<String>)>,
    end: End,
    /// The layers that are asked for, in their order.
    asked: &'static [usize],
}

fn case(name: &'static str, layers: Vec<Blob>, asked: &'static [usize], end: End) -> Case {
    Case { name, layers, diff_ids: None, end, asked }
}

const BASE: &[(&str, &str)] =
    &[("bin/", ""), ("bin/sh", "a shell"), ("etc/", ""), ("etc/gone", "soon"), ("etc/name", "one")];
const TWO: &[(&str, &str)] =
    &[("bin/", ""), ("bin/sh", "a shell"), ("etc/", ""), ("etc/gone", "soon"), ("etc/name", "two")];

#[tokio::test]
async fn whatever_layers_are_the_archive_or_the_error_is_clear() {
    use End::{Error, Tree};
    use ErrorKind::{DigestMismatch, UnsupportedImage};
    let (lower, upper) = (tar(&[("bin/", ""), ("bin/sh", "a shell"), ("etc/", "")]), tar(&[("etc/name", "two")]));
    let small: &[(&str, &str)] = &[("bin/", ""), ("bin/sh", "a shell"), ("etc/", ""), ("etc/name", "two")];
    let both = |lower: Blob, upper: Blob| vec![lower, upper];
    let mut damaged = gzip(&tar(&[("etc/name", &"0123456789abcdef".repeat(400))]));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let cut = gzip(&upper)[..30].to_vec();
    let many: Vec<u8> = [gzip(&upper[..512]), gzip(&upper[512..])].concat();
    let cases = vec![
        case("zstd", both(typed(zstd(&lower), TAR_ZSTD), typed(zstd(&upper), TAR_ZSTD)), &[0, 1], Tree(small)),
        case("no compression", both(typed(&lower, TAR), typed(&upper, TAR)), &[0, 1], Tree(small)),
        case("one of each", both(typed(&lower, TAR), typed(zstd(&upper), TAR_ZSTD)), &[0, 1], Tree(small)),
        case(
            "media types that lie",
            both(typed(zstd(&lower), TAR_GZIP), typed(gzip(&upper), TAR)),
            &[0, 1],
            Tree(small),
        ),
        case(
            "a media type that says nothing",
            both(typed(gzip(&lower), TAR_ZSTD), typed(&upper, TAR_GZIP)),
            &[0, 1],
            Tree(small),
        ),
        case("two gzip members", both(typed(gzip(&lower), TAR_GZIP), typed(&many, TAR_GZIP)), &[0, 1], Tree(small)),
        case("a single one of zstd", vec![typed(zstd(&lower), TAR_ZSTD)], &[0], Tree(&small[..3])),
        case("a single one without compression", vec![typed(&lower, TAR)], &[0], Tree(&small[..3])),
        case("one layer twice", vec![base(), of_text(&[("etc/name", "two")]), base()], &[0, 1], Tree(BASE)),
        case(
            "one layer three times",
            vec![base(), base(), base(), of_text(&[("etc/name", "two")])],
            &[0, 3],
            Tree(TWO),
        ),
        case("whiteouts only", both(of_text(&[(".wh.a", "")]), of_text(&[(".wh..wh..opq", "")])), &[0, 1], Tree(&[])),
        case("a single whiteout", vec![of_text(&[("etc/.wh.a", "")])], &[0], Tree(&[])),
        case(
            "layers of nothing",
            both(typed(gzip(b""), TAR_GZIP), typed(gzip(&[0; 1024]), TAR_GZIP)),
            &[0, 1],
            Tree(&[]),
        ),
        case(
            "all of it removed",
            both(base(), of_text(&[(".wh..wh..opq", ""), ("new", "1")])),
            &[0, 1],
            Tree(&[("new", "1")]),
        ),
        case(
            "gzip whose checksum is wrong",
            both(base(), typed(&damaged, TAR_GZIP)),
            &[0, 1],
            Error(UnsupportedImage, "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: "),
        ),
        case(
            "gzip that is cut",
            both(base(), typed(&cut, TAR_GZIP)),
            &[0, 1],
            Error(UnsupportedImage, "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: "),
        ),
        case(
            "zstd that is cut",
            both(typed(&zstd(&lower)[..20], TAR_ZSTD), of_text(&[("x", "")])),
            &[0, 1],
            Error(UnsupportedImage, "Failed to read layer 1 of REGISTRY/a/b:latest, LAYER 0: it ends too early"),
        ),
        case(
            "xz",
            both(base(), typed(b"\xfd7zXZ\0 and so on", TAR)),
            &[0, 1],
            Error(UnsupportedImage, "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: it is compressed with xz"),
        ),
        case(
            "no tar in gzip",
            both(base(), typed(gzip("a page ".repeat(300).as_bytes()), TAR_GZIP)),
            &[0, 1],
            Error(
                UnsupportedImage,
                "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: The tar archive is wrong at byte 0: ",
            ),
        ),
        case(
            "no tar at all",
            both(base(), Blob::text("a page ".repeat(300))),
            &[0, 1],
            Error(UnsupportedImage, "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: it is not a tar archive"),
        ),
        case(
            "a single tar whose first header is damaged",
            vec![typed([b"?", &lower[1..]].concat(), TAR)],
            &[0],
            Error(
                UnsupportedImage,
                "Failed to read layer 1 of REGISTRY/a/b:latest, LAYER 0: The tar archive is wrong at byte 0: ",
            ),
        ),
        case(
            "tar that is cut",
            both(base(), typed(gzip(&upper[..700]), TAR_GZIP)),
            &[0, 1],
            Error(
                UnsupportedImage,
                "Failed to read layer 2 of REGISTRY/a/b:latest, LAYER 1: The tar archive is wrong at byte 700",
            ),
        ),
        case(
            "what leaves the root",
            both(base(), of_text(&[("../x", "")])),
            &[0, 1],
            Error(
                UnsupportedImage,
                "Failed to apply the layers of REGISTRY/a/b:latest: The entry ../x of layer 2 has a name whose .. leaves",
            ),
        ),
        Case {
            diff_ids: Some(|ids| ids.swap(0, 1)),
            ..case(
                "DiffIDs that changed places",
                three(),
                &[0, 1, 2],
                Error(
                    DigestMismatch,
                    "Failed to read layer 1 of REGISTRY/a/b:latest, LAYER 0: its content does not match its DiffID. Expected: ",
                ),
            )
        },
        Case {
            diff_ids: Some(|ids| ids[2] = format!("sha256:{}", "0".repeat(64))),
            ..case(
                "a wrong DiffID",
                three(),
                &[0, 1, 2],
                Error(
                    DigestMismatch,
                    "Failed to read layer 3 of REGISTRY/a/b:latest, LAYER 2: its content does not match its DiffID. Expected: 0000",
                ),
            )
        },
        Case {
            diff_ids: Some(|ids| ids[0] = format!("sha256:{}", "0".repeat(64))),
            ..case(
                "a wrong DiffID of a single one",
                vec![base()],
                &[0],
                Error(
                    DigestMismatch,
                    "Failed to read layer 1 of REGISTRY/a/b:latest, LAYER 0: its content does not match its DiffID. Expected: 0000",
                ),
            )
        },
        Case { diff_ids: Some(Vec::clear), ..case("no DiffIDs", three(), &[0, 1, 2], Tree(THREE)) },
        Case {
            diff_ids: Some(|ids| ids.iter_mut().for_each(|id| *id = format!("sha512:{}", "0".repeat(128)))),
            ..case("DiffIDs that cannot be compared", three(), &[0, 1, 2], Tree(THREE))
        },
    ];
    for Case { name, layers, diff_ids, end, asked } in cases {
        let mut image = Stack::image(layers);
        if let Some(change) = diff_ids {
            let mut ids = Stack::diff_ids(&image);
            change(&mut ids);
            Stack::set_diff_ids(&mut image, ids);
        }
        let stack = Stack::of(image).await;
        stack.fixture.put_older_file();
        match (end, stack.pull().await) {
            (Tree(tree), Ok(file)) => stack.expect(&file, tree),
            (Tree(_), Err(error)) => panic!("{name}: {error}"),
            (Error(kind, _), Ok(_)) => panic!("{name}: {kind:?} went unseen"),
            (Error(kind, message), Err(error)) => {
                let mut message = message.replace("REGISTRY", stack.fixture.registry.https_address());
                for (index, layer) in stack.layers.iter().enumerate() {
                    message = message.replace(&format!("LAYER {index}"), &layer.digest);
                }
                assert!(error.to_string().starts_with(&message), "{name}:\n{error}\n{message}");
                assert_eq!(error.kind(), kind, "{name}: {error}");
                stack.expect_older_file(name);
            }
        }
        let asked: Vec<_> = asked.iter().map(|index| (*index, None)).collect();
        assert_eq!(stack.asked(), asked, "{name}");
    }
}

#[tokio::test]
async fn three_hundred_layers_are_applied_in_their_order() {
    let layers = (0..300).map(|number| {
        let (own, last) = (format!("d{}/{number}", number % 7), number.to_string());
        of_text(&[(&own, "own"), ("last", &last)])
    });
    let stack = Stack::new(layers.collect()).await;
    let file = stack.pull().await.expect("a file");
    let tree = tree_of(file.path());
    assert_eq!(tree["last"], b"299");
    assert!((0..300).all(|number| tree[&format!("d{}/{number}", number % 7)] == b"own"));
    // Files, folders, and the one that they all have.
    assert_eq!(tree.len(), 300 + 7 + 1);
    assert_eq!(stack.asked(), (0..300).map(|index| (index, None)).collect::<Vec<_>>());
    assert_eq!(stack.fixture.files(), ["rootfs.tar.gz"]);
}

#[tokio::test]
async fn a_layer_that_is_cut_goes_on_where_it_was_cut() {
    let stack = Stack::with_large().await;
    stack.at(1, [Step { cut_after: Some(2 * MEGABYTE), ..Step::pass() }, Step::pass()]);
    let file = stack.pull().await.expect("a file");
    stack.expect_large(&file);
    assert_eq!(stack.asked(), [(0, None), (1, None), (1, Some("bytes=2097152-".to_owned())), (2, None)]);
}

#[tokio::test]
async fn a_later_run_asks_for_what_an_earlier_one_has_not_got() {
    for (name, last) in [
        ("a registry that went away", Step { close_before_response: true, ..Step::default() }),
        ("a registry that is out of order", Step::status(500)),
        ("a login that has ended", Step::status(401)),
    ] {
        let stack = Stack::with_large().await;
        stack.fixture.put_older_file();
        let client = stack.fixture.client();
        stack.hold(1, 2 * MEGABYTE);
        let job = Job::default();
        let pull = stack.pull_as(&client, PullOptions::default(), &job);
        // The stall ends with its route.
        let ended = async {
            stack.others_are_whole(1, 2 * MEGABYTE).await;
            stack.at(1, [last]);
        };
        let (result, ()) = tokio::join!(pull, ended);
        result.expect_err(name);
        stack.expect_older_file(name);
        assert_eq!(stack.kept(), stack.names(&[(0, ""), (1, ".partial"), (1, ".partial.digest"), (2, "")]), "{name}");

        stack.release(1);
        stack.forget();
        let (recorder, _, job) = Recorder::job();
        let file = stack.pull_as(&client, PullOptions::default(), &job).await.expect(name);
        stack.expect_large(&file);
        assert_eq!(stack.asked(), [(1, Some("bytes=2097152-".to_owned()))], "{name}");
        assert_eq!(recorder.advanced(), stack.size(), "{name}: what is there counts as progress");
    }
}

#[tokio::test]
async fn a_cancelled_pull_keeps_what_is_whole_and_what_has_begun() {
    let stack = Stack::with_large().await;
    stack.hold(1, 2 * MEGABYTE);
    let (_, cancellation, job) = Recorder::job();
    let client = stack.fixture.client();
    let pull = stack.pull_as(&client, PullOptions::default(), &job);
    let cancel = async {
        stack.others_are_whole(1, 2 * MEGABYTE).await;
        cancellation.cancel();
    };
    let (result, ()) = tokio::join!(pull, cancel);
    assert_eq!(result.expect_err("cancelled").kind(), ErrorKind::Cancelled);
    assert_eq!(stack.fixture.files(), ["rootfs.tar.gz.layers"], "nothing under the final name");
    assert_eq!(stack.kept(), stack.names(&[(0, ""), (1, ".partial"), (1, ".partial.digest"), (2, "")]));

    stack.release(1);
    stack.forget();
    let file = stack.pull().await.expect("a file");
    stack.expect_large(&file);
    assert_eq!(stack.asked(), [(1, Some("bytes=2097152-".to_owned()))]);
}

#[tokio::test]
async fn what_is_kept_and_damaged_is_fetched_again() {
    for (name, of, bytes, asked) in [
        ("a whole one", "", content(5 * MEGABYTE), vec![None]),
        ("the beginning of one", ".partial", content(2 * MEGABYTE), vec![Some("bytes=2097152-".to_owned()), None]),
    ] {
        let stack = Stack::with_large().await;
        let folder = stack.folder();
        std::fs::create_dir(&folder).expect("a folder");
        let [file] = &stack.names(&[(1, of)])[..] else { panic!("one name") };
        std::fs::write(folder.join(file), bytes).expect("a file");
        std::fs::write(folder.join(format!("{file}.digest")), &stack.layers[1].digest).expect("a file");
        if of.is_empty() {
            std::fs::remove_file(folder.join(format!("{file}.digest"))).expect("the file");
        }
        let file = stack.pull().await.expect(name);
        stack.expect_large(&file);
        let of_large: Vec<_> = stack.asked().into_iter().filter(|(index, _)| *index == 1).map(|it| it.1).collect();
        assert_eq!(of_large, asked, "{name}");
    }
}

/// Looks at the folder at each stage.
struct Looking {
    folder: PathBuf,
    seen: std::sync::Mutex<Vec<(Stage, Vec<String>)>>,
}

impl Observer for Looking {
    fn stage(&self, stage: Stage) {
        let mut names: Vec<String> = std::fs::read_dir(&self.folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        self.seen.lock().expect("the stages").push((stage, names));
    }
}

#[tokio::test]
async fn the_blob_of_a_single_layer_that_must_change_lies_beside_the_archive_until_that_is_there() {
    let stack = Stack::new(vec![of_text(&[("bin/", ""), ("etc/x/../name", "one"), ("etc/.wh.gone", "")])]).await;
    let folder = stack.fixture.folder.path().to_owned();
    let looking = Arc::new(Looking { folder, seen: std::sync::Mutex::default() });
    let job = Job::new(looking.clone(), CancellationToken::new());
    let file = stack.pull_as(&stack.fixture.client(), PullOptions::default(), &job).await.expect("a file");
    stack.expect(&file, &[("bin/", ""), ("etc/", ""), ("etc/name", "one")]);
    assert_ne!(file.digest().as_ref(), stack.layers[0].digest);
    let seen = looking.seen.lock().expect("the stages").clone();
    let finishing: Vec<_> = seen.iter().filter(|(stage, _)| *stage == Stage::Finishing).collect();
    assert_eq!(
        finishing.last().map(|it| &it.1[..]),
        Some(&["rootfs.tar.gz.partial", "rootfs.tar.gz.partial.digest"].map(str::to_owned)[..])
    );
    assert_eq!(seen.last().map(|it| &it.1[..]), Some(&["rootfs.tar.gz".to_owned()][..]), "nothing is left: {seen:?}");
}

#[tokio::test]
async fn an_archive_that_is_there_is_asked_no_blob_for_and_a_damaged_one_is_made_again() {
    let stack = Stack::with_large().await;
    let file = stack.pull().await.expect("a file");
    let archive = std::fs::read(file.path()).expect("the file");
    stack.forget();
    let (recorder, _, job) = Recorder::job();
    let again = stack.pull_as(&stack.fixture.client(), PullOptions::default(), &job).await.expect("a file");
    assert_eq!((again.digest(), again.size()), (file.digest(), file.size()));
    assert_eq!(stack.asked(), []);
    assert_eq!(recorder.advanced(), stack.size());
    assert!(recorder.verbose_lines().iter().any(|line| line.contains(" is there already, made of the same image.")));

    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 8] = [
        ("another byte", |bytes| *bytes.last_mut().expect("a byte") ^= 1),
        ("another byte in the middle", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }),
        ("cut", |bytes| bytes.truncate(bytes.len() - 1)),
        ("a byte more", |bytes| bytes.push(b'x')),
        ("zeros behind it", |bytes| bytes.extend([0; 512])),
        ("a zero behind it", |bytes| bytes.push(0)),
        ("another member behind it", |bytes| bytes.extend(gzip(b"more"))),
        ("of another image", |bytes| bytes[40] ^= 1),
    ];
    for (name, damage) in damages {
        let mut damaged = archive.clone();
        damage(&mut damaged);
        std::fs::write(stack.fixture.destination(), damaged).expect("a file");
        stack.forget();
        let again = stack.pull().await.expect(name);
        assert_eq!(again.digest(), file.digest(), "{name}");
        assert!(std::fs::read(again.path()).expect("the file") == archive, "{name}: another archive");
        assert_eq!(stack.asked(), [(0, None), (1, None), (2, None)], "{name}");
    }
}

#[tokio::test]
async fn a_tag_that_moves_on_makes_another_archive() {
    let stack = Stack::new(three()).await;
    stack.pull().await.expect("a file");
    stack.fixture.serve(Stack::image(vec![base(), of_text(&[("etc/name", "two")])]));
    let file = stack.pull().await.expect("a file");
    stack.expect(&file, TWO);
}

#[tokio::test]
async fn pulls_to_one_destination_make_one_download() {
    let stack = Stack::with_large().await;
    stack.at(1, [Step { bytes_per_second: Some(8 * MEGABYTE), ..Step::pass() }]);
    let client = Client::new(ClientOptions { maximum_connections: 1, ..stack.fixture.options() }).expect("a client");
    let pulls = (0..4).map(|_| async { stack.pull_as(&client, PullOptions::default(), &Job::default()).await });
    let files: Vec<PulledFile> = join_all(pulls).await.into_iter().collect::<Result<_>>().expect("files");
    assert!(files.iter().all(|file| file.digest() == files[0].digest() && file.size() == files[0].size()));
    stack.expect_large(&files[0]);
    assert_eq!(stack.asked(), [(0, None), (1, None), (2, None)]);
}

#[tokio::test]
async fn plain_bytes_beyond_the_limit_are_refused_and_those_at_it_are_not() {
    let sizes = [tar(&[("a", &"x".repeat(9_000))]).len(), tar(&[("b", "y")]).len()];
    let size: usize = sizes.iter().sum();
    for (limit, is_refused) in [(size, false), (size - 1, true), (sizes[0], true), (0, true)] {
        let stack = Stack::new(vec![of_text(&[("a", &"x".repeat(9_000))]), of_text(&[("b", "y")])]).await;
        stack.fixture.put_older_file();
        let options = PullOptions { maximum_plain_size: limit as u64, ..PullOptions::default() };
        let pulled = stack.pull_as(&stack.fixture.client(), options, &Job::default()).await;
        assert_eq!(pulled.is_err(), is_refused, "{limit}: {pulled:?}");
        let Err(error) = pulled else { continue };
        assert_eq!(error.kind(), ErrorKind::UnsupportedImage, "{error}");
        let expected =
            format!("the layers have more than {limit} bytes when they are decompressed, which is the limit");
        assert!(error.to_string().contains(&expected), "{error}");
        stack.expect_older_file("the limit");
    }
}

#[tokio::test]
async fn other_formats() {
    let stack = Stack::new(three()).await;
    let client = stack.fixture.client();
    let options = |format| PullOptions { format, ..PullOptions::default() };
    stack.fixture.put_older_file();
    let error = stack.pull_as(&client, options(Format::Original), &Job::default()).await.expect_err("three layers");
    assert_eq!(error.kind(), ErrorKind::UnsupportedImage);
    let name = format!("{}/a/b:latest", stack.fixture.registry.https_address());
    assert!(
        error.to_string().starts_with(&format!("The image should have exactly one layer. {name} has 3")),
        "{error}"
    );
    stack.fixture.expect_older_file();
    assert_eq!(stack.asked(), []);

    let file = stack.pull_as(&client, options(Format::Tar), &Job::default()).await.expect("a file");
    let plain = std::fs::read(file.path()).expect("the file");
    stack.expect(&file, THREE);
    assert_eq!(plain.len() % 512, 0);
    let file = stack.pull_as(&client, options(Format::TarGz), &Job::default()).await.expect("a file");
    assert!(crate::stack::plain_of(file.path()) == plain, "another archive");

    let single = Stack::new(vec![of_text(&[("a/../etc/.wh.gone", "")])]).await;
    let client = single.fixture.client();
    let file = single.pull_as(&client, options(Format::Original), &Job::default()).await.expect("a file");
    assert_eq!(file.digest().as_ref(), single.layers[0].digest, "the blob, whatever it is");
    assert_eq!(single.fixture.files(), ["rootfs.tar.gz"]);
}

#[tokio::test]
async fn layers_come_from_the_cache_the_second_time() {
    let stack = Stack::with_large().await;
    let cache = stack.fixture.extra().join("cache");
    let client =
        Client::new(ClientOptions { cache: Some(cache.clone()), ..stack.fixture.options() }).expect("a client");
    let file = stack.pull_as(&client, PullOptions::default(), &Job::default()).await.expect("a file");
    assert_eq!(stack.asked(), [(0, None), (1, None), (2, None)]);
    let archive = std::fs::read(file.path()).expect("the file");

    std::fs::remove_file(file.path()).expect("the file");
    stack.forget();
    let (recorder, _, job) = Recorder::job();
    let file = stack.pull_as(&client, PullOptions::default(), &job).await.expect("a file");
    stack.expect_large(&file);
    assert!(std::fs::read(file.path()).expect("the file") == archive, "another archive");
    let paths: Vec<_> = stack.fixture.registry.log("a/b").into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v2/a/b/manifests/latest"], "only what the tag stands for");
    assert_eq!(recorder.advanced(), stack.size());

    // One that is damaged there is fetched again.
    std::fs::write(cache.join("blobs").join(stack.layers[1].digest.replace(':', "/")), "x").expect("a file");
    std::fs::remove_file(file.path()).expect("the file");
    stack.forget();
    let file = stack.pull_as(&client, PullOptions::default(), &Job::default()).await.expect("a file");
    stack.expect_large(&file);
    assert_eq!(stack.asked(), [(1, None)]);
}

#[tokio::test]
async fn a_disk_without_room_for_all_of_it_is_told_before_the_download() {
    let stack = Stack::new(vec![base(), Blob { size: Some(1 << 58), ..large(MEGABYTE) }]).await;
    stack.fixture.put_older_file();
    let error = stack.pull().await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::File, "{error}");
    // Blobs, the archive, and what is kept while it is made.
    let sizes = (1_u64 << 58) + stack.layers[0].size;
    let expected = format!("It needs {} bytes more, and the disk has ", sizes * 2 + sizes / 2);
    assert!(error.to_string().contains(&expected), "{error}");
    assert_eq!(error.recommended_action(), Some("Make room on the disk, or name a file on another."));
    stack.fixture.expect_older_file();
    assert_eq!(stack.asked(), []);
}

/// Fills the disk when the job has come so far.
#[cfg(target_os = "linux")]
struct Filling {
    disk: PathBuf,
    /// So many bytes of layers have arrived.
    after: Option<u64>,
    /// These files are there.
    with: Vec<PathBuf>,
    arrived: std::sync::atomic::AtomicU64,
}

#[cfg(target_os = "linux")]
impl Filling {
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.disk.join("filler")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

#[cfg(target_os = "linux")]
impl Observer for Filling {
    fn advanced(&self, _layer: usize, bytes: u64) {
        use std::sync::atomic::Ordering::Relaxed;
        let before = self.arrived.fetch_add(bytes, Relaxed);
        if self.after.is_some_and(|after| before < after && after <= before + bytes) {
            self.fill();
        }
    }

    fn stage(&self, stage: Stage) {
        let is_there = !self.with.is_empty() && self.with.iter().all(|file| file.exists());
        if stage == Stage::Finishing && is_there {
            self.fill();
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_full_before_the_end_is_told_and_what_has_come_is_kept() {
    for (name, after) in [("while layers arrive", Some(3 * MEGABYTE)), ("while the archive is made", None)] {
        let stack = Stack::with_large().await;
        let Some(disk) = crate::disk::Disk::of(20 * MEGABYTE) else { return };
        let destination = disk.path().join("rootfs.tar.gz");
        let folder = disk.path().join("rootfs.tar.gz.layers");
        let blobs = stack.names(&[(0, ""), (1, ""), (2, "")]);
        let filling = Filling {
            disk: disk.path().to_owned(),
            after,
            with: if after.is_some() { Vec::new() } else { blobs.iter().map(|blob| folder.join(blob)).collect() },
            arrived: 0.into(),
        };
        let client = stack.fixture.client();
        let image = stack.fixture.resolve(&client, "a/b").await.expect("an image");
        let job = Job::new(Arc::new(filling), CancellationToken::new());
        let pull = wslimage::pull(&client, &image, &destination, PullOptions::default(), &job).await;
        let error = pull.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::File, "{name}: {error}");
        assert!(error.to_string().starts_with("Failed to write destination file: "), "{name}: {error}");
        let advice = error.recommended_action();
        assert_eq!(advice, Some("Make room on the disk, or name a file on another."), "{name}: {error}");
        assert!(!destination.exists(), "{name}");

        std::fs::remove_file(disk.path().join("filler")).expect("the filler");
        stack.forget();
        let pull = wslimage::pull(&client, &image, &destination, PullOptions::default(), &Job::default()).await;
        let file = pull.expect(name);
        assert!(tree_of(file.path())["large"] == content(5 * MEGABYTE), "{name}: another content");
        let left: Vec<_> =
            std::fs::read_dir(disk.path()).expect("the disk").flatten().map(|it| it.file_name()).collect();
        assert_eq!(left, ["rootfs.tar.gz"], "{name}");
        if after.is_none() {
            assert_eq!(stack.asked(), [], "{name}: all blobs were there");
        }
    }
}
