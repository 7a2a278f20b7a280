//! Which macroblocks of a stripe changed.

use std::ops::Range;

use crate::planes::BLOCK;

/// A rectangle of the frame in pixels. What lies outside the frame counts for nothing.
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

/// The macroblocks of a stripe since its last picture.
#[derive(Debug)]
pub(crate) struct Blocks {
    width: u32,
    height: u32,
    columns: u32,
    rows: u32,
    /// 1 where nothing changed, as libx264 wants it.
    constant: Vec<u8>,
    /// Rows of macroblocks with a change.
    touched: Range<u32>,
}

impl Blocks {
    /// The macroblocks of a picture of this size, all changed.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let (columns, rows) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        let constant = vec![0; columns as usize * rows as usize];
        Self { width, height, columns, rows, constant, touched: 0..rows }
    }

    /// Notes a change; `area` counts from the stripe's first row.
    pub(crate) fn touch(&mut self, area: Area) {
        let (right, bottom) = (area.x.saturating_add(area.width), area.y.saturating_add(area.height));
        let (right, bottom) = (right.min(self.width), bottom.min(self.height));
        if area.x >= right || area.y >= bottom {
            return;
        }
        let columns = area.x / BLOCK..right.div_ceil(BLOCK);
        let rows = area.y / BLOCK..bottom.div_ceil(BLOCK);
        for row in rows.clone() {
            let start = row as usize * self.columns as usize;
            self.constant[start + columns.start as usize..start + columns.end as usize].fill(0);
        }
        self.touched = if self.touched.is_empty() {
            rows
        } else {
            self.touched.start.min(rows.start)..self.touched.end.max(rows.end)
        };
    }

    /// Everything changed.
    pub(crate) fn touch_all(&mut self) {
        self.constant.fill(0);
        self.touched = 0..self.rows;
    }

    /// Rows of macroblocks with a change.
    pub(crate) fn touched(&self) -> Range<u32> {
        self.touched.clone()
    }

    /// The macroblocks of a row from its first to its last changed one, and the number of the first; a byte each, as in
    /// [`Blocks::constant`].
    pub(crate) fn changed(&mut self, row: u32) -> Option<(u32, &mut [u8])> {
        let start = row as usize * self.columns as usize;
        let row = &mut self.constant[start..start + self.columns as usize];
        let first = row.iter().position(|&constant| constant == 0)?;
        let last = row.iter().rposition(|&constant| constant == 0)?;
        Some((first as u32, &mut row[first..=last]))
    }

    /// Their number.
    pub(crate) fn count(&self) -> u32 {
        self.columns * self.rows
    }

    /// For libx264: 1 where nothing changed.
    pub(crate) fn constant(&mut self) -> &mut [u8] {
        &mut self.constant
    }

    /// The picture is coded.
    pub(crate) fn settle(&mut self) {
        self.constant.fill(1);
        self.touched = 0..0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_in_whole_macroblocks_and_cut_at_the_edges() {
        let mut blocks = Blocks::new(50, 40);
        assert_eq!((blocks.touched(), blocks.constant().len()), (0..3, 12));
        blocks.settle();
        assert!(blocks.touched().is_empty() && blocks.constant().iter().all(|&constant| constant == 1));
        blocks.touch(Area { x: 17, y: 16, width: 16, height: 1 });
        assert_eq!(blocks.touched(), 1..2);
        assert_eq!(blocks.constant(), [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
        blocks.touch(Area { x: 49, y: 39, width: u32::MAX, height: u32::MAX });
        assert_eq!((blocks.touched(), blocks.constant()[11]), (1..3, 0));
        for nothing in [(50, 0, 1, 1), (64, 0, 9, 9), (0, 48, 5, 5), (3, 3, 0, 4), (3, 3, 4, 0)] {
            let mut blocks = Blocks::new(50, 40);
            blocks.settle();
            blocks.touch(Area { x: nothing.0, y: nothing.1, width: nothing.2, height: nothing.3 });
            assert!(blocks.touched().is_empty(), "{nothing:?}");
        }
    }
}
