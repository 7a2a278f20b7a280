//! What changed since the frame before.

/// A rectangle of the frame in pixels. Parts outside the frame, and rectangles without content, count for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Area {
    /// The rows `first..end` of a `width` x `height` frame that it touches, if any. Columns do not matter further,
    /// because stripes have the full width.
    pub(crate) fn rows(&self, width: u32, height: u32) -> Option<(u32, u32)> {
        let end = self.y.saturating_add(self.height).min(height);
        (self.width > 0 && self.x < width && self.y < end).then_some((self.y, end))
    }
}

/// What changed since the frame before.
#[derive(Clone, Copy, Debug)]
pub enum Damage<'a> {
    /// Unknown; any row may have changed.
    Full,
    /// Only these, in any order, overlapping or not.
    Areas(&'a [Area]),
}
