//! Which pictures libx264 still remembers, for those who missed the newest ones.

use std::collections::VecDeque;

/// Most pictures. Decoders must keep as many, and each costs the encoder its size.
const MOST: u32 = 8;
/// Macroblocks that decoders of level 5.1 keep (H.264 table A-1, MaxDpbMbs).
const DECODER_BLOCKS: u32 = 184_320;

/// How many pictures of so many macroblocks to remember.
pub(crate) fn depth(blocks: u32) -> u32 {
    (DECODER_BLOCKS / blocks.max(1)).clamp(1, MOST)
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    frame_id: u64,
    /// Its number in libx264's stream.
    number: i64,
    /// libx264 may predict from it.
    usable: bool,
}

/// Where the next picture is predicted from, if not from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rewind {
    /// The frame of that picture.
    pub(crate) frame_id: u64,
    /// The number of the first picture that is to be forgotten.
    pub(crate) forget: i64,
}

/// The pictures of one stream.
#[derive(Debug)]
pub(crate) struct Memory {
    depth: usize,
    pictures: VecDeque<Remembered>,
    /// The number of the next picture …
    next: i64,
    /// … and of the newest key frame.
    key: i64,
}

impl Memory {
    pub(crate) fn new(depth: u32) -> Self {
        Self { depth: depth as usize, pictures: VecDeque::new(), next: 0, key: 0 }
    }

    /// The frame of the newest picture.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.pictures.back().map(|picture| picture.frame_id)
    }

    /// What leads back to the frame `known` or an older one. `None` when the newest picture is as old, or when none is left
    /// that is. Nor when the numbers of pictures, of which there are `numbers`, begin anew in between: decoders that lack
    /// the pictures there would not notice.
    pub(crate) fn rewind(&mut self, known: u64, numbers: u64) -> Option<Rewind> {
        let newest = self.pictures.back()?;
        let base = *self.pictures.iter().rfind(|picture| picture.usable && picture.frame_id <= known)?;
        let round = |number: i64| u64::try_from(number - self.key).unwrap_or_default() / numbers.max(1);
        if base.number == newest.number || round(base.number) != round(self.next) {
            return None;
        }
        for picture in self.pictures.iter_mut().filter(|picture| picture.number > base.number) {
            picture.usable = false;
        }
        Some(Rewind { frame_id: base.frame_id, forget: base.number + 1 })
    }

    /// The next picture is coded, whatever comes of it.
    pub(crate) fn begin(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    /// The picture with this number is a part of this frame; a `key` one makes the others useless. Answers how many there
    /// were since the newest key frame.
    pub(crate) fn coded(&mut self, number: i64, frame_id: u64, key: bool) -> u64 {
        if key {
            self.pictures.clear();
            self.key = number;
        }
        if self.pictures.len() >= self.depth {
            self.pictures.pop_front();
        }
        self.pictures.push_back(Remembered { frame_id, number, usable: true });
        u64::try_from(number - self.key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_usable_picture_that_is_known_is_found() {
        let mut memory = Memory::new(4);
        assert_eq!(memory.rewind(9, 4096), None);
        for frame_id in [10, 12, 13, 17, 18] {
            let number = memory.begin();
            memory.coded(number, frame_id, frame_id == 10);
        }
        assert_eq!(memory.rewind(18, 4096), None, "it is the one before");
        assert_eq!(memory.rewind(11, 4096), None, "forgotten long ago");
        assert_eq!(memory.rewind(16, 4096), Some(Rewind { frame_id: 13, forget: 3 }));
        assert_eq!(memory.rewind(18, 4096), Some(Rewind { frame_id: 13, forget: 3 }), "17 and 18 are gone");
        let number = memory.begin();
        memory.coded(number, 19, false);
        assert_eq!(memory.rewind(18, 4096), Some(Rewind { frame_id: 13, forget: 3 }));
        let number = memory.begin();
        memory.coded(number, 20, true);
        assert_eq!(memory.rewind(19, 4096), None, "nothing before a key frame");
        for frame_id in 21..=24 {
            let number = memory.begin();
            memory.coded(number, frame_id, false);
        }
        assert_eq!(memory.rewind(22, 5), None, "the next picture has the key frame's number again");
        assert_eq!(memory.rewind(22, 6), Some(Rewind { frame_id: 22, forget: 9 }));
    }

    #[test]
    fn large_pictures_are_few() {
        assert_eq!([depth(8160), depth(32_400), depth(139_264), depth(0)], [8, 5, 1, 8]);
    }
}
