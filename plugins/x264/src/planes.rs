//! The picture as libx264 takes it, and the conversion of what changed.

use std::ops::Range;

use thiserror::Error;
use yuv::{
    BufferStoreMut, YuvBiPlanarImageMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv_nv12, bgra_to_yuv444,
};

use crate::picture::Picture;

/// Side of a macroblock.
pub(crate) const BLOCK: u32 = 16;

/// The colour conversion failed; a defect, since sizes are checked before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("x264-convert: the colours of a picture part cannot be converted: {0}")]
pub struct ConvertError(String);

/// Luma and chroma of a part of the picture, Rec. 709, limited range: NV12, or three planes of 4:4:4.
#[derive(Debug)]
pub(crate) struct Planes {
    width: u32,
    height: u32,
    /// Width and height without the repeated pixels.
    shown: (u32, u32),
    /// The whole picture, and a row of macroblocks on its way there, which stays in the processor's cache.
    whole: Buffers,
    band: Buffers,
    full_chroma: bool,
}

/// Luma; chroma as one plane of interleaved pairs, or as two. All have the same distance of rows.
#[derive(Debug)]
struct Buffers([Vec<u8>; 3]);

impl Buffers {
    fn new(width: u32, height: u32, full_chroma: bool) -> Self {
        let pixels = width as usize * height as usize;
        let [second, third] = if full_chroma { [pixels, pixels] } else { [pixels.div_ceil(2), 0] };
        Self([vec![16; pixels], vec![128; second], vec![128; third]])
    }
}

/// What a picture of this size is coded as.
pub(crate) fn coded_size(width: u32, height: u32, full_chroma: bool) -> (u32, u32) {
    if full_chroma { (width, height) } else { (width.next_multiple_of(2), height.next_multiple_of(2)) }
}

impl Planes {
    /// Black planes for a picture of this size. Half chroma needs pairs of pixels: the last one of an odd side is repeated.
    pub(crate) fn new(width: u32, height: u32, full_chroma: bool) -> Self {
        let shown = (width, height);
        let (width, height) = coded_size(width, height, full_chroma);
        let (whole, band) =
            (Buffers::new(width, height, full_chroma), Buffers::new(width, BLOCK, full_chroma));
        Self { width, height, shown, whole, band, full_chroma }
    }

    /// Width and height as coded.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pointers and strides for libx264.
    pub(crate) fn raw(&self) -> ([*const u8; 3], [i32; 3]) {
        let stride = i32::try_from(self.width).unwrap_or(i32::MAX);
        (self.whole.0.each_ref().map(|plane| plane.as_ptr()), [stride; 3])
    }

    /// Converts macroblocks of row `row` from `column` on, of which `constant` has a byte each: 1 where nothing changed,
    /// which it also becomes where nothing differs from what the planes have. `picture` is the one of which these planes
    /// are the rows from `top`. Answers how many macroblocks differ.
    pub(crate) fn convert(
        &mut self,
        picture: &Picture<'_>,
        top: u32,
        (row, column): (u32, u32),
        constant: &mut [u8],
    ) -> Result<u32, ConvertError> {
        let (x, y) = (column * BLOCK, row * BLOCK);
        let width = (constant.len() as u32 * BLOCK).min(self.shown.0 - x);
        let rows = BLOCK.min(self.shown.1 - y);
        match picture.part(top + y, rows, x) {
            Some(source) => self.convert_band(source, picture.stride(), width, rows)?,
            None => {
                // The conversion wants whole strides, and the picture may end with the last row's pixels.
                let span = x as usize * 4..(x + width) as usize * 4;
                let source = (y..y + rows)
                    .map(|row| &picture.row(top + row)[span.clone()])
                    .collect::<Vec<_>>()
                    .concat();
                self.convert_band(&source, width * 4, width, rows)?;
            }
        }
        self.repeat_edges(width, rows);
        let mut differ = 0;
        let mut run: Option<u32> = None;
        for (block, constant) in constant.iter_mut().enumerate() {
            let block = block as u32;
            if *constant == 0 && self.differs((x, y), block) {
                differ += 1;
                run.get_or_insert(block);
                continue;
            }
            *constant = 1;
            if let Some(start) = run.take() {
                self.take_over((x, y), start..block);
            }
        }
        if let Some(start) = run {
            self.take_over((x, y), start..constant.len() as u32);
        }
        Ok(differ)
    }

