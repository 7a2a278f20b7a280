//! The tables of the library, called as the host calls them.

mod common;

use std::time::Duration;

use common::{Listener, Painter, SOON, Server};
use selkies_plugin_sdk::{
    Damage, InputEvent, OutputRequest, Waited, abi,
    test_host::{TestCapture, TestCursor, TestDisplay, TestHost, TestInput},
};
use selkies_x11::plugin::{X11Capture, X11Cursor, X11Display, X11Input};

fn config(server: &Server) -> String {
    format!("{{\"display\":\"{}\"}}", server.display)
}

#[test]
fn a_picture_comes_through_the_capture_table() {
    let server = Server::full_hd();
    let painter = Painter::new(&server);
    let host = TestHost::new();
    let mut capture = TestCapture::of::<X11Capture>(&host, &config(&server)).unwrap();
    let info = capture.info().unwrap();
    assert_eq!((info.width, info.height, info.fourcc), (1920, 1080, abi::FOURCC_XRGB8888));
    assert_eq!(info.flags, abi::CAPTURE_HOST_BUFFERS | abi::CAPTURE_DAMAGE);
    capture.start(2).unwrap();
    assert_eq!(capture.wait(None).unwrap(), Waited::Damage);
    let first = capture.grab(0, &[]).unwrap();
    assert_eq!(first.damage, Damage::Full);
    painter.fill(0x00ab_cdef, 40, 30, 20, 10);
    assert_eq!(capture.wait(Some(SOON)).unwrap(), Waited::Damage);
    let second = capture.grab(1, &[]).unwrap();
    assert_eq!(second.damage, Damage::Rects(vec![abi::Rect { x: 40, y: 30, width: 20, height: 10 }]));
    assert!(first.timestamp_ns > 0 && second.timestamp_ns > first.timestamp_ns);
    let (bytes, stride) = capture.pixels(1);
    assert_eq!(bytes[30 * stride + 40 * 4..][..3], [0xef, 0xcd, 0xab]);
    capture.waker().wake();
    assert_eq!(capture.wait(None).unwrap(), Waited::Nothing);
    capture.stop().unwrap();
    assert_eq!(host.misuse(), Vec::<String>::new());
}

#[test]
fn the_display_changes_and_the_capture_hears_of_it() {
    let server = Server::full_hd();
    let host = TestHost::new();
    let mut display = TestDisplay::of::<X11Display>(&host, &config(&server)).unwrap();
    let mut capture = TestCapture::of::<X11Capture>(&host, &config(&server)).unwrap();
    capture.start(1).unwrap();
    capture.wait(None).unwrap();
    capture.grab(0, &[]).unwrap();
    let request = |width, height| OutputRequest {
        name: String::new(),
        enabled: true,
        primary: true,
        x: 0,
        y: 0,
        width,
        height,
        refresh_mhz: 60_000,
        dpi: 96,
    };
    display.apply(&[request(1280, 720)]).unwrap();
    let resized = Waited::Resized { width: 1280, height: 720 };
    assert!((0..10).any(|_| capture.wait(Some(SOON)).unwrap() == resized));
    let output = display.outputs().unwrap().remove(0);
    assert_eq!((output.width, output.height, output.max_width, output.max_height), (1280, 720, 1920, 1080));
    let failure = display.apply(&[request(4000, 720)]).unwrap_err();
    assert_eq!((failure.class(), failure.detail()), (abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT));
    assert!(failure.text.contains("1920x1080"), "{failure}");
}

#[test]
fn a_key_comes_through_the_input_table() {
    let server = Server::full_hd();
    let listener = Listener::new(&server);
    let host = TestHost::new();
    let mut input = TestInput::of::<X11Input>(&host, &config(&server)).unwrap();
    assert_eq!(input.kinds() & (1 << abi::INPUT_TOUCH), 0);
    assert_ne!(input.kinds() & (1 << abi::INPUT_TEXT), 0);
    input.inject(&[InputEvent::Text("Hi")]).unwrap();
    assert_eq!(listener.keys(2), [(0x48, 1), (0x69, 0)]);
}

#[test]
fn the_cursor_comes_through_its_table() {
    let server = Server::full_hd();
    let host = TestHost::new();
    let mut cursor = TestCursor::of::<X11Cursor>(&host, &config(&server)).unwrap();
    assert!(cursor.wait(None).unwrap().is_some());
    server.run("xsetroot", &["-cursor_name", "watch"]);
    let image = cursor.wait(Some(SOON)).unwrap().expect("another shape");
    assert!(image.visible && image.rgba.len() == (image.width * image.height * 4) as usize);
    cursor.waker().wake();
    assert_eq!(cursor.wait(Some(SOON)).unwrap(), None);
}

#[test]
fn failures_have_the_class_that_the_host_acts_on() {
    let host = TestHost::new();
    let absent = TestCapture::of::<X11Capture>(&host, r#"{"display":":59999"}"#).unwrap_err();
    assert_eq!(absent.class(), abi::CLASS_DEVICE_LOST, "{absent}");
    assert!(absent.text.starts_with("X11_REFUSED"), "{absent}");
    let wrong = TestInput::of::<X11Input>(&host, r#"{"dsiplay":":0"}"#).unwrap_err();
    assert_eq!(wrong.detail(), abi::DETAIL_CONFIG, "{wrong}");

    let mut server = Server::full_hd();
    let mut capture = TestCapture::of::<X11Capture>(&host, &config(&server)).unwrap();
    let mut input = TestInput::of::<X11Input>(&host, &config(&server)).unwrap();
    capture.start(1).unwrap();
    server.kill();
    for _ in 0..2 {
        let lost = capture.wait(Some(Duration::from_secs(5))).unwrap_err();
        assert_eq!(lost.class(), abi::CLASS_DEVICE_LOST, "{lost}");
        let lost = input.inject(&[InputEvent::PointerAbsolute { x: 1, y: 1 }]).unwrap_err();
        assert_eq!(lost.class(), abi::CLASS_DEVICE_LOST, "{lost}");
    }
    capture.stop().unwrap();
}
