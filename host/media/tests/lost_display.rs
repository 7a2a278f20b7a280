//! A display that goes is told, and one that comes back is filmed again.

mod bench;
mod plugins;
mod xvfb;

use std::time::{Duration, Instant};

use bench::{Bench, SOON, canvas::Canvas, settings};
use selkies_session::pacing::Priority;
use xvfb::Xvfb;

#[test]
fn a_capture_that_fails_is_told_and_recovers() {
    // A number that nobody takes who asks for a free one: it must still be free after the crash.
    let display = format!(":{}", 10_000 + std::process::id() % 50_000);
    let mut server = Xvfb::start(Some(&display), "640x480x24");
    let bench = Bench::display(&display, settings());
    let mut client = bench.join(1, Priority::Lead);
    let before = client.draw(SOON).expect("a picture");
    Canvas::new(640, 480).draw(&before);

    server.kill();
    let events = bench.heard.wait("failed", SOON);
    let reason = events.iter().find(|event| event.starts_with("failed")).expect("waited for");
    assert!(reason.len() > "failed ".len(), "a failure without a reason");
    assert_eq!(bench.heard.count("recovered"), 0);
    // It tries again and fails again, without turning in circles.
    std::thread::sleep(Duration::from_millis(1500));
    let tries = bench.heard.count("failed");
    assert!((2..=5).contains(&tries), "{tries} tries in 1.5 s");

    let began = Instant::now();
    let _server = Xvfb::start(Some(&display), "800x608x24");
    bench.heard.wait("recovered", SOON);
    assert!(began.elapsed() < Duration::from_secs(7), "recovered after {:?}", began.elapsed());
    bench.heard.wait("display 800x608", SOON);
    let after = loop {
        // What was under way to the client before may still lie there.
        let delivery = client.draw(SOON).expect("a picture of the new display");
        if delivery.packets[0].info.area.width == 800 {
            break delivery;
        }
    };
    assert!(after.frame_id > before.frame_id, "ids run on");
    let rows: u32 = after.packets.iter().map(|sent| sent.info.area.height).sum();
    assert_eq!(rows, 608);
}
