//! A picture that lies over the stream.
//!
//! It is drawn into the captured picture before that is encoded, so that every encoder and transport has it. What is
//! beneath it is kept and put back before the buffer is captured into again: a capture writes only what changed.

mod image;
mod overlay;

use std::time::{Duration, Instant};

use selkies_plugin_abi::Rect;

pub use image::{Watermark, WatermarkError};
pub(crate) use overlay::Overlay;

/// How often one that moves takes a step.
const STEP_TIME: Duration = Duration::from_millis(50);
/// How far, in pixels.
const STEP: u64 = 3;

/// Where it lies (Selkies' `watermark_location`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkPlace {
    /// 1.
    TopLeft,
    /// 2.
    TopRight,
    /// 3.
    BottomLeft,
    /// 4.
    BottomRight,
    /// 5.
    Middle,
    /// 6: it moves about, and the picture changes with it.
    Moving,
}

impl WatermarkPlace {
    /// The place with this number; `None` for nowhere.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::TopLeft,
            2 => Self::TopRight,
            3 => Self::BottomLeft,
            4 => Self::BottomRight,
            5 => Self::Middle,
            6 => Self::Moving,
            _ => return None,
        })
    }

    /// The part of a picture that a mark covers after so much time; what does not fit is cut off.
    fn area(self, (width, height): (u32, u32), mark: (u32, u32), time: Duration) -> Rect {
        let (wide, high) = (mark.0.min(width), mark.1.min(height));
        let (right, bottom) = (width - wide, height - high);
        let (x, y) = match self {
            Self::TopLeft => (0, 0),
            Self::TopRight => (right, 0),
            Self::BottomLeft => (0, bottom),
            Self::BottomRight => (right, bottom),
            Self::Middle => (right / 2, bottom / 2),
            Self::Moving => {
                let way = steps(time).saturating_mul(STEP);
                (bounce(way, right), bounce(way, bottom))
            }
        };
        Rect { x, y, width: wide, height: high }
    }

    /// When it lies somewhere else than at `time` after `since`, if ever.
    fn next(self, since: Instant, time: Duration) -> Option<Instant> {
        let steps = u32::try_from(steps(time) + 1).unwrap_or(u32::MAX);
        (self == Self::Moving).then(|| since.checked_add(STEP_TIME.saturating_mul(steps))).flatten()
    }
}

fn steps(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / STEP_TIME.as_millis()).unwrap_or(u64::MAX)
}

/// The place after so long a way to and fro between 0 and `room`.
fn bounce(way: u64, room: u32) -> u32 {
    let room = u64::from(room);
    if room == 0 {
        return 0;
    }
    let at = way % (2 * room);
    u32::try_from(if at > room { 2 * room - at } else { at }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_inside_the_picture() {
        let rect = |x, y, width, height| Rect { x, y, width, height };
        let at = |number| {
            let place = WatermarkPlace::from_number(number).expect("a place");
            place.area((640, 480), (100, 50), Duration::from_secs(3))
        };
        assert_eq!(at(1), rect(0, 0, 100, 50));
        assert_eq!(at(2), rect(540, 0, 100, 50));
        assert_eq!(at(3), rect(0, 430, 100, 50));
        assert_eq!(at(4), rect(540, 430, 100, 50));
        assert_eq!(at(5), rect(270, 215, 100, 50));
        assert_eq!(at(6), rect(180, 180, 100, 50));
        assert_eq!([-1, 0, 7].map(WatermarkPlace::from_number), [None; 3]);
        let large = WatermarkPlace::Middle.area((64, 48), (100, 20), Duration::ZERO);
        assert_eq!(large, rect(0, 14, 64, 20));
    }

    #[test]
    fn a_moving_one_turns_at_the_edges_and_knows_its_next_step() {
        assert_eq!([0, 9, 10, 11, 20, 21].map(|way| bounce(way, 10)), [0, 9, 10, 9, 0, 1]);
        assert_eq!(bounce(u64::MAX, 0), 0);
        let since = Instant::now();
        let next = |place: WatermarkPlace, ms| place.next(since, Duration::from_millis(ms));
        assert_eq!(next(WatermarkPlace::Moving, 120), Some(since + Duration::from_millis(150)));
        assert_eq!(next(WatermarkPlace::Middle, 120), None);
    }
}
