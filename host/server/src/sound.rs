//! The media threads' sound and microphone, as the hub has them.

use std::sync::{Arc, Weak};

use selkies_media::{Microphone, Sound, SoundPacket, SoundSink, SoundState};
use selkies_plugin_host::Plugin;
use selkies_session::sound::OpusPacket;

use crate::hub::{Hub, SoundSource, SpeechSink};

impl SoundSource for Sound {
    fn set_wanted(&self, wanted: bool) {
        Self::set_wanted(self, wanted);
    }

    fn set_bitrate(&self, bits_per_second: u32) {
        Self::set_bitrate(self, bits_per_second);
    }

    fn admit(&self, plugin: &str) {
        Self::admit(self, plugin);
    }

    fn renew(&self, plugin: &Plugin) -> usize {
        Self::renew(self, plugin)
    }
}

impl SpeechSink for Microphone {
    fn write(&self, samples: &[i16]) {
        Self::write(self, samples);
    }

    fn admit(&self, plugin: &str) {
        Self::admit(self, plugin);
    }

    fn renew(&self, plugin: &Plugin) -> usize {
        Self::renew(self, plugin)
    }
}

/// Gives the media threads' sound to a hub.
#[derive(Debug)]
pub struct HubEar {
    // The hub owns the thread, which owns this.
    hub: Weak<Hub>,
}

impl HubEar {
    /// The ear of a hub.
    #[must_use]
    pub fn new(hub: &Arc<Hub>) -> Self {
        Self { hub: Arc::downgrade(hub) }
    }
}

impl SoundSink for HubEar {
    fn packet(&self, packet: &SoundPacket) {
        if let Some(hub) = self.hub.upgrade() {
            let SoundPacket { data, duration_us, timestamp_ns, silent } = packet;
            let packet = OpusPacket { data, timestamp_ns: *timestamp_ns, silent: *silent };
            hub.sound_packet(packet, *duration_us);
        }
    }

    fn state(&self, state: &SoundState) {
        let missing = match state {
            // Nobody listens, so nobody misses anything.
            SoundState::Off => return,
            SoundState::Waiting(reason) => Some(reason.clone()),
            SoundState::Running(_) => None,
        };
        if let Some(hub) = self.hub.upgrade() {
            hub.sound_changed(missing);
        }
    }
}
