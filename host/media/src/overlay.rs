//! What is drawn into the captured pictures of one run before they are encoded: the pointer, and the watermark over it.
//!
//! What is beneath is kept, and put back before a buffer is captured into again: a capture writes only what changed.

use std::{sync::Arc, time::Instant};

use selkies_plugin_abi::{FOURCC_ARGB8888, FOURCC_XRGB8888, Rect};
use selkies_plugin_host::{CaptureInfo, Damage, SharedBuffer, VideoFrame};
use tracing::warn;

use crate::{pointer::Pointer, sprite::Sprite, watermark::Watermark};

/// Bytes of a pixel.
const PIXEL: usize = 4;
/// Pointer and watermark.
const LAYERS: usize = 2;

/// Draws over the pictures of a run.
#[derive(Debug)]
pub(crate) struct Overlay {
    watermark: Option<Arc<Watermark>>,
    /// None where the capture draws it.
    pointer: Option<Arc<Pointer>>,
    since: Instant,
    buffers: Vec<Arc<SharedBuffer>>,
    /// What each buffer would show without it, in the order of drawing.
    beneath: Vec<Vec<Beneath>>,
    /// What was in the picture before.
    last: [Option<Layer>; LAYERS],
    /// When the watermark is somewhere else.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Beneath {
    area: Rect,
    pixels: Vec<u8>,
}

/// A sprite in a picture.
#[derive(Clone, Debug)]
struct Layer {
    sprite: Arc<Sprite>,
    /// The part of the picture that it covers.
    area: Rect,
    /// What of it is left and above of the picture.
    cut: (u32, u32),
}

impl Layer {
    /// None where nothing of it is in the picture.
    fn new(sprite: Arc<Sprite>, (x, y): (i32, i32), picture: (u32, u32)) -> Option<Self> {
        let (width, height) = sprite.size();
        let along = |at: i32, length: u32, room: u32| {
            let (from, cut) = (at.max(0).cast_unsigned(), at.min(0).unsigned_abs());
            let length = length.saturating_sub(cut).min(room.saturating_sub(from));
            (length > 0).then_some((from, length, cut))
        };
        let ((x, width, left), (y, height, above)) =
            along(x, width, picture.0).zip(along(y, height, picture.1))?;
        Some(Self { sprite, area: Rect { x, y, width, height }, cut: (left, above) })
    }

    fn is(&self, other: &Self) -> bool {
        self.area == other.area && self.cut == other.cut && Arc::ptr_eq(&self.sprite, &other.sprite)
    }
}

impl Overlay {
    /// For a run with these buffers; `None` where their pictures cannot be drawn into, which is said where it matters.
    pub(crate) fn new(
        watermark: Option<&Arc<Watermark>>,
        pointer: &Arc<Pointer>,
        info: &CaptureInfo,
        buffers: Vec<Arc<SharedBuffer>>,
    ) -> Option<Self> {
        if buffers.is_empty() || ![FOURCC_XRGB8888, FOURCC_ARGB8888].contains(&info.fourcc) {
            if watermark.is_some() {
                warn!("no watermark: this capture's pictures are not XRGB in the host's memory");
            }
            return None;
        }
        Some(Self {
            watermark: watermark.cloned(),
            pointer: (!info.draws_cursor).then(|| pointer.clone()),
            since: Instant::now(),
            beneath: buffers.iter().map(|_| Vec::new()).collect(),
            buffers,
            last: [None, None],
            due: None,
        })
    }

    /// Takes everything out of a buffer that is going to be captured into. Nobody reads the buffer.
    pub(crate) fn lift(&mut self, index: usize) {
        let (Some(buffer), Some(beneath)) = (self.buffers.get(index), self.beneath.get_mut(index)) else {
            return;
        };
        if beneath.is_empty() {
            return;
        }
        let stride = buffer.stride() as usize;
        let written = buffer.write(|bytes| {
            while let Some(Beneath { area, pixels }) = beneath.pop() {
                let kept = pixels.chunks(area.width as usize * PIXEL);
                rows(bytes, stride, area).zip(kept).for_each(|(row, kept)| row.copy_from_slice(kept));
            }
        });
        if !written {
            warn!("a picture keeps what was drawn over it: its buffer is still read");
        }
    }

    /// Draws over the picture in a buffer. Where something is new or gone, the picture has changed.
    pub(crate) fn draw(&mut self, index: usize, mut frame: VideoFrame) -> VideoFrame {
        let (Some(buffer), Some(beneath)) = (self.buffers.get(index), self.beneath.get_mut(index)) else {
            return frame;
        };
        let (size, stride) = ((buffer.width(), buffer.height()), buffer.stride() as usize);
        let time = self.since.elapsed();
        let pointer = self.pointer.as_ref().and_then(|pointer| pointer.sprite(size));
        let watermark = self.watermark.as_ref().map(|mark| mark.sprite_at(size, time));
        self.due = self.watermark.as_ref().and_then(|mark| mark.next_step(self.since, time));
        let layers =
            [pointer, watermark].map(|found| found.and_then(|(sprite, at)| Layer::new(sprite, at, size)));
        if layers.iter().chain(&self.last).all(Option::is_none) {
            return frame;
        }
        let drawn = frame.paint(|bytes| {
            for Layer { sprite, area, cut } in layers.iter().flatten() {
                let mut pixels = Vec::with_capacity(area.width as usize * area.height as usize * PIXEL);
                for (y, row) in (cut.1..).zip(rows(bytes, stride, *area)) {
                    pixels.extend_from_slice(row);
                    sprite.draw(cut.0, y, row);
                }
                beneath.push(Beneath { area: *area, pixels });
            }
        });
        if !drawn {
            return frame;
        }
        let mut changed = Vec::new();
        for (last, now) in self.last.iter_mut().zip(layers) {
            let same = match (&*last, &now) {
                (Some(last), Some(now)) => last.is(now),
                (None, None) => true,
                _ => false,
            };
            if !same {
                changed.extend(last.iter().chain(&now).map(|layer| layer.area));
            }
            *last = now;
        }
        if changed.is_empty() {
            return frame;
        }
        let damage = match frame.damage() {
            Damage::Full => Damage::Full,
            Damage::Rects(rects) => Damage::Rects(rects.iter().copied().chain(changed).collect()),
        };
        frame.with_damage(damage)
    }

    /// When something is to be drawn somewhere else by itself.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }
}

/// The rows of a part of a picture.
fn rows(bytes: &mut [u8], stride: usize, area: Rect) -> impl Iterator<Item = &mut [u8]> {
    let (left, width) = (area.x as usize * PIXEL, area.width as usize * PIXEL);
    let rows = bytes.chunks_mut(stride).skip(area.y as usize).take(area.height as usize);
    rows.filter_map(move |row| row.get_mut(left..left + width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_picture_is_cut_off() {
        let sprite = Arc::new(Sprite::new(10, 6, std::iter::repeat_n([1, 2, 3, 255], 60)));
        let at = |x, y| Layer::new(sprite.clone(), (x, y), (100, 50)).map(|layer| (layer.area, layer.cut));
        let rect = |x, y, width, height| Rect { x, y, width, height };
        assert_eq!(at(20, 30), Some((rect(20, 30, 10, 6), (0, 0))));
        assert_eq!(at(-4, -1), Some((rect(0, 0, 6, 5), (4, 1))));
        assert_eq!(at(95, 48), Some((rect(95, 48, 5, 2), (0, 0))));
        assert_eq!([at(-10, 0), at(100, 0), at(0, 50), at(i32::MIN, i32::MAX)], [None; 4]);
    }
}
