//! The frame buffers of one capture, and what each of them missed.

use std::sync::Arc;

use selkies_plugin_abi::{MAX_DAMAGE_RECTS, Rect};
use selkies_plugin_host::{BufferError, CaptureInfo, Damage, SharedBuffer};

/// Buffers that take turns while an encoder keeps frames; with an encoder that keeps none there is one, which never
/// misses anything.
#[derive(Debug)]
pub(crate) struct Buffers {
    buffers: Vec<Arc<SharedBuffer>>,
    /// What changed since each buffer was written.
    missed: Vec<Vec<Rect>>,
    whole: Rect,
}

impl Buffers {
    pub(crate) fn new(info: &CaptureInfo, retained: u32) -> Result<Self, BufferError> {
        let count = if info.host_buffers { needed(retained) } else { 0 };
        let buffers = (0..count)
            .map(|_| SharedBuffer::new(info.width, info.height, info.fourcc, info.stride_align))
            .collect::<Result<Vec<_>, _>>()?;
        let whole = Rect { x: 0, y: 0, width: info.width, height: info.height };
        // A new buffer has missed everything.
        Ok(Self { missed: vec![vec![whole]; count], buffers, whole })
    }

    /// True when enough are free for an encoder that keeps so many frames. Captures with memory of their own see to that
    /// themselves.
    pub(crate) fn suffice(&self, retained: u32) -> bool {
        let free = self.buffers.iter().filter(|buffer| !buffer.is_lent()).count();
        self.buffers.is_empty() || free >= needed(retained)
    }

    pub(crate) fn shared(&self) -> Vec<Arc<SharedBuffer>> {
        self.buffers.clone()
    }

    pub(crate) fn whole(&self) -> Rect {
        self.whole
    }

    /// A buffer that nobody reads, and what it lacks. `None` while all are lent; 0 for captures with memory of their
    /// own.
    pub(crate) fn free(&self) -> Option<(usize, &[Rect])> {
        if self.buffers.is_empty() {
            return Some((0, &[]));
        }
        let index = self.buffers.iter().position(|buffer| !buffer.is_lent())?;
        Some((index, &self.missed[index]))
    }

    /// Notes that a buffer is up to date and the others lack `damage`.
    pub(crate) fn written(&mut self, index: usize, damage: &Damage) {
        for (other, missed) in self.missed.iter_mut().enumerate() {
            if other == index {
                missed.clear();
                continue;
            }
            match damage {
                Damage::Rects(rects) if missed.len() + rects.len() <= MAX_DAMAGE_RECTS => {
                    missed.extend(rects)
                }
                _ => *missed = vec![self.whole],
            }
        }
    }
}

/// Buffers for an encoder that keeps so many frames, and one to write meanwhile.
fn needed(retained: u32) -> usize {
    1 + retained.min(15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use selkies_plugin_abi::FOURCC_XRGB8888;

    fn info() -> CaptureInfo {
        CaptureInfo {
            host_buffers: true,
            damage: true,
            draws_cursor: false,
            width: 64,
            height: 48,
            fourcc: FOURCC_XRGB8888,
            stride_align: 4,
        }
    }

    #[test]
    fn one_more_than_an_encoder_keeps_suffice() {
        let buffers = Buffers::new(&info(), 2).expect("memory");
        assert!(buffers.suffice(0) && buffers.suffice(2) && !buffers.suffice(3));
        let lent = buffers.shared()[1].lend();
        assert!(buffers.suffice(1) && !buffers.suffice(2), "one is lent");
        drop(lent);
        assert!(buffers.suffice(2));
        assert!(Buffers::new(&info(), 1000).expect("memory").suffice(u32::MAX));
        let own = CaptureInfo { host_buffers: false, ..info() };
        assert!(Buffers::new(&own, 0).expect("nothing to make").suffice(5));
    }

    #[test]
    fn a_buffer_lacks_what_changed_while_others_were_used() {
        let mut buffers = Buffers::new(&info(), 1).expect("memory");
        let part = Rect { x: 0, y: 16, width: 64, height: 16 };
        let first = buffers.shared()[0].lend();
        let (index, missed) = buffers.free().expect("the second is free");
        assert_eq!((index, missed), (1, &[buffers.whole()][..]));
        buffers.written(1, &Damage::Full);
        buffers.written(1, &Damage::Rects(vec![part]));
        assert_eq!(buffers.missed[1], []);
        drop(first);
        assert_eq!(buffers.free(), Some((0, &[buffers.whole(), part][..])));
        buffers.written(0, &Damage::Rects(vec![part; MAX_DAMAGE_RECTS + 1]));
        assert_eq!(buffers.missed[1], [buffers.whole()]);
    }
}
