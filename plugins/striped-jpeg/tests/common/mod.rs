//! Pictures, an output that keeps packets, and a viewer that decodes them.
#![allow(dead_code)] // Every test file uses a part of it.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use selkies_striped_jpeg::{Output, Picture, StripePacket, SubmitError};

/// A frame that tests draw on. Rows are padded, so that a stride mistaken for a width shows.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) stride: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Canvas {
    /// A smooth picture with something like text in it.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let stride = width as usize * 4 + 52;
        let mut canvas = Self { width, height, stride, bytes: vec![0xEE; stride * height as usize] };
        for y in 0..height {
            for x in 0..width {
                let text = y % 24 > 8 && y % 24 < 18 && (x * 7 + y / 24 * 13) % 23 < 5;
                let shade = if text { 90 } else { 200 + (x * 40 / width.max(1)) as u8 };
                canvas.set(x, y, [shade, shade.saturating_sub((y * 60 / height) as u8), shade]);
            }
        }
        canvas
    }

    pub(crate) fn set(&mut self, x: u32, y: u32, bgr: [u8; 3]) {
        let at = y as usize * self.stride + x as usize * 4;
        self.bytes[at..at + 3].copy_from_slice(&bgr);
    }

    pub(crate) fn get(&self, x: u32, y: u32) -> [u8; 3] {
        let at = y as usize * self.stride + x as usize * 4;
        [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]]
    }

    pub(crate) fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, bgr: [u8; 3]) {
        for row in y..(y + height).min(self.height) {
            for column in x..(x + width).min(self.width) {
                self.set(column, row, bgr);
            }
        }
    }

    pub(crate) fn picture(&self) -> Picture<'_> {
        Picture::new(&self.bytes, self.stride, self.width, self.height).unwrap()
    }
}

/// Keeps packets.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) packets: Mutex<Vec<(StripePacket, Vec<u8>)>>,
    pub(crate) slabs: AtomicUsize,
    /// Commits that fail from now on.
    pub(crate) failing: AtomicUsize,
    /// Gives slabs of exactly this length when not 0 and enough.
    pub(crate) exact: bool,
}

impl Store {
    /// The packets so far, top first; the store is empty then.
    pub(crate) fn take(&self) -> Vec<(StripePacket, Vec<u8>)> {
        let mut packets = std::mem::take(&mut *self.packets.lock().unwrap());
        packets.sort_by_key(|(packet, _)| packet.top);
        packets
    }

    /// The rows that the packets so far cover; the store is empty then.
    pub(crate) fn take_rows(&self) -> Vec<(u32, u32)> {
        self.take().iter().map(|(packet, _)| (packet.top, packet.rows)).collect()
    }
}

impl Output for Store {
    type Slab = Vec<u8>;
    type Error = &'static str;

    fn slab(&self, min_len: usize) -> Result<Vec<u8>, &'static str> {
        self.slabs.fetch_add(1, Ordering::Relaxed);
        Ok(vec![0; if self.exact { min_len } else { min_len.next_multiple_of(65536) }])
    }

    fn commit(&self, slab: Vec<u8>, packet: StripePacket) -> Result<(), &'static str> {
        if self.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            return Err("full");
        }
        self.packets.lock().unwrap().push((packet, slab[..packet.len].to_vec()));
        Ok(())
    }
}

/// What a browser shows.
pub(crate) struct Viewer {
    pub(crate) canvas: Canvas,
}

impl Viewer {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let mut canvas = Canvas::new(width, height);
        canvas.fill(0, 0, width, height, [255, 0, 255]);
        Self { canvas }
    }

    pub(crate) fn show(&mut self, packets: &[(StripePacket, Vec<u8>)]) {
        for (packet, jpeg) in packets {
            let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::BGR).unwrap();
            assert_eq!((image.width, image.height), (packet.width as usize, packet.rows as usize));
            assert_eq!(packet.width, self.canvas.width);
            assert_eq!(packet.top % 16, 0);
            for y in 0..image.height {
                for x in 0..image.width {
                    let at = y * image.pitch + x * 3;
                    let bgr = [image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]];
                    self.canvas.set(x as u32, packet.top + y as u32, bgr);
                }
            }
        }
    }

    /// Peak signal-to-noise ratio towards `source` over rows `first..end`, dB.
    pub(crate) fn psnr(&self, source: &Canvas, first: u32, end: u32) -> f64 {
        let mut squares = 0.0;
        for y in first..end {
            for x in 0..source.width {
                for (a, b) in source.get(x, y).into_iter().zip(self.canvas.get(x, y)) {
                    squares += (f64::from(a) - f64::from(b)).powi(2);
                }
            }
        }
        let mean = squares / f64::from(source.width * (end - first) * 3);
        10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
    }
}

/// Unwraps without asking the error to be printable beyond its text.
pub(crate) fn ok<T>(result: Result<T, SubmitError<&'static str>>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
