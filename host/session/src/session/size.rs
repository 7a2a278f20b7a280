//! Which size the display gets: the page's, a fixed one, in which steps, and within which limits.

use super::{Action, ClientId, Refusal, Session};
use crate::wire::{SettingsHead, WireError};

/// Least and greatest side, pixels.
const SIDE: std::ops::RangeInclusive<u32> = 64..=16_384;
/// Greatest area, pixels: 8K.
const AREA: u32 = 7680 * 4320;
/// The limits for people.
pub const SIZE_LIMITS: &str = "64 to 16384 pixels a side and at most 7680x4320 in area";
/// Sides of H.264's macroblocks, which some decoders want whole.
const BLOCK: u32 = 16;
/// The manual size where a page names none (Selkies' own).
const MANUAL_SIZE: (u32, u32) = (1024, 768);

/// What the owner's page wants of the display's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SizeRule {
    /// This size, whatever room the page has.
    manual: Option<(u32, u32)>,
    /// Sides that are multiples of 16, or not; `None`: as the operator set it.
    aligned: Option<bool>,
}

/// The size that a display gets which is asked for this one: even, because video with halved chroma needs that. `None` for
/// one beyond the limits ([`SIZE_LIMITS`]).
pub fn display_size(width: u32, height: u32) -> Option<(u32, u32)> {
    stepped(width, height, 2)
}

fn stepped(width: u32, height: u32, step: u32) -> Option<(u32, u32)> {
    let (width, height) = (width - width % step, height - height % step);
    (SIDE.contains(&width) && SIDE.contains(&height) && width * height <= AREA).then_some((width, height))
}

impl Session {
    /// What the owner's SETTINGS mean for the size. `fresh`: the page says it for the first time, so that its room counts.
    pub(super) fn rule_size(
        &mut self,
        client: ClientId,
        head: &SettingsHead,
        fresh: bool,
        out: &mut Vec<Action>,
    ) {
        let before = self.size_rule;
        if head.aligned.is_some() && !self.policy.aligned_locked {
            self.size_rule.aligned = head.aligned;
        }
        if head.manual_resolution.unwrap_or(before.manual.is_some()) {
            let (width, height) = before.manual.unwrap_or(MANUAL_SIZE);
            let manual = (head.manual_width.unwrap_or(width), head.manual_height.unwrap_or(height));
            self.size_rule.manual = display_size(manual.0, manual.1).and(Some(manual)).or(before.manual);
            self.resize_for(client, "SETTINGS", manual.0, manual.1, out);
            return;
        }
        self.size_rule.manual = None;
        let room = head.initial_size.filter(|_| fresh || self.size_rule != before);
        let last = self.asked_size.filter(|_| self.size_rule.aligned != before.aligned);
        if let Some((width, height)) = room.or(last) {
            self.resize(width, height, out);
        }
    }

    /// A size that a client's message asks for. In manual mode the page's room does not count.
    pub(super) fn fit(
        &mut self,
        client: ClientId,
        verb: &'static str,
        width: u32,
        height: u32,
        out: &mut Vec<Action>,
    ) {
        if self.size_rule.manual.is_none() {
            self.resize_for(client, verb, width, height, out);
        }
    }

    /// Asks for a display size, and refuses the message when it is beyond the limits.
    fn resize_for(
        &mut self,
        client: ClientId,
        verb: &'static str,
        width: u32,
        height: u32,
        out: &mut Vec<Action>,
    ) {
        if !self.resize(width, height, out) {
            let error = WireError::OutOfRange { verb, field: "size", range: SIZE_LIMITS };
            self.refuse(client, Refusal::Malformed(error), out);
        }
    }

    /// Asks for a display size: rounded down, limited, and only when it differs.
    fn resize(&mut self, width: u32, height: u32, out: &mut Vec<Action>) -> bool {
        let step = if self.size_rule.aligned.unwrap_or(self.policy.aligned) { BLOCK } else { 2 };
        let Some((width, height)) = stepped(width, height, step) else { return false };
        // Compared with both: what was asked for last may still be on its way.
        let wanted = Some((width, height));
        if self.policy.resize && (self.display != wanted || self.asked_size != wanted) {
            self.asked_size = wanted;
            out.push(Action::ResizeDisplay { width, height });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_are_rounded_down_and_absurd_ones_refused() {
        assert_eq!(display_size(1367, 769), Some((1366, 768)));
        assert_eq!(display_size(65, 64), Some((64, 64)));
        assert_eq!(display_size(7680, 4321), Some((7680, 4320)));
        for (width, height) in [(0, 0), (63, 800), (7682, 4320), (16_386, 64), (u32::MAX, u32::MAX)] {
            assert_eq!(display_size(width, height), None, "{width}x{height}");
        }
    }
}
