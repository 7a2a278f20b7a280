//! What the configuration says about sound.

use crate::config::Config;

/// What is captured when the operator names no other: the monitor of a sink that deployments of Selkies make.
const USUAL_DEVICE: &str = "output.monitor";

/// How the sound of the desktop is captured and encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundSettings {
    /// Names of sources, the first that is there; empty for what the desktop plays.
    pub devices: Vec<String>,
    /// 1, 2, 6 (5.1) or 8 (7.1).
    pub channels: u32,
    /// What a packet plays, microseconds.
    pub duration_us: u32,
    /// Bit/s of all channels together.
    pub bitrate: u32,
}

impl Config {
    /// Sound goes from the host to pages.
    #[must_use]
    pub fn audio_enabled(&self) -> bool {
        self.bool("audio_enabled")
    }

    /// Pages may be heard by applications of the desktop.
    #[must_use]
    pub fn microphone_enabled(&self) -> bool {
        self.bool("microphone_enabled")
    }

    /// How sound is captured and encoded.
    #[must_use]
    pub fn sound(&self) -> SoundSettings {
        let device = self.text("audio_device_name").trim();
        let mut devices = vec![device.to_owned()];
        if device == USUAL_DEVICE {
            // The desktop need not have a sink of that name.
            devices.push(String::new());
        }
        let number = |name: &str, usual: u32| self.choice(name).parse().unwrap_or(usual);
        let milliseconds: f64 = self.choice("audio_frame_duration_ms").parse().unwrap_or(10.0);
        SoundSettings {
            devices,
            channels: number("audio_channels", 2),
            // The cast saturates.
            duration_us: (milliseconds * 1000.0).round() as u32,
            bitrate: number("audio_bitrate", 128_000),
        }
    }
}
