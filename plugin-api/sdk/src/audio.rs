//! What the traits of sound share.

use crate::{Error, Result, abi, guard};

/// The form of samples: 32 bit floating point, interleaved in the ascending order of the mask's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// Samples of a channel in a second, 1 to [`abi::MAX_AUDIO_RATE`].
    pub rate: u32,
    /// `SPEAKER_*` bits, 1 to [`abi::MAX_AUDIO_CHANNELS`] of them.
    pub channel_mask: u32,
}

impl AudioFormat {
    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channel_mask.count_ones() as usize
    }

    pub(crate) fn of(raw: &abi::AudioFormat) -> Result<Self> {
        if raw.sample != abi::AUDIO_SAMPLE_F32 {
            return Err(Error::unsupported(format!("sample format {} is not known", raw.sample)));
        }
        let format = Self { rate: raw.rate, channel_mask: raw.channel_mask };
        if !(1..=abi::MAX_AUDIO_RATE).contains(&format.rate)
            || !(1..=abi::MAX_AUDIO_CHANNELS as usize).contains(&format.channels())
        {
            return Err(Error::invalid(format!(
                "{} channels at {} Hz are no format of sound",
                format.channels(),
                format.rate
            )));
        }
        Ok(format)
    }

    pub(crate) fn raw(self) -> abi::AudioFormat {
        let Self { rate, channel_mask } = self;
        abi::AudioFormat { sample: abi::AUDIO_SAMPLE_F32, rate, channel_mask, reserved: 0 }
    }

    /// Refuses blocks that no host asks for; answers the samples of all channels in one.
    pub(crate) fn block(self, frames: u64) -> Result<usize> {
        let samples = frames.saturating_mul(self.channels() as u64);
        match usize::try_from(samples) {
            Ok(samples) if samples > 0 && samples <= abi::MAX_AUDIO_BLOCK_SAMPLES as usize => Ok(samples),
            _ => Err(Error::invalid(format!("a block of {samples} samples"))),
        }
    }
}

/// Samples of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioBlock<'a> {
    /// The samples of all channels, interleaved.
    pub samples: &'a [f32],
    /// When the first one was captured or is to be heard, nanoseconds of `CLOCK_MONOTONIC`; 0 when unknown.
    pub timestamp_ns: u64,
    /// Samples are missing before this block.
    pub gap: bool,
}

impl<'a> AudioBlock<'a> {
    /// # Safety
    /// `raw` is NULL or points to a block of this format that lives for `'a`.
    pub(crate) unsafe fn of(raw: *const abi::AudioBlock, format: AudioFormat) -> Result<Self> {
        // SAFETY: the caller vouches for the pointer.
        let raw = unsafe { guard::sized(raw, "block") }?;
        let count = format.block(u64::from(raw.frames))?;
        let limit = abi::MAX_AUDIO_BLOCK_SAMPLES as usize;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // SAFETY: the caller vouches for the samples.
        let samples = unsafe { guard::array(raw.samples.cast::<f32>(), count, limit, "samples") }?;
        Ok(Self { samples, timestamp_ns: raw.timestamp_ns, gap: raw.flags & abi::AUDIO_BLOCK_GAP != 0 })
    }
}
