//! When a striped picture is coded in one piece.

/// Share of the macroblocks, in percent, from which on a picture counts as moving all over …
const MOST: u64 = 60;
/// … and below which it does not.
const LITTLE: u64 = 25;
/// So many moving pictures in a row are needed …
const RUN: u32 = 10;
/// … none later than this after the one before, nanoseconds.
const GAP_NS: u64 = 150_000_000;
/// So long only little must have moved, nanoseconds.
const CALM_NS: u64 = 1_000_000_000;

/// Stripes are cheaper while little changes, since the others are left alone. While everything moves they are dearer:
/// each is a stream of its own to code and to decode, and predicts nothing across its edges. So the picture is then coded
/// in one piece. Each step costs a key frame, and is only taken when the content has been of the other kind for a while.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    whole: bool,
    run: u32,
    newest_ns: u64,
    calm_from_ns: Option<u64>,
}

impl Layout {
    /// Whether the picture is in one piece.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether everything has been moving for a while.
    pub(crate) fn is_moving(&self) -> bool {
        self.run >= RUN
    }

    /// Takes the step that is due before the next picture, if there is one; at `rest`, nothing moves any more.
    pub(crate) fn step(&mut self, rest: bool, now_ns: u64) -> bool {
        let calm = self.calm_from_ns.is_some_and(|from| now_ns.saturating_sub(from) >= CALM_NS);
        let due = if self.whole { rest || calm } else { self.run >= RUN };
        if due {
            let (whole, run) = (!self.whole, if self.whole { 0 } else { self.run });
            *self = Self { whole, run, newest_ns: now_ns, calm_from_ns: None };
        }
        due
    }

    /// Notes a picture of which `changed` of `all` macroblocks changed.
    pub(crate) fn note(&mut self, changed: u32, all: u32, now_ns: u64) {
        let (share, all) = (u64::from(changed) * 100, u64::from(all));
        let follows = now_ns.saturating_sub(self.newest_ns) <= GAP_NS;
        self.newest_ns = now_ns;
        self.run = match share >= all * MOST {
            true if follows => self.run.saturating_add(1),
            true => 1,
            false => 0,
        };
        if share >= all * LITTLE {
            self.calm_from_ns = None;
        } else {
            self.calm_from_ns.get_or_insert(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 16_666_667;

    /// Plays pictures of which so many in a hundred macroblocks change; answers before which ones a step was taken.
    fn steps(layout: &mut Layout, start: u64, interval: u64, shares: &[u32]) -> Vec<usize> {
        let mut steps = Vec::new();
        for (index, &share) in shares.iter().enumerate() {
            let now = start + index as u64 * interval;
            if layout.step(false, now) {
                steps.push(index);
            }
            layout.note(share, 100, now);
        }
        steps
    }

    #[test]
    fn motion_is_coded_in_one_piece_until_it_rests_or_little_moves() {
        let mut layout = Layout::default();
        assert_eq!(steps(&mut layout, FRAME, FRAME, &[100; 30]), [10]);
        assert!(layout.is_whole() && layout.step(true, FRAME * 60) && !layout.is_whole());
        assert_eq!(steps(&mut layout, FRAME * 100, FRAME, &[70; 30]), [10]);
        assert_eq!(steps(&mut layout, FRAME * 130, FRAME, &[10; 100]), [60]);
        assert!(!layout.is_whole() && !layout.step(true, FRAME * 300));
    }

    #[test]
    fn what_moves_now_and_then_changes_nothing() {
        let mut layout = Layout::default();
        let bursts: Vec<u32> = (0..200).map(|frame| if frame % 10 == 9 { 20 } else { 100 }).collect();
        assert_eq!(steps(&mut layout, FRAME, FRAME, &bursts), [0; 0]);
        assert_eq!(steps(&mut layout, FRAME, 200_000_000, &[100; 50]), [0; 0], "a picture now and then");
        assert_eq!(steps(&mut layout, 1 << 40, FRAME, &[100; 30]), [10]);
        let mixed: Vec<u32> = (0..200).map(|frame| if frame % 50 == 0 { 40 } else { 5 }).collect();
        assert_eq!(steps(&mut layout, 1 << 41, FRAME, &mixed), [0; 0], "and neither does a moving part");
    }
}
