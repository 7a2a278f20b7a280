//! Sound of the desktop: one thread captures and encodes, while somebody listens.

mod desk;
mod quiet;
mod run;

use std::{
    sync::Arc,
    thread::{Builder, JoinHandle},
};

use selkies_config::SoundSettings;
use selkies_plugin_abi::{CHANNELS_5_1, CHANNELS_7_1, CHANNELS_MONO, CHANNELS_STEREO, ids};
use selkies_plugin_host::{HostServices, Plugin};
use tracing::warn;

use crate::{Backend, Observer, gate::Gate, slot::Slot};

use desk::Desk;
use run::Recorder;

/// The rate at which sound is captured and encoded, Hz.
pub const SOUND_RATE: u32 = 48_000;

/// One encoded packet of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundPacket {
    /// Its bytes: of Opus, one packet.
    pub data: Arc<[u8]>,
    /// What it plays, microseconds.
    pub duration_us: u32,
    /// When the first sample that went into it was captured, nanoseconds of `CLOCK_MONOTONIC`.
    pub timestamp_ns: u64,
    /// There was nothing but silence for a second. One such packet comes; what follows it is sound again.
    pub silent: bool,
}

/// What listeners must know of a stream of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundStream {
    /// One of the ABI's `CODEC_*`.
    pub codec: u32,
    /// Samples of a channel in a second.
    pub rate: u32,
    /// Channels, in the order that the codec has.
    pub channels: u32,
    /// What each packet plays, microseconds.
    pub duration_us: u32,
    /// Samples of each channel that a decoder gives before the first that went in.
    pub lookahead_frames: u32,
    /// The codec's own description; of Opus, the identification header of RFC 7845.
    pub description: Arc<[u8]>,
}

/// How the sound is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundState {
    /// Nobody listens: nothing is captured.
    Off,
    /// There is none, for this reason; it is tried again and again.
    Waiting(String),
    /// Packets come.
    Running(SoundStream),
}

/// Who gets the sound. Called on the thread `sound`; must not block.
pub trait SoundSink: Send + Sync {
    /// A packet. The first one after [`SoundState::Running`] begins a stream.
    fn packet(&self, packet: &SoundPacket);
    /// The state is another one.
    fn state(&self, state: &SoundState);
}

/// What sound is made of.
pub struct SoundParts {
    /// The plugin that captures it.
    pub capture: Backend,
    /// The plugin that encodes it, and the name of what it offers; empty for the first that fits.
    pub encoder: Backend,
    /// The host's side of both.
    pub services: HostServices,
    /// How it is captured and encoded.
    pub settings: SoundSettings,
    /// Who gets it.
    pub sink: Arc<dyn SoundSink>,
    /// Who hears of faults of the plugins.
    pub observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for SoundParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoundParts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why there is no sound at all.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// A plugin was given a part that it does not play.
    #[error("MD020 {0}")]
    WrongPart(String),
    /// The system gives no more threads.
    #[error("MD021 a thread for sound could not be started: {0}. Raise the limits of the host")]
    Thread(std::io::Error),
}

/// The running thread. Dropping it ends it.
pub struct Sound {
    desk: Arc<Desk>,
    gate: Arc<Gate>,
    slots: [Arc<Slot>; 2],
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Sound {
    /// Starts the thread, which rests until somebody listens.
    ///
    /// # Errors
    /// [`SoundError`]; nothing runs then.
    pub fn start(parts: SoundParts) -> Result<Self, SoundError> {
        for (backend, table) in
            [(&parts.capture, ids::AUDIO_CAPTURE_V1), (&parts.encoder, ids::AUDIO_ENCODER_V1)]
        {
            if !backend.plugin.offers(table) {
                return Err(SoundError::WrongPart(backend.lacks(table)));
            }
        }
        let desk = Arc::new(Desk::new(parts.settings.bitrate));
        let gate = Arc::new(Gate::new(parts.observer));
        let slots = [Arc::new(Slot::new(parts.capture)), Arc::new(Slot::new(parts.encoder))];
        let recorder = Recorder {
            desk: desk.clone(),
            gate: gate.clone(),
            slots: slots.clone(),
            services: parts.services,
            settings: parts.settings,
            sink: parts.sink,
        };
        let thread = Builder::new().name("sound".into()).spawn(move || recorder.run());
        Ok(Self { desk, gate, slots, thread: Some(thread.map_err(SoundError::Thread)?) })
    }

    /// Whether somebody listens. While nobody does, the sound server is left alone. Any thread; does not block.
    pub fn set_wanted(&self, wanted: bool) {
        self.desk.set_wanted(wanted);
    }

    /// The bit rate of all channels together, bit/s, from the next packet on. Any thread; does not block.
    pub fn set_bitrate(&self, bitrate: u32) {
        self.desk.set_bitrate(bitrate);
    }

    /// How it is. Any thread.
    #[must_use]
    pub fn state(&self) -> SoundState {
        self.desk.state()
    }

    /// Lets a plugin be used again that a fault barred.
    pub fn admit(&self, plugin: &str) {
        if self.gate.admit(plugin) {
            self.rouse(|slot| slot.admit(plugin));
        }
    }

    /// Takes a new version of a plugin into use. Answers in how many places that is.
    pub fn renew(&self, plugin: &Plugin) -> usize {
        self.gate.admit(plugin.id());
        self.rouse(|slot| slot.renew(plugin))
    }

    fn rouse(&self, change: impl Fn(&Slot) -> bool) -> usize {
        let changed = self.slots.iter().filter(|slot| change(slot)).count();
        if changed > 0 {
            self.desk.look();
        }
        changed
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        self.desk.stop();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            warn!("the thread of the sound ended by a panic");
        }
    }
}

/// The ABI's mask of the usual speakers for this many channels; stereo for what has none.
fn speakers(channels: u32) -> u32 {
    match channels {
        1 => CHANNELS_MONO,
        6 => CHANNELS_5_1,
        8 => CHANNELS_7_1,
        _ => CHANNELS_STEREO,
    }
}
