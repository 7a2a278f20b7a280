//! How much of a voice waits to be heard: as little as its uneven arrival lets it. Time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Kept ahead of a voice that comes evenly, besides what came last.
const LEAST: Duration = Duration::from_millis(10);
/// Kept at most.
const MOST: Duration = Duration::from_millis(150);
/// More is kept by so much each time nothing was left in the midst of speech.
const MORE: Duration = Duration::from_millis(10);
/// And less by so much after each calm time.
const LESS: Duration = Duration::from_millis(5);
const CALM: Duration = Duration::from_secs(5);
/// What was over for so long is dropped.
const WINDOW: Duration = Duration::from_secs(1);
/// And only where it is so much: what the server has is known that roughly.
const SLACK: Duration = Duration::from_millis(15);
/// After a longer pause there was silence: pages send none.
const PAUSE: Duration = Duration::from_millis(500);

/// What is to be done with samples that came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Silence that goes before them.
    pub(crate) silence: Duration,
    /// What waits before them is to become shorter by so much.
    pub(crate) drop: Duration,
}

/// What is known of one voice.
#[derive(Debug)]
pub(crate) struct Cushion {
    target: Duration,
    /// The least that waited in this window.
    least: Option<Duration>,
    window: Instant,
    /// Since when nothing ran dry, or the target was changed.
    calm: Instant,
    came: Option<Instant>,
}

impl Cushion {
    pub(crate) fn new(now: Instant) -> Self {
        Self { target: LEAST, least: None, window: now, calm: now, came: None }
    }

    /// Samples came, when so much of those before was still to be heard.
    pub(crate) fn arrived(&mut self, now: Instant, queued: Duration) -> Advice {
        let before = self.came.replace(now);
        if queued.is_zero() {
            let speaks = before.is_some_and(|before| now.saturating_duration_since(before) < PAUSE);
            if speaks {
                self.target = (self.target + MORE).min(MOST);
            }
            (self.least, self.window, self.calm) = (None, now, now);
            return Advice { silence: self.target, drop: Duration::ZERO };
        }
        self.least = Some(self.least.map_or(queued, |least| least.min(queued)));
        if now.saturating_duration_since(self.calm) >= CALM {
            self.target = self.target.saturating_sub(LESS).max(LEAST);
            self.calm = now;
        }
        if now.saturating_duration_since(self.window) < WINDOW {
            return Advice::default();
        }
        self.window = now;
        let over = self.least.take().unwrap_or_default().saturating_sub(self.target);
        Advice { silence: Duration::ZERO, drop: if over > SLACK { over } else { Duration::ZERO } }
    }
}

/// Takes so many whole frames out of the front of what waits; what follows is faded in, so that no click is heard.
pub(crate) fn shorten(samples: &mut VecDeque<f32>, channels: usize, frames: usize, fade: usize) {
    let channels = channels.max(1);
    let held = samples.len() / channels;
    let frames = frames.min(held);
    let fade = fade.min(frames).min(held - frames);
    for frame in 0..fade {
        let share = (frame + 1) as f32 / (fade + 1) as f32;
        for channel in 0..channels {
            let (from, to) = (frame * channels + channel, (frames + frame) * channels + channel);
            samples[to] = samples[from] * (1.0 - share) + samples[to] * share;
        }
    }
    samples.drain(..frames * channels);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const BLOCK: Duration = Duration::from_millis(20);

    /// A listener who hears a voice as time passes.
    struct Voice {
        cushion: Cushion,
        begun: Instant,
        now: Instant,
        queued: Duration,
        /// How often nothing was left.
        dry: u32,
    }

    impl Voice {
        fn new() -> Self {
            let now = Instant::now();
            Self { cushion: Cushion::new(now), begun: now, now, queued: Duration::ZERO, dry: 0 }
        }

        /// Says 20 ms that come so much later than the first.
        fn comes(&mut self, at: Duration) {
            // The network keeps the order.
            let now = self.now.max(self.begun + at);
            self.queued = self.queued.saturating_sub(now - self.now);
            self.now = now;
            let advice = self.cushion.arrived(now, self.queued);
            self.dry += u32::from(!advice.silence.is_zero());
            self.queued = self.queued.saturating_sub(advice.drop) + advice.silence + BLOCK;
        }

        /// Speaks for so many blocks, each late by what `late` says; answers the most that waited after the first half.
        fn speaks(
            &mut self,
            from: Duration,
            blocks: u32,
            late: impl Fn(u32) -> Duration,
        ) -> (Duration, Duration) {
            let mut most = Duration::ZERO;
            for block in 0..blocks {
                self.comes(from + BLOCK * block + late(block));
                if block > blocks / 2 {
                    most = most.max(self.queued);
                }
            }
            (most, from + BLOCK * blocks)
        }
    }

    #[test]
    fn an_even_voice_waits_for_30_ms() {
        let mut voice = Voice::new();
        let (most, _) = voice.speaks(Duration::ZERO, 500, |_| Duration::ZERO);
        assert_eq!((most, voice.dry), (30 * MS, 1), "the first block alone found nothing");
    }

    #[test]
    fn what_a_burst_leaves_is_dropped_within_two_seconds() {
        let mut voice = Voice::new();
        let (_, at) = voice.speaks(Duration::ZERO, 100, |_| Duration::ZERO);
        // The network held 200 ms back, which come at once.
        let burst = at + 200 * MS;
        for _ in 0..10 {
            voice.comes(burst);
        }
        assert!(voice.queued >= 200 * MS, "{:?}", voice.queued);
        let (most, _) = voice.speaks(burst, 200, |_| Duration::ZERO);
        assert!(most <= 60 * MS, "{most:?}");
    }

    #[test]
    fn an_uneven_voice_has_more_and_less_again_when_it_is_calm() {
        let mut voice = Voice::new();
        let jitter = |block: u32| MS * (block * 7 % 11) * 6;
        let (uneven, at) = voice.speaks(Duration::ZERO, 1000, jitter);
        let dry = voice.dry;
        assert!((40 * MS..=200 * MS).contains(&uneven) && dry < 12, "{uneven:?}, {dry} times dry");
        let (_, at) = voice.speaks(at, 1000, jitter);
        assert!(voice.dry <= dry + 8, "it ran dry {} times in the next 20 s", voice.dry - dry);
        let (calm, _) = voice.speaks(at, 6000, |_| Duration::ZERO);
        assert!(calm <= 60 * MS, "{calm:?}");
    }

    #[test]
    fn a_pause_in_speech_is_no_jitter() {
        let mut voice = Voice::new();
        let mut at = Duration::ZERO;
        for _ in 0..20 {
            at = voice.speaks(at, 50, |_| Duration::ZERO).1 + Duration::from_secs(2);
        }
        assert!(voice.queued <= 30 * MS, "{:?}", voice.queued);
    }

    #[test]
    fn what_is_dropped_is_faded_over() {
        // A step would be a click: it becomes a ramp.
        let mut samples: VecDeque<f32> =
            [0.0; 100].into_iter().chain([1.0; 100]).flat_map(|s| [s, -s]).collect();
        shorten(&mut samples, 2, 100, 24);
        assert_eq!(samples.len(), 200);
        let steps = samples.iter().step_by(2).zip(samples.iter().step_by(2).skip(1));
        assert!(steps.clone().all(|(a, b)| (0.0..0.05).contains(&(b - a))) && samples[198] == 1.0);
        assert!(samples.iter().skip(1).step_by(2).zip(samples.iter().step_by(2)).all(|(b, a)| *a == -*b));
        shorten(&mut samples, 2, 1000, 24);
        assert!(samples.is_empty());
    }
}
