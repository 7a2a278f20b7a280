//! Capture against a real Xvfb.

mod common;

use std::time::{Duration, Instant};

use common::{Painter, Picture, SOON, Server};
use selkies_plugin_sdk::{Damage, Waited, abi::Rect};
use selkies_x11::{
    capture::{Recording, Source},
    error::X11Error,
};

const SHORT: Option<Duration> = Some(Duration::from_millis(150));

fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
    Rect { x, y, width, height }
}

fn record(source: &Source, area: Rect, pictures: &[&Picture]) -> Recording {
    source.start(area, "", pictures.iter().map(|picture| picture.target()).collect()).unwrap()
}

/// A recording of the whole full-HD screen, past its first grab.
fn settled(source: &Source, pictures: &[&Picture]) -> Recording {
    let mut recording = record(source, rect(0, 0, 1920, 1080), pictures);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage, "the first wait reports damage at once");
    for index in 0..pictures.len() {
        let damage = recording.grab(index, &[]).unwrap();
        assert_eq!(damage == Damage::Full, index == 0, "only the first picture is new as a whole");
    }
    recording
}

#[test]
fn a_grab_holds_what_was_drawn_and_says_where() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    server.run("xsetroot", &["-solid", "#204060"]);
    let source = Source::open(server.name()).unwrap();
    assert_eq!(source.size().unwrap(), (1920, 1080));
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    assert_eq!(picture.pixel(0, 0), 0x20_4060);
    assert_eq!(picture.pixel(1919, 1079), 0x20_4060);

    painter.fill(0x00ff_8001, 300, 200, 50, 40);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    picture.spoil();
    assert_eq!(recording.grab(0, &[]).unwrap(), Damage::Rects(vec![rect(300, 200, 50, 40)]));
    assert_eq!(picture.pixel(300, 200), 0xff_8001);
    assert_eq!(picture.pixel(349, 239), 0xff_8001);
    assert_eq!(picture.pixel(299, 200), 0x20_4060);
    assert_eq!(picture.pixel(350, 239), 0x20_4060);
    // Rows without damage are not copied: what was there before stays.
    assert_eq!(picture.pixel(300, 199), 0xa5_a5a5);
    assert_eq!(picture.pixel(300, 240), 0xa5_a5a5);
}

#[test]
fn several_changes_become_several_rectangles() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    painter.fill(0x11_1111, 10, 10, 5, 5);
    painter.fill(0x22_2222, 1900, 1000, 20, 80);
    painter.fill(0x33_3333, 10, 10, 2, 2);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    let damage = recording.grab(0, &[]).unwrap();
    assert_eq!(damage, Damage::Rects(vec![rect(10, 10, 5, 5), rect(1900, 1000, 20, 80)]));
    assert_eq!(
        (picture.pixel(11, 11), picture.pixel(14, 14), picture.pixel(1919, 1079)),
        (0x33_3333, 0x11_1111, 0x22_2222)
    );
    assert_eq!(recording.grab(0, &[]).unwrap(), Damage::Rects(Vec::new()), "nothing changed since");
}

#[test]
fn a_thousand_changes_stay_within_the_limit_and_lose_nothing() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    let spots: Vec<(u32, u32)> = (0..1000).map(|i| (i * 97 % 1910, i * 53 % 1070)).collect();
    for &(x, y) in &spots {
        painter.fill(0xab_cdef, x as i16, y as i16, 3, 3);
    }
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    let Damage::Rects(rects) = recording.grab(0, &[]).unwrap() else { panic!("a list was expected") };
    assert!(rects.len() <= 64, "{}", rects.len());
    for (x, y) in spots {
        assert_eq!(picture.pixel(x as usize + 1, y as usize + 1), 0xab_cdef);
        // A spot may be spread over rectangles: the rows of an X region end where any of its rectangles does.
        for (x, y) in (0..9).map(|i| (x + i % 3, y + i / 3)) {
            let inside = |at: &Rect| at.x <= x && at.y <= y && x < at.x + at.width && y < at.y + at.height;
            assert!(rects.iter().any(inside), "{x},{y} is in no rectangle");
        }
    }
}

