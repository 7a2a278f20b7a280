//! The watermark in the buffers of one run.

use std::{sync::Arc, time::Instant};

use selkies_plugin_abi::{FOURCC_ARGB8888, FOURCC_XRGB8888, Rect};
use selkies_plugin_host::{CaptureInfo, Damage, SharedBuffer, VideoFrame};
use tracing::warn;

use super::Watermark;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Draws a watermark into the pictures of a run.
#[derive(Debug)]
pub(crate) struct Overlay {
    mark: Arc<Watermark>,
    since: Instant,
    buffers: Vec<Arc<SharedBuffer>>,
    /// What each buffer would show without it.
    beneath: Vec<Beneath>,
    /// Where it was in the picture before.
    last: Option<Rect>,
    /// When it is somewhere else.
    due: Option<Instant>,
}

#[derive(Debug, Default)]
struct Beneath {
    area: Option<Rect>,
    pixels: Vec<u8>,
}

impl Overlay {
    /// For a run with these buffers; `None`, with a line in the log, where pictures cannot be drawn into.
    pub(crate) fn new(
        mark: &Arc<Watermark>,
        info: &CaptureInfo,
        buffers: Vec<Arc<SharedBuffer>>,
    ) -> Option<Self> {
        if buffers.is_empty() || ![FOURCC_XRGB8888, FOURCC_ARGB8888].contains(&info.fourcc) {
            warn!("no watermark: this capture's pictures are not XRGB in the host's memory");
            return None;
        }
        let beneath = buffers.iter().map(|_| Beneath::default()).collect();
        let since = Instant::now();
        Some(Self { mark: mark.clone(), since, buffers, beneath, last: None, due: None })
    }

    /// Takes it out of a buffer that is going to be captured into. Nobody reads the buffer.
    pub(crate) fn lift(&mut self, index: usize) {
        let (Some(buffer), Some(beneath)) = (self.buffers.get(index), self.beneath.get_mut(index)) else {
            return;
        };
        let Some(area) = beneath.area.take() else { return };
        let stride = buffer.stride() as usize;
        let written = buffer.write(|bytes| {
            for (row, kept) in
                rows(bytes, stride, area).zip(beneath.pixels.chunks(area.width as usize * PIXEL))
            {
                row.copy_from_slice(kept);
            }
        });
        if !written {
            warn!("a picture keeps its watermark: its buffer is still read");
        }
    }

    /// Draws it over the picture in a buffer. Where it moved, both places have changed.
    pub(crate) fn draw(&mut self, index: usize, mut frame: VideoFrame) -> VideoFrame {
        let (Some(buffer), Some(beneath)) = (self.buffers.get(index), self.beneath.get_mut(index)) else {
            return frame;
        };
        let size = (buffer.width(), buffer.height());
        let (time, place) = (self.since.elapsed(), self.mark.place);
        let area = place.area(size, self.mark.size, time);
        self.due = place.next(self.since, time);
        let (stride, mark) = (buffer.stride() as usize, &self.mark);
        beneath.pixels.clear();
        let drawn = frame.paint(|bytes| {
            for (y, row) in (0..area.height).zip(rows(bytes, stride, area)) {
                beneath.pixels.extend_from_slice(row);
                mark.draw(y, row);
            }
        });
        if !drawn {
            return frame;
        }
        beneath.area = Some(area);
        match self.last.replace(area) {
            Some(before) if before != area => {
                let damage = match frame.damage() {
                    Damage::Full => Damage::Full,
                    Damage::Rects(rects) => {
                        Damage::Rects(rects.iter().copied().chain([before, area]).collect())
                    }
                };
                frame.with_damage(damage)
            }
            _ => frame,
        }
    }

    /// When it is to be drawn somewhere else, if it moves.
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
