//! Rectangles: clipping, merging, and the full-width bands of rows that cover them.

use selkies_plugin_sdk::abi::Rect;

/// Rows `top..bottom` of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// First row.
    pub top: u32,
    /// The row after the last.
    pub bottom: u32,
}

/// Rows that are cheaper to copy along than to ask for in a request of their own (a request costs the server about
/// as much as 64 KiB of memcpy, which is 8 rows of 1920 pixels).
const GAP: u32 = 8;

/// The part of `rect` within `area`, relative to it.
#[must_use]
pub fn clip(rect: Rect, area: Rect) -> Option<Rect> {
    let left = rect.x.max(area.x);
    let top = rect.y.max(area.y);
    let right = rect.x.saturating_add(rect.width).min(area.x.saturating_add(area.width));
    let bottom = rect.y.saturating_add(rect.height).min(area.y.saturating_add(area.height));
    (left < right && top < bottom).then(|| Rect {
        x: left - area.x,
        y: top - area.y,
        width: right - left,
        height: bottom - top,
    })
}

/// The smallest rectangle around both.
#[must_use]
pub fn around(a: Rect, b: Rect) -> Rect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let right = (a.x + a.width).max(b.x + b.width);
    let bottom = (a.y + a.height).max(b.y + b.height);
    Rect { x, y, width: right - x, height: bottom - y }
}

/// Merges neighbours until at most `limit` rectangles are left; together they still cover every pixel.
pub fn merge(rects: &mut Vec<Rect>, limit: usize) {
    if rects.len() <= limit {
        return;
    }
    rects.sort_unstable_by_key(|rect| (rect.y, rect.x));
    // Rectangles of one row of an X region differ in x only: joining them wastes least.
    rects.dedup_by(|next, kept| {
        let same_row = next.y == kept.y && next.height == kept.height;
        if same_row {
            *kept = around(*kept, *next);
        }
        same_row
    });
    while rects.len() > limit.max(1) {
        *rects = rects.chunks(2).map(|pair| pair.iter().copied().reduce(around).unwrap_or(pair[0])).collect();
    }
}

/// The bands that cover `rects`, from top to bottom, with small gaps closed.
#[must_use]
pub fn bands<'a>(rects: impl IntoIterator<Item = &'a Rect>) -> Vec<Band> {
    let mut bands: Vec<Band> = rects
        .into_iter()
        .filter(|rect| rect.width > 0 && rect.height > 0)
        .map(|rect| Band { top: rect.y, bottom: rect.y.saturating_add(rect.height) })
        .collect();
    bands.sort_unstable_by_key(|band| band.top);
    bands.dedup_by(|next, kept| {
        let touches = next.top <= kept.bottom.saturating_add(GAP);
        if touches {
            kept.bottom = kept.bottom.max(next.bottom);
        }
        touches
    });
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: u32, y: u32, width: u32, height: u32) -> Rect {
        Rect { x, y, width, height }
    }

    #[test]
    fn clipping_is_relative_to_the_area() {
        let area = rect(100, 50, 200, 100);
        assert_eq!(clip(rect(90, 40, 20, 20), area), Some(rect(0, 0, 10, 10)));
        assert_eq!(clip(rect(290, 140, 50, 50), area), Some(rect(190, 90, 10, 10)));
        assert_eq!(clip(rect(0, 0, 100, 50), area), None);
        assert_eq!(clip(rect(u32::MAX - 1, 60, u32::MAX, 1), area), None);
    }

    #[test]
    fn merging_keeps_the_limit_and_covers_every_rectangle() {
        let scattered: Vec<Rect> = (0..500).map(|i| rect(i * 37 % 1900, i * 91 % 1000, 5, 7)).collect();
        let mut merged = scattered.clone();
        merge(&mut merged, 64);
        assert!(merged.len() <= 64, "{}", merged.len());
        for small in scattered {
            assert!(merged.iter().any(|large| around(*large, small) == *large), "{small:?} is lost");
        }
    }

    #[test]
    fn few_rectangles_stay_as_they_are() {
        let mut rects = vec![rect(5, 9, 1, 1), rect(0, 0, 2, 2)];
        merge(&mut rects, 64);
        assert_eq!(rects, [rect(5, 9, 1, 1), rect(0, 0, 2, 2)]);
    }

    #[test]
    fn bands_join_over_small_gaps_only() {
        let rects = [
            rect(0, 100, 10, 10),
            rect(50, 105, 10, 20),
            rect(0, 130, 9, 1),
            rect(0, 0, 1, 1),
            rect(0, 60, 0, 9),
        ];
        assert_eq!(bands(&rects), [Band { top: 0, bottom: 1 }, Band { top: 100, bottom: 131 }]);
    }
}
