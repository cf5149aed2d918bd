//! Panics: caught where they reach the ABI or the end of a task, and printed nowhere.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::Pin;
use std::sync::Once;
use std::task::Poll;

thread_local! {
    /// Whether what this thread runs is the library's.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What the last panic on this thread said.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was caught: its message and where it came from.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String);

/// Keeps panics inside the library from being printed: standard error belongs to the host. The hook is that of the
/// standard library inside this one; a host written in Rust has its own.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_INSIDE.get() {
                LAST.set(Some(described(info)));
            } else {
                previous(info);
            }
        }));
    });
}

fn described(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message.as_str(),
        (None, None) => "no message",
    };
    match info.location() {
        Some(location) => format!("{message} ({location})"),
        None => message.to_owned(),
    }
}

/// Marks this thread as one of the library's for as long as it lives.
pub(crate) fn enter_thread() {
    install_hook();
    IS_INSIDE.set(true);
}

/// Runs `body`; a panic in it becomes a value.
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    install_hook();
    let was_inside = IS_INSIDE.replace(true);
    // What a panic leaves half done belongs to the call that is then reported as failed; locks are taken in spite of
    // it.
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    IS_INSIDE.set(was_inside);
    result.map_err(|_| Panic(LAST.take().unwrap_or_default()))
}

/// Runs `future` to its end; a panic in it becomes a value. All that it held has been dropped before the value is
/// there.
pub(crate) async fn catch_future<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future: Option<Pin<Box<F>>> = Some(Box::pin(future));
    std::future::poll_fn(move |context| {
        let polled = catch(|| {
            let Some(running) = &mut future else { return Poll::Pending };
            let polled = running.as_mut().poll(context);
            if polled.is_ready() {
                future = None;
            }
            polled
        });
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => {
                let _ = catch(|| future = None);
                Poll::Ready(Err(panic))
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_panic_becomes_its_message_and_place() {
        let Panic(text) = catch(|| panic!("broken {}", 7)).expect_err("a panic");
        assert!(text.starts_with("broken 7 (") && text.contains("panic.rs:"), "{text}");
        assert_eq!(catch(|| 1).ok(), Some(1));
    }

    #[test]
    fn what_a_panicking_future_held_is_dropped_first() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let held = Arc::new(());
        let inside = held.clone();
        let caught = runtime.block_on(catch_future(async move {
            tokio::task::yield_now().await;
            let _inside = inside;
            std::panic::panic_any(7);
        }));
        let Panic(text) = caught.expect_err("a panic");
        assert!(text.starts_with("no message ("), "{text}");
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