#[test]
fn a_buffer_gets_what_it_missed_through_the_refresh_list() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let (first, second) = (Picture::new(1920 * 4, 1080), Picture::new(1920 * 4, 1080));
    let mut recording = settled(&source, &[&first, &second]);
    painter.fill(0xff_0000, 100, 100, 10, 10);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    let Damage::Rects(missed) = recording.grab(0, &[]).unwrap() else { panic!("a list was expected") };
    painter.fill(0x00_ff00, 500, 900, 10, 10);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    let damage = recording.grab(1, &missed).unwrap();
    assert_eq!(damage, Damage::Rects(vec![rect(500, 900, 10, 10)]), "the refresh is no damage of the frame");
    assert_eq!((second.pixel(105, 105), second.pixel(505, 905)), (0xff_0000, 0x00_ff00));
    assert_eq!(first.pixel(505, 905), 0, "the other buffer is as it was");
}

#[test]
fn a_part_of_the_screen_hears_only_of_itself_and_rows_may_be_padded() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(101 * 4 + 60, 50);
    let mut recording = record(&source, rect(640, 480, 101, 50), &[&picture]);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    assert_eq!(recording.grab(0, &[]).unwrap(), Damage::Full);
    painter.fill(0x12_3456, 0, 0, 600, 1080);
    assert_eq!(recording.wait(SHORT).unwrap(), Waited::Nothing);
    painter.fill(0x65_4321, 600, 500, 50, 1000);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    assert_eq!(recording.grab(0, &[]).unwrap(), Damage::Rects(vec![rect(0, 20, 10, 30)]));
    assert_eq!((picture.pixel(9, 49), picture.pixel(10, 49), picture.pixel(9, 19)), (0x65_4321, 0, 0));
}

#[test]
fn a_large_screen_with_several_bands_equals_the_servers_own_image() {
    use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};
    let server = Server::start("8192x4096x24");
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(8192 * 4, 4096);
    let mut recording = record(&source, rect(0, 0, 8192, 4096), &[&picture]);
    recording.wait(Some(SOON)).unwrap();
    recording.grab(0, &[]).unwrap();
    for i in 0..40u16 {
        painter.fill(0x01_0203 * u32::from(i), (i * 200) as i16, (i * 100) as i16, 190, 33);
    }
    recording.wait(Some(SOON)).unwrap();
    recording.grab(0, &[]).unwrap();
    let bytes = picture.bytes();
    let image = painter
        .x
        .get_image(ImageFormat::Z_PIXMAP, painter.root, 0, 0, 8192, 512, !0)
        .unwrap()
        .reply()
        .unwrap();
    assert!(bytes[..image.data.len()] == image.data[..], "the first 512 rows differ");
    assert_eq!(picture.pixel(39 * 200 + 189, 39 * 100 + 32), 0x01_0203 * 39);
}

#[test]
fn a_wait_ends_by_damage_by_wake_and_by_time_only() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);

    let before = Instant::now();
    assert_eq!(recording.wait(SHORT).unwrap(), Waited::Nothing);
    assert!(before.elapsed() >= Duration::from_millis(150));

    // A wake before the wait ends it at once, and only that one.
    source.waker().wake();
    let before = Instant::now();
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Nothing);
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(recording.wait(SHORT).unwrap(), Waited::Nothing);

    let waker = source.waker();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        waker.wake();
    });
    assert_eq!(recording.wait(None).unwrap(), Waited::Nothing);
    thread.join().unwrap();

    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        painter.fill(0x77_7777, 0, 0, 1, 1);
    });
    assert_eq!(recording.wait(None).unwrap(), Waited::Damage);
    thread.join().unwrap();
    assert_eq!(recording.wait(None).unwrap(), Waited::Damage, "not grabbed, so it is still there");
}

#[test]
fn no_damage_is_lost_when_grabs_and_drawing_race() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    let thread = std::thread::spawn(move || {
        for i in 1..=2000u32 {
            painter.fill(i, 8, 8, 4, 4);
        }
    });
    let end = Instant::now() + SOON;
    while picture.pixel(9, 9) != 2000 {
        assert!(Instant::now() < end, "stalled at {}", picture.pixel(9, 9));
        if recording.wait(Some(Duration::from_secs(2))).unwrap() == Waited::Damage {
            recording.grab(0, &[]).unwrap();
        }
    }
    thread.join().unwrap();
    // A picture may be newer than the damage it was taken for; that is reported once more, and then no more.
    if recording.wait(SHORT).unwrap() == Waited::Damage {
        recording.grab(0, &[]).unwrap();
    }
    assert_eq!(
        recording.wait(SHORT).unwrap(),
        Waited::Nothing,
        "reports of damage that was taken count no more"
    );
}

