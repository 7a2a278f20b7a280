//! What the instances of sound share: formats and blocks.

use selkies_plugin_abi::{self as abi, MAX_AUDIO_BLOCK_SAMPLES, MAX_AUDIO_CHANNELS, MAX_AUDIO_RATE};
use serde::{Deserialize, Serialize};

use crate::services::{foreign_slice, now_ns};
use crate::size::size_field;

/// The form of samples: 32 bit floating point, interleaved in the ascending order of the mask's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// Samples of a channel in a second, 1 to 192000.
    pub rate: u32,
    /// The ABI's `SPEAKER_*` bits, 1 to 8 of them.
    pub channel_mask: u32,
}

/// Samples of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioBlock {
    /// Those of all channels, interleaved; at most 15360.
    pub samples: Vec<f32>,
    /// When the first one was captured or is to be heard, nanoseconds of `CLOCK_MONOTONIC`; 0 when unknown.
    pub timestamp_ns: u64,
    /// Samples are missing before it.
    pub gap: bool,
}

impl AudioFormat {
    /// Mono at this rate.
    #[must_use]
    pub const fn mono(rate: u32) -> Self {
        Self { rate, channel_mask: abi::CHANNELS_MONO }
    }

    /// Stereo at this rate.
    #[must_use]
    pub const fn stereo(rate: u32) -> Self {
        Self { rate, channel_mask: abi::CHANNELS_STEREO }
    }

    /// Channels.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.channel_mask.count_ones()
    }

    pub(super) fn raw(self) -> abi::AudioFormat {
        let Self { rate, channel_mask } = self;
        abi::AudioFormat { sample: abi::AUDIO_SAMPLE_F32, rate, channel_mask, reserved: 0 }
    }

    /// What a plugin says that its device has.
    pub(super) fn native(sample_mask: u32, raw: &abi::AudioFormat) -> Result<Self, &'static str> {
        if sample_mask & (1 << abi::AUDIO_SAMPLE_F32) == 0 {
            return Err("its samples are not floating point");
        }
        let format = Self { rate: raw.rate, channel_mask: raw.channel_mask };
        format.wrong().map_or(Ok(format), Err)
    }

    /// Which rule for formats it breaks.
    pub(super) fn wrong(self) -> Option<&'static str> {
        if !(1..=MAX_AUDIO_RATE).contains(&self.rate) {
            return Some("its rate is not within 1 to 192000 Hz");
        }
        (!(1..=MAX_AUDIO_CHANNELS).contains(&self.channels())).then_some("it has not 1 to 8 channels")
    }
}

/// No format, to be filled.
pub(super) const NO_FORMAT: abi::AudioFormat =
    abi::AudioFormat { sample: 0, rate: 0, channel_mask: 0, reserved: 0 };

impl AudioBlock {
    /// For the length of a call. `frames` is what it has of each channel.
    pub(super) fn raw(&self, channels: u32) -> abi::AudioBlock {
        let frames = self.samples.len() / channels.max(1) as usize;
        abi::AudioBlock {
            struct_size: size_field::<abi::AudioBlock>(),
            flags: if self.gap { abi::AUDIO_BLOCK_GAP } else { 0 },
            samples: self.samples.as_ptr().cast(),
            frames: u32::try_from(frames).unwrap_or(0),
            reserved32: 0,
            timestamp_ns: self.timestamp_ns,
            reserved: [0; 2],
        }
    }

    /// Copies what a plugin read.
    ///
    /// # Safety
    /// The samples that the block names are readable for the call.
    pub(super) unsafe fn read(raw: &abi::AudioBlock, frames: u32, channels: u32) -> Result<Self, String> {
        if raw.struct_size != size_field::<abi::AudioBlock>() {
            return Err(format!("the struct_size is {}", raw.struct_size));
        }
        if raw.frames != frames {
            return Err(format!("the block has {} samples a channel, {frames} were asked for", raw.frames));
        }
        let limit = MAX_AUDIO_BLOCK_SAMPLES as usize;
        let count = frames as usize * channels as usize;
        // SAFETY: the caller's promise; the length was agreed on.
        let samples = unsafe { foreign_slice(raw.samples.cast::<f32>(), count, limit) };
        let samples = samples.ok_or("the samples are NULL or not aligned")?.to_vec();
        let gap = raw.flags & abi::AUDIO_BLOCK_GAP != 0;
        Ok(Self { samples, timestamp_ns: raw.timestamp_ns, gap }.settled())
    }

    /// With a time that is not to come, and samples that are numbers.
    pub(super) fn settled(mut self) -> Self {
        self.timestamp_ns = self.timestamp_ns.min(now_ns());
        for sample in self.samples.iter_mut().filter(|sample| !sample.is_finite()) {
            *sample = 0.0;
        }
        self
    }

    /// Whether a block of this many samples may cross.
    pub(super) fn fits(&self, channels: u32) -> bool {
        let (count, channels) = (self.samples.len(), channels.max(1) as usize);
        count > 0 && count <= MAX_AUDIO_BLOCK_SAMPLES as usize && count.is_multiple_of(channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_limits() {
        assert_eq!(AudioFormat::stereo(48_000).wrong(), None);
        assert_eq!(AudioFormat::stereo(48_000).channels(), 2);
        assert!(AudioFormat::mono(0).wrong().is_some() && AudioFormat::mono(192_001).wrong().is_some());
        for channel_mask in [0, 0x1ff] {
            assert!(AudioFormat { rate: 48_000, channel_mask }.wrong().is_some());
        }
        assert!(AudioFormat::native(0, &AudioFormat::mono(1).raw()).is_err());
    }

    #[test]
    fn what_is_no_number_is_silence_and_no_time_is_to_come() {
        let block = AudioBlock { samples: vec![f32::NAN, 0.5], timestamp_ns: u64::MAX, gap: false }.settled();
        assert_eq!(block.samples, [0.0, 0.5]);
        assert!(block.timestamp_ns <= now_ns());
        assert!(block.fits(2) && !block.fits(3));
    }
}
