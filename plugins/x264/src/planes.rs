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
    luma: Vec<u8>,
    /// One plane of interleaved pairs, or two.
    chroma: [Vec<u8>; 2],
    full_chroma: bool,
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
        let pixels = width as usize * height as usize;
        let chroma = if full_chroma {
            [vec![128; pixels], vec![128; pixels]]
        } else {
            [vec![128; pixels / 2], vec![]]
        };
        Self { width, height, shown, luma: vec![16; pixels], chroma, full_chroma }
    }

    /// Width and height as coded.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pointers and strides for libx264.
    pub(crate) fn raw(&self) -> ([*const u8; 3], [i32; 3]) {
        let stride = i32::try_from(self.width).unwrap_or(i32::MAX);
        let [first, second] = &self.chroma;
        ([self.luma.as_ptr(), first.as_ptr(), second.as_ptr()], [stride; 3])
    }

    /// Converts `rows` of these planes, whose start is even, from `picture`, of which the planes are the rows from `top`.
    pub(crate) fn convert(
        &mut self,
        picture: &Picture<'_>,
        top: u32,
        rows: Range<u32>,
    ) -> Result<(), ConvertError> {
        match picture.padded(top + rows.start, rows.end - rows.start) {
            Some(source) => self.convert_part(source, picture.stride(), rows.clone())?,
            None => {
                // The conversion wants whole strides, and the picture's last row may end with its pixels.
                let last = rows.start + (rows.end - rows.start - 1) / 2 * 2;
                if let Some(source) =
                    picture.padded(top + rows.start, last - rows.start).filter(|part| !part.is_empty())
                {
                    self.convert_part(source, picture.stride(), rows.start..last)?;
                }
                let source = (last..rows.end).map(|row| picture.row(top + row)).collect::<Vec<_>>().concat();
                self.convert_part(&source, self.shown.0 * 4, last..rows.end)?;
            }
        }
        self.repeat_edges(rows);
        Ok(())
    }

    fn convert_part(
        &mut self,
        source: &[u8],
        source_stride: u32,
        rows: Range<u32>,
    ) -> Result<(), ConvertError> {
        let (width, height) = (self.shown.0, rows.end - rows.start);
        let stride = self.width;
        // The conversion takes what is left over for an odd last row: the slices end with the part.
        let span = |start: u32, end: u32| start as usize * stride as usize..end as usize * stride as usize;
        let whole = span(rows.start, rows.end);
        let mode = YuvConversionMode::Balanced;
        let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt709);
        let [first, second] = &mut self.chroma;
        let luma = &mut self.luma[whole.clone()];
        let done = if self.full_chroma {
            let mut image = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: stride,
                u_plane: BufferStoreMut::Borrowed(&mut first[whole.clone()]),
                u_stride: stride,
                v_plane: BufferStoreMut::Borrowed(&mut second[whole]),
                v_stride: stride,
                width,
                height,
            };
            bgra_to_yuv444(&mut image, source, source_stride, range, matrix, mode)
        } else {
            let mut image = YuvBiPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: stride,
                uv_plane: BufferStoreMut::Borrowed(&mut first[span(rows.start / 2, rows.end.div_ceil(2))]),
                uv_stride: stride,
                width,
                height,
            };
            bgra_to_yuv_nv12(&mut image, source, source_stride, range, matrix, mode)
        };
        done.map_err(|error| ConvertError(error.to_string()))
    }

    /// Fills the luma beyond an odd side, for the chroma there is one already.
    fn repeat_edges(&mut self, rows: Range<u32>) {
        let stride = self.width as usize;
        if self.shown.0 < self.width {
            for row in rows.start as usize..rows.end as usize {
                self.luma[row * stride + stride - 1] = self.luma[row * stride + stride - 2];
            }
        }
        if self.shown.1 < self.height && rows.end == self.shown.1 {
            let last = (rows.end as usize - 1) * stride;
            self.luma.copy_within(last..last + stride, last + stride);
        }
    }
}
