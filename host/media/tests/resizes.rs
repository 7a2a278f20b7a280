//! Two hundred sizes in a row: nothing is left behind, and the picture is right.

mod bench;
mod plugins;
mod xvfb;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use bench::{Bench, Client, SOON, canvas::Canvas, settings};
use selkies_config::StreamSettings;
use selkies_session::pacing::Priority;
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{ConnectionExt as _, CreateGCAux, ImageFormat, SubwindowMode},
    rust_connection::RustConnection,
};
use xvfb::Xvfb;

const SIZES: u32 = 200;
/// Sizes before the first look: buffers, slabs and threads are made by then.
const WARM: u32 = 20;
/// The last size, and that of the first look: what is compared is compared at one size.
const LAST: (u32, u32) = (1200, 800);

/// Numbers that look random and are the same in every run.
struct Dice(u32);

impl Dice {
    /// From `low` to `high`.
    fn roll(&mut self, low: u32, high: u32) -> u32 {
        // Marsaglia, "Xorshift RNGs", 2003.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        low + self.0 % (high - low + 1)
    }
}

/// What could leak: descriptors and threads of this process, descriptors of the X server, modes as xrandr lists them.
#[derive(Debug)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    of_the_server: usize,
    modes: usize,
}

impl Holdings {
    fn count(server: &Xvfb) -> Self {
        let entries = |path: String| fs::read_dir(path).expect("a folder of /proc").count();
        let output = Command::new("xrandr").args(["--display", &server.display()]).output().expect("xrandr");
        let listing = String::from_utf8(output.stdout).expect("text");
        assert!(listing.contains("connected"), "{listing}");
        Self {
            descriptors: entries("/proc/self/fd".into()),
            threads: entries("/proc/self/task".into()),
            of_the_server: entries(format!("/proc/{}/fd", server.pid())),
            // Modes are indented, outputs are not.
            modes: listing.lines().filter(|line| line.starts_with("   ")).count(),
        }
    }

    /// Waits until nothing is more than it was; encoders that are not used any more end elsewhere.
    fn wait_until_at_most(server: &Xvfb, before: &Self) {
        let limit = Instant::now() + SOON;
        loop {
            let now = Self::count(server);
            let all = [
                now.descriptors <= before.descriptors,
                now.threads <= before.threads,
                now.of_the_server <= before.of_the_server,
                now.modes <= before.modes,
            ];
            if all.iter().all(|held| *held) {
                return;
            }
            assert!(Instant::now() < limit, "{now:?}, {before:?} before");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Memory of a process that is its own, in kB.
fn memory(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a kernel of today");
    line.trim().trim_end_matches(" kB").parse().expect("kB")
}

/// Gives the display a size and takes stripes until they cover a picture of it.
fn resize(bench: &Bench, client: &mut Client<'_>, width: u32, height: u32) {
    bench.studio.resize(width, height);
    let (width, height) = (width & !1, height & !1);
    bench.heard.wait_newest("display ", &format!("display {width}x{height}"), SOON);
    let mut missing: Vec<u32> = (0..height).collect();
    while !missing.is_empty() {
        for sent in client.draw(SOON).expect("a picture").packets {
            let area = sent.info.area;
            // Those that were under way have an older width.
            missing.retain(|row| area.width != width || !(area.y..area.y + area.height).contains(row));
        }
    }
}

/// Draws something on the screen that has no two equal places.
fn paint(x: &RustConnection, width: u32, height: u32) {
    let root = x.setup().roots[0].root;
    let gc = x.generate_id().expect("an id");
    let aux = CreateGCAux::new().subwindow_mode(SubwindowMode::INCLUDE_INFERIORS);
    x.create_gc(gc, root, &aux).expect("sent");
    for y in 0..height {
        let row: Vec<u8> = (0..width)
            .flat_map(|x| [(x * 255 / width) as u8, (y * 255 / height) as u8, ((x + y) / 8 % 256) as u8, 0])
            .collect();
        let (width, y) = (width as u16, y as i16);
        x.put_image(ImageFormat::Z_PIXMAP, root, gc, width, 1, 0, y, 0, 24, &row).expect("sent");
    }
    x.free_gc(gc).expect("sent").check().expect("drawn");
}

#[test]
fn two_hundred_sizes_leave_nothing_behind_and_the_picture_is_right() {
    let server = Xvfb::start(None, "1600x1200x24");
    let bench = Bench::display(&server.display(), StreamSettings { jpeg_quality: 95, ..settings() });
    let mut client = bench.join(1, Priority::Lead);
    let mut dice = Dice(0x5e1f_1e55);
    let mut before = None;
    for number in 1..=SIZES {
        if number == WARM {
            // The largest picture needs the most memory.
            resize(&bench, &mut client, 1600, 1200);
            resize(&bench, &mut client, LAST.0, LAST.1);
            before = Some((Holdings::count(&server), memory("self"), memory(&server.pid().to_string())));
            continue;
        }
        let (width, height) = (dice.roll(64, 1600), dice.roll(64, 1200));
        resize(&bench, &mut client, width, height);
    }
    resize(&bench, &mut client, LAST.0, LAST.1);
    let (held, own, of_the_server) = before.expect("it was looked at");
    Holdings::wait_until_at_most(&server, &held);
    // One picture per size would be hundreds of megabytes.
    let limit = 32 * 1024;
    let grown =
        [memory("self").saturating_sub(own), memory(&server.pid().to_string()).saturating_sub(of_the_server)];
    assert!(grown.iter().all(|grown| *grown < limit), "grown by {grown:?} kB");

    let (x, _) = RustConnection::connect(Some(&server.display())).expect("the server is there");
    paint(&x, LAST.0, LAST.1);
    bench.studio.request_keyframe();
    let root = x.setup().roots[0].root;
    let (width, height) = (LAST.0 as u16, LAST.1 as u16);
    let screen = x.get_image(ImageFormat::Z_PIXMAP, root, 0, 0, width, height, !0).expect("sent").reply();
    let screen = screen.expect("the screen").data;
    let mut canvas = Canvas::new(LAST.0, LAST.1);
    // What was drawn may come in several pictures.
    while !canvas.is_whole() || canvas.difference(&screen) > 2.0 {
        let delivery = client.draw(SOON);
        let delivery =
            delivery.unwrap_or_else(|| panic!("the mean difference is {}", canvas.difference(&screen)));
        canvas.draw(&delivery);
    }
}