#[test]
fn waiting_costs_no_processor_time() {
    use rustix::time::{ClockId, clock_gettime};
    let server = Server::full_hd();
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    let spent = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = spent();
    assert_eq!(recording.wait(Some(Duration::from_millis(300))).unwrap(), Waited::Nothing);
    let cost = spent() - before;
    assert!(cost < Duration::from_millis(5), "{cost:?}");
}

#[test]
fn a_new_size_ends_the_wait_and_the_grab() {
    let server = Server::full_hd();
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    server.run("xrandr", &["--fb", "1280x720", "--output", "screen", "--off"]);
    let end = Instant::now() + SOON;
    loop {
        match recording.wait(Some(SOON)).unwrap() {
            Waited::Resized { width, height } => break assert_eq!((width, height), (1280, 720)),
            other => assert!(Instant::now() < end, "{other:?}"),
        }
    }
    let error = recording.grab(0, &[]).unwrap_err();
    assert!(
        matches!(error, X11Error::Request { .. } | X11Error::Resized { width: 1280, height: 720 }),
        "{error}"
    );
    drop(recording);
    let picture = Picture::new(1280 * 4, 720);
    let mut recording = record(&source, rect(0, 0, 1280, 720), &[&picture]);
    assert_eq!(recording.wait(Some(SOON)).unwrap(), Waited::Damage);
    assert_eq!(recording.grab(0, &[]).unwrap(), Damage::Full);
}

#[test]
fn wrong_arguments_are_refused_with_what_is_allowed() {
    let server = Server::full_hd();
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let small = Picture::new(1920 * 4, 1079);
    let refused = |area, output: &str, picture: &Picture| {
        source.start(area, output, vec![picture.target()]).unwrap_err().to_string()
    };
    let whole = rect(0, 0, 1920, 1080);
    assert!(refused(rect(1, 0, 1920, 1080), "", &picture).contains("1920x1080"));
    assert!(refused(rect(0, 0, 0, 0), "", &picture).starts_with("X11_ARGUMENT"));
    assert!(refused(rect(u32::MAX, 0, u32::MAX, 1), "", &picture).starts_with("X11_ARGUMENT"));
    assert!(refused(whole, "", &small).starts_with("X11_ARGUMENT"));
    assert!(refused(whole, "HDMI-9", &picture).starts_with("X11_NOT_FOUND"));
    let mut recording = source.start(whole, "screen", vec![picture.target()]).unwrap();
    assert!(recording.grab(1, &[]).unwrap_err().to_string().contains("buffer 1"));
}

#[test]
fn a_server_of_another_depth_is_refused() {
    let server = Server::start("640x480x16");
    let error = Source::open(server.name()).unwrap_err();
    assert!(
        matches!(error, X11Error::UnsupportedPixels { .. }) && error.to_string().contains("depth 16"),
        "{error}"
    );
}

#[test]
fn no_server_is_an_error_with_the_displays_name() {
    let error = Source::open(Some(":64999")).unwrap_err();
    assert!(matches!(error, X11Error::Refused { .. }) && error.to_string().contains(":64999"), "{error}");
    let error = Source::open(Some("not a display")).unwrap_err();
    assert!(matches!(error, X11Error::Refused { .. }), "{error}");
}

#[test]
fn a_server_that_ends_is_a_lost_display_and_never_a_hang() {
    let mut server = Server::full_hd();
    let source = Source::open(server.name()).unwrap();
    let picture = Picture::new(1920 * 4, 1080);
    let mut recording = settled(&source, &[&picture]);
    let thread = std::thread::spawn(move || {
        let outcome = recording.wait(None);
        (outcome, recording.grab(0, &[]), recording.wait(None))
    });
    std::thread::sleep(Duration::from_millis(50));
    server.kill();
    let end = Instant::now() + SOON;
    while !thread.is_finished() {
        assert!(Instant::now() < end, "the wait hangs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (first, grab, again) = thread.join().unwrap();
    assert!(first.unwrap_err().is_lost() && grab.unwrap_err().is_lost() && again.unwrap_err().is_lost());
    assert!(source.size().unwrap_err().is_lost());
}
