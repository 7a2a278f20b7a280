//! The pointer in the picture, where a page wants it: at its place, with nothing left where it was.

mod bench;
mod plugins;
mod xvfb;

use std::time::Instant;

use bench::{Bench, Client, SOON, canvas::Canvas, settings};
use selkies_config::StreamSettings;
use selkies_session::{InputEvent, pacing::Priority};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Rectangle},
    rust_connection::RustConnection,
};
use xvfb::Xvfb;

const SIZE: (u32, u32) = (320, 240);

/// Makes the display's pointer a white square of 16 pixels that points with its middle, while the connection lives.
fn point_with_a_square(x: &RustConnection) {
    let root = x.setup().roots[0].root;
    let id = || x.generate_id().expect("an id");
    let (square, gc, cursor) = (id(), id(), id());
    x.create_pixmap(1, square, root, 16, 16).expect("sent");
    x.create_gc(gc, square, &CreateGCAux::new().foreground(1)).expect("sent");
    x.poly_fill_rectangle(square, gc, &[Rectangle { x: 0, y: 0, width: 16, height: 16 }]).expect("sent");
    let (white, black) = (u16::MAX, 0);
    x.create_cursor(cursor, square, square, white, white, white, black, black, black, 8, 8).expect("sent");
    let aux = ChangeWindowAttributesAux::new().cursor(cursor);
    x.change_window_attributes(root, &aux).expect("sent").check().expect("set");
}

/// Draws until the part of the picture that is not as dark as an empty screen begins and ends so.
fn wait(client: &mut Client<'_>, canvas: &mut Canvas, holds: impl Fn(Option<[u32; 4]>) -> bool) {
    loop {
        let whole = canvas.is_whole();
        let (mut left, mut top, mut right, mut bottom) = (SIZE.0, SIZE.1, 0, 0);
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                if whole && canvas.at(x, y).iter().any(|value| *value > 100) {
                    (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
                }
            }
        }
        let seen = (left <= right).then_some([left, top, right, bottom]);
        if whole && holds(seen) {
            return;
        }
        let delivery = client.draw(SOON).unwrap_or_else(|| panic!("the picture stays so: {seen:?}"));
        canvas.draw(&delivery);
    }
}

#[test]
fn it_is_drawn_where_it_was_moved_and_taken_away_again() {
    let server = Xvfb::start(None, "320x240x24");
    let (x, _) = RustConnection::connect(Some(&server.display())).expect("the server is there");
    point_with_a_square(&x);

    let bench = Bench::display(&server.display(), StreamSettings { jpeg_quality: 95, ..settings() });
    bench.heard.wait("cursor 16x16", SOON);
    let mut client = bench.join(1, Priority::Lead);
    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    let near = |wanted: [u32; 4]| {
        move |seen: Option<[u32; 4]>| {
            seen.is_some_and(|seen| seen.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 1))
        }
    };
    let to = |x, y| bench.studio.inject(Instant::now(), vec![InputEvent::PointerTo { x, y }]);
    to(100, 80);
    wait(&mut client, &mut canvas, |seen| seen.is_none());
    bench.studio.draw_pointer(true);
    wait(&mut client, &mut canvas, near([92, 72, 107, 87]));
    to(200, 150);
    wait(&mut client, &mut canvas, near([192, 142, 207, 157]));
    bench.studio.inject(Instant::now(), vec![InputEvent::PointerBy { dx: -50, dy: 10 }]);
    wait(&mut client, &mut canvas, near([142, 152, 157, 167]));
    // Half of it is beyond the edge, however far it is pushed.
    bench.studio.inject(Instant::now(), vec![InputEvent::PointerBy { dx: 5000, dy: 0 }]);
    wait(&mut client, &mut canvas, near([311, 152, 319, 167]));
    bench.studio.draw_pointer(false);
    wait(&mut client, &mut canvas, |seen| seen.is_none());
}