    /// Converts `rows` rows of `width` pixels into the band.
    fn convert_band(
        &mut self,
        source: &[u8],
        source_stride: u32,
        width: u32,
        height: u32,
    ) -> Result<(), ConvertError> {
        let stride = self.width;
        let span = |rows: u32| ..rows as usize * stride as usize;
        let mode = YuvConversionMode::Balanced;
        let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt709);
        let [luma, first, second] = &mut self.band.0;
        let luma = &mut luma[span(height)];
        let done = if self.full_chroma {
            let mut image = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: stride,
                u_plane: BufferStoreMut::Borrowed(&mut first[span(height)]),
                u_stride: stride,
                v_plane: BufferStoreMut::Borrowed(&mut second[span(height)]),
                v_stride: stride,
                width,
                height,
            };
            bgra_to_yuv444(&mut image, source, source_stride, range, matrix, mode)
        } else {
            let mut image = YuvBiPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: stride,
                uv_plane: BufferStoreMut::Borrowed(&mut first[span(height.div_ceil(2))]),
                uv_stride: stride,
                width,
                height,
            };
            bgra_to_yuv_nv12(&mut image, source, source_stride, range, matrix, mode)
        };
        done.map_err(|error| ConvertError(error.to_string()))
    }

    /// Fills the band's luma beyond an odd side; for the chroma there is one already.
    fn repeat_edges(&mut self, width: u32, rows: u32) {
        if self.full_chroma {
            return;
        }
        let (stride, width, rows) = (self.width as usize, width as usize, rows as usize);
        let luma = &mut self.band.0[0];
        if width % 2 == 1 {
            for row in 0..rows {
                luma[row * stride + width] = luma[row * stride + width - 1];
            }
        }
        if rows % 2 == 1 {
            luma.copy_within((rows - 1) * stride..rows * stride, rows * stride);
        }
    }

    /// Rows of each plane in the macroblocks of the row that begins at `y`.
    fn rows(&self, y: u32) -> [u32; 3] {
        let rows = BLOCK.min(self.height - y);
        if self.full_chroma { [rows; 3] } else { [rows, rows / 2, 0] }
    }

    /// First row of each plane for the luma's row `y`.
    fn tops(&self, y: u32) -> [u32; 3] {
        if self.full_chroma { [y; 3] } else { [y, y / 2, 0] }
    }

    /// Whether a macroblock of the band, counted from the one at `x` and `y`, differs from the one in the planes.
    fn differs(&self, (x, y): (u32, u32), block: u32) -> bool {
        let stride = self.width as usize;
        let (from, to) = ((block * BLOCK) as usize, (x + block * BLOCK) as usize);
        let width = (BLOCK as usize).min(stride - to);
        let planes = self.band.0.iter().zip(&self.whole.0).zip(self.rows(y).into_iter().zip(self.tops(y)));
        planes.into_iter().any(|((band, whole), (rows, top))| {
            (0..rows as usize).any(|row| {
                let new = &band[row * stride + from..][..width];
                let old = &whole[(top as usize + row) * stride + to..][..width];
                // A length that is known is compared without a call.
                match (new.as_array::<16>(), old.as_array::<16>()) {
                    (Some(new), Some(old)) => new != old,
                    _ => new != old,
                }
            })
        })
    }

    /// Copies macroblocks of the band, counted from the one at `x` and `y`, into the planes.
    fn take_over(&mut self, (x, y): (u32, u32), blocks: Range<u32>) {
        let stride = self.width as usize;
        let (from, to) = ((blocks.start * BLOCK) as usize, (x + blocks.start * BLOCK) as usize);
        let width = ((blocks.end - blocks.start) as usize * BLOCK as usize).min(stride - to);
        let (rows, tops) = (self.rows(y), self.tops(y));
        for (plane, (rows, top)) in rows.into_iter().zip(tops).enumerate() {
            for row in 0..rows as usize {
                let new = &self.band.0[plane][row * stride + from..][..width];
                self.whole.0[plane][(top as usize + row) * stride + to..][..width].copy_from_slice(new);
            }
        }
    }
}
