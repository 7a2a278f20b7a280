//! An encoder with a decoder behind each stripe.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use openh264::{decoder::Decoder, formats::YUVSource};
use selkies_x264::{Area, Encoder, Order, Picture, Settings, Unit};

pub(crate) const WIDTH: u32 = 320;
pub(crate) const HEIGHT: u32 = 200;

pub(crate) fn settings(stripe_height: u32, full_chroma: bool) -> Settings {
    Settings { full_chroma, threads: 2, stripe_height, refine_delay_ns: 1000, ..Settings::new(WIDTH, HEIGHT) }
}

/// Smooth colours with lines of text-like detail, and a square at `at`.
pub(crate) fn scene(at: (u32, u32)) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let inside = (at.0..at.0 + 40).contains(&x) && (at.1..at.1 + 30).contains(&y);
            let line = y % 16 == 3 && (x / 5) % 3 != 0;
            let [b, g, r] = match (inside, line) {
                (true, _) => [40, 60, 220],
                (_, true) => [20, 20, 20],
                _ => [(x * 200 / WIDTH + 30) as u8, (y * 200 / HEIGHT + 30) as u8, 180],
            };
            pixels.extend([b, g, r, 0]);
        }
    }
    pixels
}

/// Shades without order, `cell` pixels of a row each, that all change with `step`.
pub(crate) fn noise(step: u32, cell: u32) -> Vec<u8> {
    let shade = |at: u32| ((at / cell + step * 31).wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..WIDTH * HEIGHT).flat_map(|at| [shade(at); 4]).collect()
}

/// One access unit, owned.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) top: u32,
    pub(crate) rows: u32,
    pub(crate) key: bool,
    pub(crate) refinement: bool,
    pub(crate) reference: Option<u64>,
}

pub(crate) struct Stream {
    pub(crate) encoder: Encoder,
    pub(crate) decoders: BTreeMap<u32, Decoder>,
    /// Luma as decoded.
    pub(crate) shown: Vec<u8>,
    pub(crate) now: u64,
    /// Packets are decoded; 4:4:4 is not.
    pub(crate) decodes: bool,
}

impl Stream {
    pub(crate) fn silent(settings: Settings) -> Self {
        Self { decodes: false, ..Self::new(settings) }
    }

    pub(crate) fn new(settings: Settings) -> Self {
        let shown = vec![0; (WIDTH * HEIGHT) as usize];
        Self {
            encoder: Encoder::new(settings).expect("an encoder"),
            decoders: BTreeMap::new(),
            shown,
            now: 0,
            decodes: true,
        }
    }

    pub(crate) fn submit(
        &mut self,
        pixels: &[u8],
        damage: Option<&[Area]>,
        order: Order,
    ) -> (Vec<Packet>, Option<u64>) {
        let picture = Picture::new(pixels, WIDTH as usize * 4, WIDTH, HEIGHT).expect("a picture");
        let packets = Mutex::new(Vec::new());
        let take = |unit: Unit<'_>| -> Result<(), ()> {
            packets.lock().unwrap_or_else(PoisonError::into_inner).push(Packet {
                bytes: unit.bytes.to_vec(),
                top: unit.top,
                rows: unit.rows,
                key: unit.key,
                refinement: unit.refinement,
                reference: unit.reference,
            });
            Ok(())
        };
        self.now += 16_000_000;
        let refine_at = self.encoder.submit(&picture, damage, order, self.now, take).expect("a frame");
        let packets = packets.into_inner().unwrap_or_else(PoisonError::into_inner);
        if self.decodes {
            packets.iter().for_each(|packet| self.show(packet));
        }
        (packets, refine_at)
    }

    pub(crate) fn show(&mut self, packet: &Packet) {
        let decoder = self.decoders.entry(packet.top).or_insert_with(|| Decoder::new().expect("a decoder"));
        let decoded = decoder.decode(&packet.bytes).expect("it decodes").expect("a picture at once");
        assert_eq!(decoded.dimensions(), (WIDTH as usize, packet.rows as usize));
        let stride = decoded.strides().0;
        for row in 0..packet.rows as usize {
            let line = &decoded.y()[row * stride..row * stride + WIDTH as usize];
            let start = (packet.top as usize + row) * WIDTH as usize;
            self.shown[start..start + WIDTH as usize].copy_from_slice(line);
        }
    }

    /// PSNR of the luma in dB.
    pub(crate) fn likeness(&self, pixels: &[u8]) -> f64 {
        let errors = pixels.chunks_exact(4).zip(&self.shown).map(|(pixel, &shown)| {
            // Rec. 709, limited range.
            let [b, g, r] = [pixel[0], pixel[1], pixel[2]].map(f64::from);
            let luma = 16.0 + (0.2126 * r + 0.7152 * g + 0.0722 * b) * 219.0 / 255.0;
            (luma - f64::from(shown)).powi(2)
        });
        10.0 * (255.0 * 255.0 / (errors.sum::<f64>() / f64::from(WIDTH * HEIGHT)).max(1e-9)).log10()
    }
}

pub(crate) fn square(at: (u32, u32)) -> Area {
    Area { x: at.0, y: at.1, width: 40, height: 30 }
}
