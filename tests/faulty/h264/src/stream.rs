//! One stream of H.264.

use openh264::{
    OpenH264API,
    encoder::{
        BitRate, Encoder, EncoderConfig, FrameRate, FrameType, Profile, RateControlMode, UsageType, VuiConfig,
    },
};
use selkies_plugin_sdk::{EncoderParams, Error, Result};

use crate::picture::Source;

/// An encoder and whether it has encoded anything.
pub(crate) struct Stream {
    encoder: Encoder,
    new: bool,
}

fn failed(error: openh264::Error) -> Error {
    Error::fatal(error.to_string())
}

impl Stream {
    /// One of `count` streams that share the bit rate.
    pub(crate) fn begin(params: &EncoderParams, high: bool, count: u32) -> Result<Self> {
        let bits = params.bitrate_kbps.saturating_mul(1000) / count;
        #[allow(clippy::cast_precision_loss)] // a frame rate
        let rate = params.fps_num as f32 / params.fps_den.max(1) as f32;
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(bits.max(100_000)))
            .max_frame_rate(FrameRate::from_hz(rate))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(false)
            .usage_type(UsageType::ScreenContentRealTime)
            .profile(if high { Profile::High } else { Profile::Baseline })
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        Ok(Self { encoder, new: true })
    }

    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// An access unit in Annex B form, and whether it is a keyframe.
    pub(crate) fn encode(&mut self, source: &Source, keyframe: bool) -> Result<(Vec<u8>, bool)> {
        if keyframe {
            self.encoder.force_intra_frame();
        }
        let stream = self.encoder.encode(source).map_err(failed)?;
        self.new = false;
        Ok((stream.to_vec(), stream.frame_type() == FrameType::IDR))
    }
}
