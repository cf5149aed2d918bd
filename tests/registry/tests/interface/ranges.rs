//! Parts of blobs, given rightly and wrongly.

use crate::client::{Outcome, client, header};
use crate::faults::with_blob;
use wslimage_test_registry::{Route, Step};

#[tokio::test]
async fn a_part_is_what_the_step_says() -> Outcome {
    let (registry, path, bytes) = with_blob(100).await?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    let lie = |text: &str| Step { content_range: Some(text.into()), ..Step::pass() };
    let refused = |status| Step { range_status: Some(status), ..Step::pass() };
    let shifted = |shift| Step { range_shift: Some(shift), ..Step::pass() };
    for (step, status, content_range, body) in [
        (Step::pass(), 206, "bytes 10-19/100", Some(10..20)),
        (Step { ignore_range: true, ..Step::pass() }, 200, "", Some(0..100)),
        (shifted(3), 206, "bytes 13-19/100", Some(13..20)),
        (shifted(-3), 206, "bytes 7-19/100", Some(7..20)),
        (shifted(-30), 206, "bytes 0-19/100", Some(0..20)),
        (shifted(30), 206, "bytes 19-19/100", Some(19..20)),
        (lie("bytes 0-9/100"), 206, "bytes 0-9/100", Some(10..20)),
        (lie("nonsense"), 206, "nonsense", Some(10..20)),
        (lie(""), 206, "", Some(10..20)),
        (refused(416), 416, "bytes */100", None),
        (refused(500), 500, "", None),
    ] {
        let text = format!("{step:?}");
        registry.add_route(Route::new(&path, [step]))?;
        let answer = client.get(&url).header("range", "bytes=10-19").send().await?;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-range")), (status, content_range), "{text}");
        let got = answer.bytes().await?;
        if let Some(part) = body {
            assert_eq!(got, bytes[part], "{text}");
        }
        // Whoever asks for the whole gets it.
        if !text.contains("content_range: Some") {
            let whole = client.get(&url).send().await?;
            assert_eq!((whole.status().as_u16(), header(&whole, "content-range")), (200, ""), "{text}");
            assert_eq!(whole.bytes().await?, bytes, "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_blob_has_the_etag_of_the_step_and_obeys_if_range() -> Outcome {
    let (registry, path, _) = with_blob(100).await?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    for (etag, if_range, status) in [
        ("\"one\"", "\"one\"", 206),
        ("\"one\"", "\"two\"", 200),
        // A weak validator never matches, and without one nothing does.
        ("W/\"one\"", "W/\"one\"", 200),
        ("", "\"one\"", 200),
        ("\"one\"", "Sun, 06 Nov 1994 08:49:37 GMT", 200),
    ] {
        registry.add_route(Route::new(&path, [Step { etag: Some(etag.into()), ..Step::pass() }]))?;
        let answer = client.get(&url).header("range", "bytes=10-19").header("if-range", if_range).send().await?;
        assert_eq!((answer.status().as_u16(), header(&answer, "etag")), (status, etag), "{if_range}");
    }
    Ok(())
}

#[tokio::test]
async fn only_get_has_ranges_and_accept_ranges_may_be_left_out() -> Outcome {
    let (registry, path, _) = with_blob(100).await?;
    let client = client(&registry);
    let url = format!("https://{}{path}", registry.https_address());
    let head = client.head(&url).header("range", "bytes=10-19").send().await?;
    assert_eq!((head.status().as_u16(), header(&head, "accept-ranges")), (200, "bytes"));
    registry.add_route(Route::new(&path, [Step { accept_ranges: Some(false), ..Step::pass() }]))?;
    for request in [client.head(&url), client.get(&url), client.get(&url).header("range", "bytes=10-19")] {
        assert_eq!(header(&request.send().await?, "accept-ranges"), "");
    }
    Ok(())
}
