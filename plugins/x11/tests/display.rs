//! Modes against a real Xvfb.

mod common;

use common::Server;
use selkies_plugin_sdk::OutputRequest;
use selkies_x11::display::Outputs;

fn request(width: u32, height: u32) -> OutputRequest {
    OutputRequest {
        name: String::new(),
        enabled: true,
        primary: false,
        x: 0,
        y: 0,
        width,
        height,
        refresh_mhz: 0,
        dpi: 0,
    }
}

fn size(outputs: &Outputs) -> (u32, u32) {
    let list = outputs.list().unwrap();
    assert_eq!(list.len(), 1);
    (list[0].width, list[0].height)
}

#[test]
fn a_screen_gets_smaller_and_larger_again() {
    let server = Server::start("8192x4096x24");
    let mut outputs = Outputs::open(server.name()).unwrap();
    let first = outputs.list().unwrap().remove(0);
    assert!(first.enabled && first.primary);
    assert_eq!((first.name.as_str(), first.max_width, first.max_height), ("screen", 8192, 4096));
    let connection = selkies_x11::connection::Connection::open(server.name()).unwrap();
    for (width, height) in [(1280, 720), (3840, 2160), (1366, 768), (8192, 4096), (1280, 720), (1920, 1080)] {
        outputs.apply(&[request(width, height)]).unwrap();
        assert_eq!(size(&outputs), (width, height));
        assert_eq!(connection.root_size().unwrap(), (width, height), "the screen follows");
    }
}

#[test]
fn odd_sizes_become_even_and_the_rate_and_dots_are_taken() {
    let server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap();
    outputs.apply(&[OutputRequest { refresh_mhz: 120_000, dpi: 144, ..request(1281, 721) }]).unwrap();
    let output = outputs.list().unwrap().remove(0);
    assert_eq!((output.width, output.height, output.dpi), (1280, 720, 144));
    assert!(output.refresh_mhz.abs_diff(120_000) < 500, "{}", output.refresh_mhz);
    // Without dots per inch they stay.
    outputs.apply(&[request(1024, 768)]).unwrap();
    assert_eq!(outputs.list().unwrap()[0].dpi, 144);
}

#[test]
fn what_is_not_possible_names_the_limit_and_changes_nothing() {
    let server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap();
    outputs.apply(&[request(1280, 720)]).unwrap();
    for wrong in [
        request(1922, 1080),
        request(0, 0),
        request(1, 720),
        request(u32::MAX, u32::MAX),
        OutputRequest { x: -1, ..request(640, 480) },
        OutputRequest { x: 1900, ..request(640, 480) },
    ] {
        let error = outputs.apply(&[wrong]).unwrap_err().to_string();
        assert!(error.starts_with("X11_ARGUMENT") && error.contains("1920x1080"), "{error}");
    }
    let absent = OutputRequest { name: "HDMI-9".into(), ..request(640, 480) };
    assert!(outputs.apply(&[absent]).unwrap_err().to_string().contains("HDMI-9"));
    let off = OutputRequest { enabled: false, ..request(640, 480) };
    assert!(outputs.apply(&[off]).unwrap_err().to_string().contains("one output must stay on"));
    assert_eq!(size(&outputs), (1280, 720));
}

#[test]
fn many_sizes_leave_no_modes_behind() {
    use x11rb::{connection::Connection as _, protocol::randr::ConnectionExt as _};
    let server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap();
    let x = server.connect();
    let modes = || {
        x.randr_get_screen_resources_current(x.setup().roots[0].root).unwrap().reply().unwrap().modes.len()
    };
    let before = modes();
    for width in 400..430 {
        outputs.apply(&[request(width * 2, 600)]).unwrap();
    }
    assert!(modes() <= before + 1, "{} modes, {before} before", modes());
}

#[test]
fn a_dead_server_is_an_error() {
    let mut server = Server::full_hd();
    let mut outputs = Outputs::open(server.name()).unwrap();
    server.kill();
    assert!(outputs.list().unwrap_err().is_lost());
    assert!(outputs.apply(&[request(1280, 720)]).unwrap_err().is_lost());
}
