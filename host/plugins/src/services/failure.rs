//! What a plugin said with `fail` on this thread, kept until the call that fails returns.

use std::cell::RefCell;

use selkies_plugin_abi::Status;

thread_local! {
    static LAST: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// One text of `fail`.
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) text: String,
}

/// Remembers why the function on this thread is about to fail; the last text wins.
pub(crate) fn remember(status: Status, text: String) {
    // `try_with`: a plugin may log from a thread that is being torn down.
    let _ = LAST.try_with(|last| last.replace(Some(Failure { status, text })));
}

/// Forgets what an earlier call said.
#[inline]
pub(crate) fn forget() {
    let _ = LAST.try_with(|last| {
        if last.borrow().is_some() {
            last.replace(None);
        }
    });
}

/// The text for a call that answered `status`. A text for another status was not meant for it, but is the best there
/// is: it is marked.
pub(crate) fn take(status: Status) -> String {
    match LAST.try_with(RefCell::take).ok().flatten() {
        Some(failure) if failure.status == status => failure.text,
        Some(failure) => format!("{} (said for status {})", failure.text, failure.status),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_belong_to_their_thread_and_call() {
        remember(-768, "gone".into());
        std::thread::spawn(|| assert_eq!(take(-768), "")).join().unwrap();
        assert_eq!(take(-768), "gone");
        assert_eq!(take(-768), "");
        remember(-256, "other".into());
        assert_eq!(take(-768), "other (said for status -256)");
        remember(-256, "old".into());
        forget();
        assert_eq!(take(-256), "");
    }
}
