//! How far content was scrolled between two frames.

use std::ops::Range;

use crate::{blocks::Area, picture::Picture};

/// Pixels of the vertical strips of the frame whose rows are compared, and how many there are.
const STRIP: usize = 32;
const STRIPS: usize = 6;
/// A change of fewer rows is not looked at: the encoder's own search is wide enough for what fits in there.
const LEAST_ROWS: u32 = 128;
/// Edges that are looked for per strip.
const PROBES: usize = 24;
/// Edges that must have moved equally far, and the share of those looked for, one in so many.
const LEAST_VOTES: usize = 8;
const SHARE: usize = 4;

/// The rows of the newest frame, as a number for the pixels of each strip.
#[derive(Debug)]
pub(crate) struct Scroll {
    rows: [Vec<u64>; STRIPS],
    before: Vec<u64>,
}

impl Scroll {
    /// For frames of `height` rows.
    pub(crate) fn new(height: u32) -> Self {
        Self { rows: std::array::from_fn(|_| vec![0; height as usize]), before: vec![0; height as usize] }
    }

    /// Takes the next frame, of which `damage` changed or, with `None`, everything. Answers by how many rows its content
    /// moved up or down, if it did.
    pub(crate) fn note(&mut self, picture: &Picture<'_>, damage: Option<&[Area]>) -> Option<u32> {
        let (width, height) = picture.size();
        let changed = damage.map_or(0..height, |areas| hull(areas, height));
        if changed.is_empty() || (width as usize) < STRIP * STRIPS || height as usize != self.before.len() {
            return None;
        }
        let look = changed.end - changed.start >= LEAST_ROWS;
        let mut votes: Vec<(i64, usize)> = Vec::new();
        let mut probes = 0;
        for strip in 0..STRIPS {
            let x = (width as usize * (2 * strip + 1) / (2 * STRIPS)).saturating_sub(STRIP / 2);
            self.before.copy_from_slice(&self.rows[strip]);
            for y in changed.clone() {
                self.rows[strip][y as usize] = sum(&picture.row(y)[x * 4..(x + STRIP) * 4]);
            }
            if look {
                probes += self.probe(strip, &changed, &mut votes);
            }
        }
        let (distance, count) = votes.into_iter().max_by_key(|&(_, count)| count)?;
        let found = count >= LEAST_VOTES && count * SHARE >= probes;
        found.then(|| u32::try_from(distance.unsigned_abs()).unwrap_or(u32::MAX))
    }

    /// Looks for edges of a strip where they were before, and counts how far they moved. Answers how many it looked for.
    fn probe(&self, strip: usize, changed: &Range<u32>, votes: &mut Vec<(i64, usize)>) -> usize {
        let (rows, before) = (&self.rows[strip], &self.before);
        let (start, end) = (changed.start as usize, changed.end as usize);
        // An edge between two rows that was not there says something …
        let telling =
            |&y: &usize| rows[y] != rows[y - 1] && (rows[y] != before[y] || rows[y - 1] != before[y - 1]);
        let step = ((end - start) / (PROBES * 4)).max(1);
        let mut probes = 0;
        for y in (start.max(1)..end).step_by(step).filter(telling).take(PROBES) {
            // … where only one was like it.
            let edges = before.windows(2).zip(1..).filter(|(edge, _)| *edge == &rows[y - 1..=y]);
            let mut places = edges.map(|(_, place)| place);
            let place = places.next().filter(|_| places.next().is_none());
            probes += 1;
            let Some(place) = place else { continue };
            let distance = y as i64 - i64::from(place);
            match votes.iter_mut().find(|vote| vote.0 == distance) {
                Some(vote) => vote.1 += 1,
                None => votes.push((distance, 1)),
            }
        }
        probes
    }
}

/// The rows between the first and the last that changed.
fn hull(areas: &[Area], height: u32) -> Range<u32> {
    let areas = || areas.iter().filter(|area| area.width > 0 && area.height > 0);
    let start = areas().map(|area| area.y).min().unwrap_or(0).min(height);
    let end = areas().map(|area| area.y.saturating_add(area.height)).max().unwrap_or(0).min(height);
    start..end.max(start)
}

/// A number that hardly ever is the same for other pixels.
fn sum(pixels: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, _) = pixels.as_chunks::<8>();
    let mut lanes = [ODD, !ODD];
    for pair in words.chunks_exact(2) {
        for (lane, word) in lanes.iter_mut().zip(pair) {
            *lane = (*lane ^ u64::from_le_bytes(*word)).wrapping_mul(ODD).rotate_left(29);
        }
    }
    lanes[0] ^ lanes[1].rotate_left(17)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: u32 = 480;
    const HEIGHT: u32 = 400;

    /// A page of rows that are all different but for every fifth, scrolled by `offset` within `rows`.
    fn page(offset: u32, rows: Range<u32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for y in 0..HEIGHT {
            let line = if rows.contains(&y) { y + offset + 1000 } else { y };
            for x in 0..WIDTH {
                let seed = line.wrapping_mul(2_654_435_761).wrapping_add(x / 4 * 40_503);
                let shade = if line % 5 == 0 { 200 } else { (seed >> 13) as u8 };
                bytes.extend([shade, shade, shade, 0]);
            }
        }
        bytes
    }

    fn note(scroll: &mut Scroll, bytes: &[u8], damage: Option<&[Area]>) -> Option<u32> {
        scroll.note(&Picture::new(bytes, WIDTH as usize * 4, WIDTH, HEIGHT).unwrap(), damage)
    }

    #[test]
    fn the_distance_is_found_in_both_directions_and_within_a_window() {
        let mut scroll = Scroll::new(HEIGHT);
        note(&mut scroll, &page(0, 0..HEIGHT), None);
        assert_eq!(note(&mut scroll, &page(37, 0..HEIGHT), None), Some(37));
        assert_eq!(note(&mut scroll, &page(20, 0..HEIGHT), None), Some(17));
        let window = [Area { x: 0, y: 100, width: WIDTH, height: 200 }];
        note(&mut scroll, &page(0, 100..300), None);
        assert_eq!(note(&mut scroll, &page(61, 100..300), Some(&window)), Some(61));
    }

    #[test]
    fn what_does_not_scroll_has_no_distance() {
        let mut scroll = Scroll::new(HEIGHT);
        let first = page(0, 0..HEIGHT);
        assert_eq!(note(&mut scroll, &first, None), None, "nothing was there");
        assert_eq!(note(&mut scroll, &first, None), None, "nothing moved");
        let other: Vec<u8> = first.iter().map(|value| value ^ 0x5a).collect();
        assert_eq!(note(&mut scroll, &other, None), None, "all of it is new");
        let line = [Area { x: 0, y: 10, width: 50, height: 20 }];
        assert_eq!(note(&mut scroll, &page(3, 10..30), Some(&line)), None, "too little of it");
        assert_eq!(note(&mut scroll, &vec![9; first.len()], None), None, "all rows are the same");
        let outside = [Area { x: 0, y: u32::MAX, width: 9, height: u32::MAX }];
        assert_eq!(note(&mut scroll, &first, Some(&outside)), None);
        assert_eq!(note(&mut scroll, &first, Some(&[])), None);
    }
}
