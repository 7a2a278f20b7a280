//! The pointer's shape against a real Xvfb.

mod common;

use std::time::Duration;

use common::{SOON, Server};
use selkies_x11::cursor::Pointer;
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        render::{ConnectionExt as _, CreatePictureAux, PictType},
        xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, ImageFormat},
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

/// Makes the root's cursor an image of premultiplied ARGB pixels.
fn set_cursor(x: &RustConnection, width: u16, height: u16, hot: (u16, u16), pixels: &[u32]) {
    assert!(x.extension_information("RENDER").unwrap().is_some());
    let root = x.setup().roots[0].root;
    let formats = x.render_query_pict_formats().unwrap().reply().unwrap().formats;
    let argb = formats
        .iter()
        .find(|format| {
            format.type_ == PictType::DIRECT
                && format.depth == 32
                && format.direct.alpha_shift == 24
                && format.direct.red_shift == 16
        })
        .unwrap();
    let (pixmap, gc, picture, cursor) = (
        x.generate_id().unwrap(),
        x.generate_id().unwrap(),
        x.generate_id().unwrap(),
        x.generate_id().unwrap(),
    );
    x.create_pixmap(32, pixmap, root, width, height).unwrap();
    x.create_gc(gc, pixmap, &CreateGCAux::new()).unwrap();
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    x.put_image(ImageFormat::Z_PIXMAP, pixmap, gc, width, height, 0, 0, 0, 32, &bytes).unwrap();
    x.render_create_picture(picture, pixmap, argb.id, &CreatePictureAux::new()).unwrap();
    x.render_create_cursor(cursor, picture, hot.0, hot.1).unwrap();
    let root_cursor = ChangeWindowAttributesAux::new().cursor(cursor);
    x.change_window_attributes(root, &root_cursor).unwrap();
    x.sync().unwrap();
}

#[test]
fn a_cursor_comes_with_its_pixels_and_hotspot_and_only_when_it_changes() {
    let server = Server::full_hd();
    let mut pointer = Pointer::open(server.name()).unwrap();
    assert!(pointer.wait(Some(Duration::from_secs(1))).unwrap().is_some(), "the first call answers at once");
    assert_eq!(pointer.wait(Some(Duration::from_millis(100))).unwrap(), None);

    let x = server.connect();
    // Opaque red, half transparent green (premultiplied), nothing.
    let pixels = [0xffff_0000, 0x8000_4000, 0, 0xff00_00ff, 0xffff_ffff, 0xff12_3456];
    set_cursor(&x, 3, 2, (2, 1), &pixels);
    let image = pointer.wait(Some(SOON)).unwrap().expect("a new shape");
    assert!(image.visible);
    assert_eq!((image.width, image.height, image.hot_x, image.hot_y), (3, 2, 2, 1));
    assert_eq!(image.rgba[..12], [255, 0, 0, 255, 0, 128, 0, 128, 0, 0, 0, 0]);
    assert_eq!(image.rgba[12..], [0, 0, 255, 255, 255, 255, 255, 255, 0x12, 0x34, 0x56, 255]);

    set_cursor(&x, 1, 1, (0, 0), &[0]);
    let hidden = pointer.wait(Some(SOON)).unwrap().expect("another shape");
    assert!(!hidden.visible, "a transparent image hides the pointer");
    assert_ne!(hidden.serial, image.serial);
}

#[test]
fn a_cursor_whose_client_has_left_is_an_arrow() {
    let server = Server::full_hd();
    let mut pointer = Pointer::open(server.name()).unwrap();
    pointer.wait(None).unwrap();
    server.run("xsetroot", &["-cursor_name", "watch"]);
    // Its end has reached the server by then. (A client that came now would take its number, and the server would take
    // the cursor for that client's.)
    std::thread::sleep(Duration::from_millis(200));
    let image = pointer.wait(Some(SOON)).unwrap().expect("another shape");
    assert!(image.visible);
    assert_eq!((image.width, image.height, image.hot_x, image.hot_y), (11, 17, 0, 0));
    assert_eq!(image.rgba.len(), 11 * 17 * 4);
    assert_eq!(image.rgba[..8], [0, 0, 0, 255, 0, 0, 0, 0]);
}

#[test]
fn a_wake_ends_the_wait_and_a_dead_server_is_an_error() {
    let mut server = Server::full_hd();
    let mut pointer = Pointer::open(server.name()).unwrap();
    pointer.wait(None).unwrap();
    let waker = pointer.waker();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        waker.wake();
    });
    assert_eq!(pointer.wait(None).unwrap(), None);
    thread.join().unwrap();
    server.kill();
    assert!(pointer.wait(Some(SOON)).unwrap_err().is_lost());
}
