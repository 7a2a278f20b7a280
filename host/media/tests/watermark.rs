//! What lies over the picture is where it was asked for, once, and nothing else changes.

mod bench;
mod plugins;

use std::time::Duration;

use bench::{Bench, SOON, canvas::Canvas};
use selkies_media::{Watermark, WatermarkPlace};
use selkies_plugin_abi::Rect;
use selkies_session::pacing::Priority;

const SIZE: (u32, u32) = (640, 640);
const MARK: (u32, u32) = (96, 80);
/// Blue, green, red: none of the pattern's.
const COLOUR: [u8; 3] = [60, 120, 255];

/// A plain picture of that opacity, through a file as an operator has it.
fn mark(place: WatermarkPlace, opacity: u8) -> Watermark {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut encoder = png::Encoder::new(file.as_file(), MARK.0, MARK.1);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let [blue, green, red] = COLOUR;
    let pixels = [red, green, blue, opacity].repeat((MARK.0 * MARK.1) as usize);
    encoder.write_header().expect("a header").write_image_data(&pixels).expect("pixels");
    Watermark::open(file.path(), place).expect("a watermark")
}

/// What becomes of the pattern's colours where a mark of that opacity lies at `area`.
fn under(area: Rect, opacity: u8) -> impl Fn(u32, u32, [u8; 3]) -> [u8; 3] {
    move |x, y, colour| {
        let inside =
            (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y);
        if !inside {
            return colour;
        }
        let of = |value: u8, share: u8| u32::from(value) * u32::from(share);
        std::array::from_fn(|at| ((of(COLOUR[at], opacity) + of(colour[at], 255 - opacity)) / 255) as u8)
    }
}

fn area(x: u32, y: u32) -> Rect {
    Rect { x, y, width: MARK.0, height: MARK.1 }
}

#[test]
fn it_lies_in_its_place_and_costs_no_frames() {
    let (right, bottom) = (SIZE.0 - MARK.0, SIZE.1 - MARK.1);
    for (place, x, y) in [
        (WatermarkPlace::TopLeft, 0, 0),
        (WatermarkPlace::TopRight, right, 0),
        (WatermarkPlace::BottomLeft, 0, bottom),
        (WatermarkPlace::BottomRight, right, bottom),
        (WatermarkPlace::Middle, right / 2, bottom / 2),
    ] {
        let bench = Bench::marked(SIZE.0, SIZE.1, 0, mark(place, 255));
        let mut client = bench.join(1, Priority::Lead);
        let mut canvas = Canvas::new(SIZE.0, SIZE.1);
        canvas.draw(&client.draw(SOON).expect("a picture"));
        canvas.assert_shows_under(1, 8, under(area(x, y), 255));
        if place == WatermarkPlace::Middle {
            bench.assert_idle(Duration::from_millis(200));
        }
    }
}

#[test]
fn it_is_mixed_with_what_is_beneath_it_once_however_often_that_is_captured() {
    let (width, height) = (640, 200);
    let bench = Bench::marked(width, height, 60, mark(WatermarkPlace::Middle, 100));
    let mut client = bench.join(1, Priority::Lead);
    let mut canvas = Canvas::new(width, height);
    let place = area((width - MARK.0) / 2, (height - MARK.1) / 2);
    let mut number = 0;
    // The pattern's block crosses the mark in the pictures from 35 to 47; the counter can be read up to 111.
    while number < 100 {
        canvas.draw(&client.draw(SOON).expect("a frame"));
        number = canvas.number();
        canvas.assert_shows_under(number, 14, under(place, 100));
    }
}

#[test]
fn a_moving_one_changes_the_picture_where_it_was_and_is() {
    let bench = Bench::marked(SIZE.0, SIZE.1, 0, mark(WatermarkPlace::Moving, 255));
    let mut client = bench.join(1, Priority::Lead);
    let mut canvas = Canvas::new(SIZE.0, SIZE.1);
    canvas.draw(&client.draw(SOON).expect("a picture"));
    let is_mark = |canvas: &Canvas, x, y| canvas.at(x, y).iter().zip(COLOUR).all(|(a, b)| a.abs_diff(b) < 40);
    let top = |canvas: &Canvas| (0..SIZE.1).find(|&y| (0..SIZE.0).any(|x| is_mark(canvas, x, y)));
    let (mut tops, mut frames) = (vec![top(&canvas).expect("it is there")], 0);
    while tops.len() < 8 {
        let delivery = client.draw(SOON).expect("it moves");
        // Of ten stripes of 64 rows.
        assert!(delivery.packets.len() <= 4, "{} stripes", delivery.packets.len());
        canvas.draw(&delivery);
        let now = top(&canvas).expect("it is there");
        if tops.last() != Some(&now) {
            tops.push(now);
        }
        frames += 1;
        assert!(frames < 100, "{tops:?}");
    }
    let (last, left) =
        (tops[tops.len() - 1], |y: u32| (0..SIZE.0).find(|&x| is_mark(&canvas, x, y + MARK.1 / 2)));
    let left = left(last).expect("it is there");
    // Nothing of it stays behind.
    canvas.assert_shows_under(1, 8, under(area(left, last), 255));
}
