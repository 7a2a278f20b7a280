//! Content at rest whose quality a bit rate names: it is coded again, ever finer, until that changes nothing any more.

/// Time between two such pictures, nanoseconds; each has the bits of that time. More often, who watches over a slow path or
/// with a slow page would miss most of them; less often, each would be in the way of what changes next.
pub(crate) const APART_NS: u64 = 33_333_333;
/// Bytes that pictures of one content may take together, per macroblock: as many as it has in 4:2:0 before it is coded.
const MOST: u64 = 384;
/// So many pictures in a row with next to nothing in them say that it is as good as it gets. One says nothing: libx264 lowers
/// its quantiser by 4 at most from one picture to the next, and as long as it is coarser than what is there, all is skipped.
/// So it is after motion that left no bits, and after a rate that was low.
const CALM: u32 = 12;
/// So few do where little changed of what is as good as it gets: there, the quantiser is fine already. A cursor that blinks must
/// not keep everybody busy.
const BRIEF: u32 = 3;

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Polish {
    /// When the next picture is due, nanoseconds.
    pub(crate) at_ns: u64,
    /// Bytes that are left.
    left: u64,
    /// Pictures with next to nothing in them, in a row.
    calm: u32,
}

impl Polish {
    /// Of content of so many macroblocks, which is to rest until then.
    pub(crate) fn begin(at_ns: u64, blocks: u32) -> Self {
        Self { at_ns, left: u64::from(blocks) * MOST, calm: 0 }
    }

    /// The same where little changed of content that had nothing left to do.
    pub(crate) fn briefly(at_ns: u64, blocks: u32) -> Self {
        Self { calm: CALM - BRIEF, ..Self::begin(at_ns, blocks) }
    }

    /// The same, with the next picture at another time.
    pub(crate) fn at(self, at_ns: u64) -> Self {
        Self { at_ns, ..self }
    }

    /// Goes on at that time after a picture in between: one of which little changed, or all.
    pub(crate) fn resume(self, at_ns: u64, little: bool) -> Self {
        Self { at_ns, calm: if little { self.calm.min(CALM - BRIEF) } else { 0 }, ..self }
    }

    /// What follows a picture of so many bytes, of `budget` bits; none when there is nothing left to do.
    pub(crate) fn after(self, bytes: u64, blocks: u32, budget: u64) -> Option<Self> {
        // Where the rate is low, little is all that there may be.
        let is_little = bytes * 8 <= u64::from(blocks).min(budget / 4);
        let calm = if is_little { self.calm + 1 } else { 0 };
        (calm < CALM && bytes < self.left).then(|| Self { left: self.left - bytes, calm, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(sizes: &[u64], budget: u64) -> usize {
        follow_from(Polish::begin(0, 3600), sizes, budget)
    }

    /// How many pictures follow if each has so many bytes, over and over.
    fn follow_from(polish: Polish, sizes: &[u64], budget: u64) -> usize {
        let mut polish = Some(polish);
        let again = sizes.iter().cycle().take(10_000);
        again
            .take_while(|&&bytes| {
                polish = polish.and_then(|polish| polish.after(bytes, 3600, budget));
                polish.is_some()
            })
            .count()
    }

    #[test]
    fn it_ends_when_picture_after_picture_has_next_to_nothing_in_it() {
        assert_eq!(follow(&[40], 300_000), 11);
        assert_eq!(follow_from(Polish::briefly(0, 3600), &[40], 300_000), 2);
        let waits = [[40; 11].as_slice(), &[20_000]].concat();
        assert_eq!(
            follow(&waits, 300_000),
            3600 * 384 / 20_440 * 12 + 11,
            "after a pause there is more to do"
        );
    }

    #[test]
    fn little_is_much_where_the_rate_is_low() {
        assert_eq!(follow(&[400], 300_000), 11);
        assert_eq!(follow(&[400], 3_333), 3600 * 384 / 400 - 1);
    }
}
