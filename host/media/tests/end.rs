//! The end: every thread is gone, whatever it was doing. Alone in its process, because it counts threads.

mod bench;
mod plugins;
mod xvfb;

use std::{
    fs,
    time::{Duration, Instant},
};

use bench::{Bench, SOON, settings};
use selkies_session::pacing::Priority;
use xvfb::Xvfb;

/// The longest end that a user does not take for a hang.
const LIMIT: Duration = Duration::from_secs(2);

/// Names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let mut names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn stop_ends_every_thread() {
    let before = threads();
    idle();
    assert_gone(&before);
    waiting_for_a_silent_client();
    assert_gone(&before);
    without_a_display();
    assert_gone(&before);
}

/// Everything sleeps: nobody watches.
fn idle() {
    let server = Xvfb::start(None, "640x480x24");
    let bench = Bench::display(&server.display(), settings());
    bench.heard.wait("display", SOON);
    // A thread names itself when it first runs.
    let end = Instant::now() + SOON;
    for name in ["video", "display", "cursor", "clipboard", "input"] {
        while !threads().iter().any(|running| running == name) {
            assert!(Instant::now() < end, "no thread {name} in {:?}", threads());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    stop(bench);
}

/// The video thread waits for an acknowledgement.
fn waiting_for_a_silent_client() {
    let bench = Bench::pattern(640, 192, 60, settings());
    let mut client = bench.join(1, Priority::Lead);
    while client.receive(Duration::from_millis(400)).is_some() {}
    stop(bench);
}

/// The video thread pauses between two tries, the longest time that it does.
fn without_a_display() {
    let mut server = Xvfb::start(None, "640x480x24");
    let bench = Bench::display(&server.display(), settings());
    bench.join(1, Priority::Lead).draw(SOON).expect("a picture");
    server.kill();
    let end = Instant::now() + SOON;
    while bench.heard.count("failed") < 4 {
        assert!(Instant::now() < end, "{} tries", bench.heard.count("failed"));
        std::thread::sleep(Duration::from_millis(10));
    }
    stop(bench);
}

fn stop(bench: Bench) {
    let began = Instant::now();
    bench.studio.stop();
    assert!(began.elapsed() < LIMIT, "it took {:?}", began.elapsed());
}

/// A joined thread leaves `/proc` a moment later.
fn assert_gone(before: &[String]) {
    let end = Instant::now() + Duration::from_secs(1);
    while threads() != before {
        assert!(Instant::now() < end, "{:?} remain of {before:?}", threads());
        std::thread::sleep(Duration::from_millis(10));
    }
}
