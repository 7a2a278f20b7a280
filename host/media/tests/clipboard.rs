//! The clipboard thread on a real display, with xclip as the application.

mod bench;
mod plugins;
mod xvfb;

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bench::{Bench, SOON, settings};
use selkies_session::{ClipboardContent, Watch};
use xvfb::Xvfb;

fn copy(display: &str, text: &[u8]) {
    let mut process = Command::new("xclip")
        .args(["-selection", "clipboard"])
        .env("DISPLAY", display)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("xclip must be installed");
    process.stdin.take().expect("it is piped").write_all(text).expect("it reads");
    assert!(process.wait().expect("it ends").success());
}

fn paste(display: &str, selection: &str) -> Vec<u8> {
    let args = ["-o", "-selection", selection];
    Command::new("xclip").args(args).env("DISPLAY", display).output().expect("xclip").stdout
}

/// Waits until an application pastes that.
fn pasted(display: &str, selection: &str, wanted: &[u8]) {
    let end = Instant::now() + SOON;
    loop {
        let got = paste(display, selection);
        if got == wanted {
            return;
        }
        assert!(Instant::now() < end, "{} bytes instead of {}", got.len(), wanted.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn content(text: &str) -> ClipboardContent {
    ClipboardContent { mime: "text/plain".into(), bytes: text.as_bytes().into(), secret: false }
}

#[test]
fn contents_are_carried_both_ways_while_somebody_wants_them() {
    let server = Xvfb::start(None, "640x480x24");
    let display = server.display();
    copy(&display, b"before");
    let bench = Bench::display(&display, settings());
    bench.heard.wait("clipboard None", SOON);
    // Nobody wants it: it is not read. Then somebody does.
    bench.studio.watch_clipboard(Watch::Text);
    bench.heard.wait("clipboard Some(6 bytes of text/plain)", SOON);
    copy(&display, "grün, später".as_bytes());
    bench.heard.wait("clipboard Some(14 bytes of text/plain)", SOON);
    assert_eq!(bench.heard.count("clipboard Some(6 "), 1);

    let long = "page ".repeat(200_000);
    bench.studio.offer_clipboard(content(&long));
    pasted(&display, "clipboard", long.as_bytes());
    // Nobody had marked anything.
    pasted(&display, "primary", long.as_bytes());
    bench.studio.watch_clipboard(Watch::Off);
    bench.studio.offer_clipboard(content("last"));
    pasted(&display, "clipboard", b"last");
    copy(&display, b"theirs");
    let before = bench.heard.count("clipboard Some");
    bench.heard.wait("clipboard None", SOON);
    pasted(&display, "clipboard", b"theirs");
    bench.studio.watch_clipboard(Watch::Everything);
    // Six bytes once more, so that their number tells.
    let end = Instant::now() + SOON;
    while bench.heard.count("clipboard Some(6 ") < 2 {
        assert!(Instant::now() < end, "what was copied meanwhile is not told");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(bench.heard.count("clipboard Some"), before + 1);
}
