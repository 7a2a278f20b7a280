//! One frame: taken, encoded, handed out, or survived.

use std::time::{Duration, Instant};

use selkies_plugin_host::{Damage, PluginError, RunningCapture, SubmitOptions, VideoFrame, now_ns};
use selkies_session::latency::Stage;

use crate::{
    buffers::Buffers,
    encoding::{EncodeError, Encoding},
    overlay::Overlay,
    video::{Ended, Video},
};

/// Pause when the encoder has every buffer.
const BUFFER_PAUSE: Duration = Duration::from_millis(2);

/// Why the thread wants to encode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Damage,
    Refine,
    /// Somebody missed the newest frames of what rests.
    Anchor,
    Keyframe,
    /// The picture is to have another quality.
    Quality,
}

/// One run of a capture.
pub(crate) struct Run {
    pub(crate) capture: RunningCapture,
    pub(crate) buffers: Buffers,
    /// The newest frame, for refinement. Dropped before its buffer is written again.
    pub(crate) last: Option<VideoFrame>,
    pub(crate) refine_at: Option<Instant>,
    pub(crate) reason: Option<Reason>,
    /// Since when there is damage that is not grabbed.
    pub(crate) damaged_at: Option<Instant>,
    /// The next frame must stand alone.
    pub(crate) keyframe: bool,
    /// The next frame counts as changed all over.
    pub(crate) whole: bool,
    /// Draws the pointer and the watermark.
    pub(crate) overlay: Option<Overlay>,
}

impl Run {
    /// Something changed that is to be shown.
    pub(crate) fn damaged(&mut self) {
        self.reason = Some(Reason::Damage);
        self.damaged_at.get_or_insert_with(Instant::now);
    }

    /// Takes a picture; `None` when every buffer is still in use.
    fn grab(&mut self) -> Result<Option<VideoFrame>, PluginError> {
        let Some((index, refresh)) = self.buffers.free() else { return Ok(None) };
        if let Some(overlay) = &mut self.overlay {
            overlay.lift(index);
        }
        let frame = self.capture.grab(index, refresh)?;
        self.buffers.written(index, frame.damage());
        Ok(Some(match &mut self.overlay {
            Some(overlay) => overlay.draw(index, frame),
            None => frame,
        }))
    }
}

