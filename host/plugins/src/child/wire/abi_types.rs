//! Structures of the ABI, which knows no serialisation.

use selkies_plugin_abi::{self as abi, Color, Rect, RoiRect};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WireRect(pub u32, pub u32, pub u32, pub u32);

impl From<Rect> for WireRect {
    fn from(rect: Rect) -> Self {
        Self(rect.x, rect.y, rect.width, rect.height)
    }
}

impl From<WireRect> for Rect {
    fn from(WireRect(x, y, width, height): WireRect) -> Self {
        Self { x, y, width, height }
    }
}

/// A region of interest and its change of quality.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WireRoi(WireRect, i32);

impl From<&RoiRect> for WireRoi {
    fn from(roi: &RoiRect) -> Self {
        Self(roi.rect.into(), roi.qp_delta)
    }
}

impl From<WireRoi> for RoiRect {
    fn from(WireRoi(rect, qp_delta): WireRoi) -> Self {
        Self { rect: rect.into(), qp_delta, reserved: 0 }
    }
}

/// Where a plane lies in its buffer: offset, length, bytes from row to row.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct WirePlane(pub u64, pub u64, pub u32);

impl From<&abi::Plane> for WirePlane {
    fn from(plane: &abi::Plane) -> Self {
        Self(plane.offset, plane.len, plane.stride)
    }
}

/// The bytes of a colour description.
pub fn color_bytes(color: Color) -> [u8; 4] {
    [color.primaries, color.transfer, color.matrix, color.full_range]
}

/// The colour description with these bytes.
pub fn color_of([primaries, transfer, matrix, full_range]: [u8; 4]) -> Color {
    Color { primaries, transfer, matrix, full_range }
}

/// `#[serde(with)]` for a colour description.
pub mod color {
    use super::{Color, Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(color: &Color, serializer: S) -> Result<S::Ok, S::Error> {
        super::color_bytes(*color).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color, D::Error> {
        Ok(super::color_of(Deserialize::deserialize(deserializer)?))
    }
}