impl Video {
    /// Takes and encodes one frame. Answers why the run ends with it, if it does.
    pub(crate) fn shoot(
        &mut self,
        run: &mut Run,
        encoding: &mut Encoding,
    ) -> Result<Option<Ended>, PluginError> {
        let began = Instant::now();
        let rests = !run.keyframe && !run.whole;
        let repeats = matches!(run.reason, Some(Reason::Refine | Reason::Anchor)) && run.last.is_some();
        let (grabs, helps) = (!repeats || !rests, run.reason == Some(Reason::Anchor));
        self.stream.encode_started();
        if grabs {
            run.last = None;
            match run.grab() {
                Ok(frame) => run.last = frame,
                Err(error) => {
                    self.stream.encode_finished(Vec::new(), false);
                    return Err(error);
                }
            }
        }
        let grabbed = Instant::now();
        self.figures.grabbed(nanos(began, grabbed));
        run.reason = None;
        let Some(frame) = &run.last else {
            // Every buffer is with the encoder.
            self.stream.encode_finished(Vec::new(), false);
            run.damaged();
            self.orders.rest(BUFFER_PAUSE);
            return Ok(None);
        };
        // Damage may turn out to be none, and then must not cost what rests its better quality.
        let refine = rests && (!grabs || frame.damage().is_empty());
        let damaged_at = if grabs { run.damaged_at.take() } else { None };
        if refine && !helps && run.refine_at.is_none_or(|at| at > began) {
            self.stream.encode_finished(Vec::new(), true);
            return Ok(None);
        }
        // Who does not refine by itself is to take what rests for news.
        let polish = refine && encoding.polishes();
        let frame = match refine {
            true if polish => frame.clone().with_damage(Damage::Full),
            true => frame.clone().with_damage(Damage::Rects(Vec::new())),
            false if run.whole => frame.clone().with_damage(Damage::Full),
            false => frame.clone(),
        };
        self.turns.take(Instant::now(), self.settings.framerate);
        if let Err(error) = encoding.steer(grabbed, self.stream.lead_wait(), self.stream.lead_estimate()) {
            self.stream.encode_finished(Vec::new(), false);
            return Ok(self.survive(&EncodeError::Plugin(error), run, encoding));
        }
        self.figures.limits(encoding.bitrate());
        self.figures.looks(encoding.quality());
        self.frame_id += 1;
        let known_frame_id = if run.keyframe { None } else { self.stream.known_frame(self.frame_id - 1) };
        let options = SubmitOptions {
            keyframe: run.keyframe,
            // For those who missed something, content at rest is coded like any other.
            refine: refine && !polish && known_frame_id.is_none(),
            known_frame_id,
            ..SubmitOptions::default()
        };
        match encoding.encode(&frame, self.frame_id, &options) {
            Ok(encoded) => {
                (run.keyframe, run.whole) = (false, false);
                (self.changes, self.failures, self.filmed) = (0, 0, true);
                self.fallback.worked(encoding.chosen());
                self.stand_by(run, encoding);
                let recovered = std::mem::take(&mut self.failing);
                let bytes = encoded.packets.iter().map(|packet| packet.data.payload().len() as u64).sum();
                let done = Instant::now();
                self.figures.encoded(nanos(grabbed, done), encoded.packets.len() as u64, bytes, refine);
                let convert = encoded.convert_ns.map(Duration::from_nanos);
                let damage = damaged_at.map(|at| began.saturating_duration_since(at));
                self.measure(done, damage, grabs.then_some(grabbed - began), convert, done - grabbed);
                if encoded.packets.iter().any(|packet| packet.info.is_key()) {
                    self.figures.keyed();
                }
                let after = encoded.refine_at_ns.map(|at| Duration::from_nanos(at.saturating_sub(now_ns())));
                run.refine_at =
                    after.or_else(|| encoding.polish(refine, bytes)).map(|after| Instant::now() + after);
                self.stream.encode_finished(encoded.packets, true);
                if recovered {
                    self.observer.video_recovered();
                }
                Ok(None)
            }
            Err(error) => {
                self.stream.encode_finished(Vec::new(), false);
                // Its buffer is free again, unless the encoder keeps it.
                drop(frame);
                Ok(self.survive(&error, run, encoding))
            }
        }
    }

    /// Notes how long the stages of a frame took that were done just now; `encode` has the conversion in it.
    fn measure(
        &mut self,
        done: Instant,
        damage: Option<Duration>,
        grab: Option<Duration>,
        convert: Option<Duration>,
        encode: Duration,
    ) {
        let (convert, encode) = split(convert, encode);
        let stages = [
            (Stage::Damage, damage),
            (Stage::Grab, grab),
            (Stage::Convert, convert),
            (Stage::Encode, Some(encode)),
        ];
        for (stage, time) in stages {
            if let Some(time) = time {
                self.stages.record(stage, done, time);
            }
        }
    }
}

/// Takes the conversion out of the time of a frame in the encoder; what a plugin says is no longer than what was seen.
fn split(convert: Option<Duration>, encode: Duration) -> (Option<Duration>, Duration) {
    let convert = convert.map(|convert| convert.min(encode));
    (convert, encode.saturating_sub(convert.unwrap_or_default()))
}

fn nanos(from: Instant, to: Instant) -> u64 {
    to.saturating_duration_since(from).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_and_encoding_are_together_what_was_seen() {
        let ms = Duration::from_millis;
        assert_eq!(split(None, ms(9)), (None, ms(9)));
        assert_eq!(split(Some(ms(2)), ms(9)), (Some(ms(2)), ms(7)));
        assert_eq!(split(Some(ms(10_000)), ms(9)), (Some(ms(9)), ms(0)));
    }
}
