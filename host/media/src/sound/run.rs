//! The thread `sound`: capture, silence, encoder, one after the other.

use std::{sync::Arc, time::Duration};

use selkies_config::SoundSettings;
use selkies_plugin_host::{
    AudioCaptureInstance, AudioCaptureRequest, AudioEncoderInstance, AudioEncoderOffer, AudioEncoderSettings,
    AudioFormat, FaultClass, FaultDetail, HostServices, PluginError, probe_audio_encoder,
};
use selkies_session::fallback::BackOff;
use tracing::{debug, info, warn};

use super::{
    SOUND_RATE, SoundPacket, SoundSink, SoundState, SoundStream,
    desk::Desk,
    quiet::{Passage, Quiet},
    speakers,
};
use crate::{Backend, gate::Gate, slot::Slot};

/// Pauses before a lost source is opened again: sound is back within three seconds of its server.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the thread has.
pub(super) struct Recorder {
    pub(super) desk: Arc<Desk>,
    pub(super) gate: Arc<Gate>,
    /// Of the capture and of the encoder.
    pub(super) slots: [Arc<Slot>; 2],
    pub(super) services: HostServices,
    pub(super) settings: SoundSettings,
    pub(super) sink: Arc<dyn SoundSink>,
}

/// What keeps sound from being heard.
enum Failure {
    /// A plugin failed: which of the two, and how.
    Plugin(usize, Backend, PluginError),
    /// Nothing fits.
    Other(String),
}

const PARTS: [&str; 2] = ["audio-capture", "audio-encoder"];

impl Recorder {
    pub(super) fn run(self) {
        let mut pauses = BackOff::new(FIRST_PAUSE, LONGEST_PAUSE);
        // The reason that was logged.
        let mut said: Option<String> = None;
        // It began anew, and nothing was heard since.
        let mut again = false;
        while !self.desk.stopped() {
            if !self.desk.wanted() {
                self.tell(SoundState::Off);
                self.desk.await_wanted();
                continue;
            }
            self.desk.looked();
            let failure = match self.listen(&mut pauses, &mut said, &mut again) {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            self.desk.wakes(None);
            let reason = match failure {
                // The desktop plays elsewhere now, or otherwise: no fault, and no word to anybody.
                Failure::Plugin(_, _, error) if error.class == FaultClass::Reconfigure && !again => {
                    debug!(%error, "the sound begins anew");
                    again = true;
                    continue;
                }
                // A machine without a sound server, or one that restarts, is no plugin's fault.
                Failure::Plugin(_, _, error) if error.class == FaultClass::DeviceLost => error.to_string(),
                Failure::Plugin(which, backend, error) => {
                    self.gate.report_from(&self.slots[which], &error, PARTS[which], &backend);
                    error.to_string()
                }
                Failure::Other(reason) => reason,
            };
            // One line for each reason, however often it is met.
            if said.as_ref() != Some(&reason) {
                warn!("no sound: {reason}");
                said = Some(reason.clone());
            }
            self.tell(SoundState::Waiting(reason));
            self.desk.rest(pauses.failed());
        }
        self.tell(SoundState::Off);
    }

    fn tell(&self, state: SoundState) {
        if self.desk.note(&state) {
            self.sink.state(&state);
        }
    }

    /// Captures and encodes until nobody listens, a plugin changes or something fails.
    fn listen(
        &self,
        pauses: &mut BackOff,
        said: &mut Option<String>,
        again: &mut bool,
    ) -> Result<(), Failure> {
        let backends = [self.slots[0].get(), self.slots[1].get()];
        if let Some(barred) = backends.iter().find(|backend| self.gate.bars(backend.plugin.id())) {
            return Err(Failure::Other(format!("plugin {} is in quarantine", barred.plugin.id())));
        }
        let failed = |which: usize| {
            let backend = backends[which].clone();
            move |error| Failure::Plugin(which, backend, error)
        };
        let mut bitrate = self.desk.bitrate();
        let mut encoder = self.encoder(&backends[1], bitrate)?;
        let info = encoder.instance.info().map_err(failed(1))?;
        let mut capture = self.capture(&backends[0], encoder.format).map_err(failed(0))?;
        self.desk.wakes(Some(capture.waker()));
        let duration_us = self.settings.duration_us;
        let stream = SoundStream {
            codec: encoder.offer.codec,
            rate: SOUND_RATE,
            channels: encoder.format.channels(),
            duration_us,
            lookahead_frames: info.lookahead_frames,
            description: info.description.into(),
        };
        let mut quiet = Quiet::default();
        while self.desk.wanted() && !self.desk.looked() {
            let Some(block) = capture.read(None).map_err(failed(0))? else { continue };
            // The first block shows that there is sound; only then is it over with the pauses.
            pauses.worked();
            *again = false;
            if said.take().is_some() {
                info!("there is sound again");
            }
            self.tell(SoundState::Running(stream.clone()));
            let passage = quiet.judge(&block.samples, duration_us);
            if passage == Passage::Nothing {
                continue;
            }
            let wanted = self.desk.bitrate();
            if std::mem::replace(&mut bitrate, wanted) != wanted {
                self.adjust(&mut encoder, wanted).map_err(failed(1))?;
            }
            match encoder.instance.encode(&block) {
                Ok(Some(packet)) if !packet.dtx || passage == Passage::Last => {
                    self.sink.packet(&SoundPacket {
                        data: packet.data.into(),
                        duration_us,
                        timestamp_ns: packet.timestamp_ns,
                        silent: passage == Passage::Last,
                    });
                }
                Ok(_) => {}
                Err(error) if error.class == FaultClass::Retry => debug!(%error, "a block was not encoded"),
                Err(error) => return Err(failed(1)(error)),
            }
        }
        self.desk.wakes(None);
        Ok(())
    }

    /// Samples of each channel in a packet.
    fn block_frames(&self) -> u32 {
        let frames = u64::from(SOUND_RATE) * u64::from(self.settings.duration_us) / 1_000_000;
        u32::try_from(frames).unwrap_or(u32::MAX)
    }

    /// Opens the first of the devices that is there.
    fn capture(&self, backend: &Backend, format: AudioFormat) -> Result<AudioCaptureInstance, PluginError> {
        let mut capture = AudioCaptureInstance::create(&backend.origin(&self.services))?;
        let block_frames = self.block_frames();
        let mut devices = self.settings.devices.iter();
        let mut device = devices.next().cloned().unwrap_or_default();
        loop {
            let request = AudioCaptureRequest { format, block_frames, device };
            let error = match capture.start(&request) {
                Ok(()) => return Ok(capture),
                Err(error) => error,
            };
            match devices.next() {
                Some(next) if error.detail == FaultDetail::NotFound => {
                    debug!(device = request.device, "there is no such source of sound");
                    device = next.clone();
                    if error.is_final() {
                        capture = AudioCaptureInstance::create(&backend.origin(&self.services))?;
                    }
                }
                _ => return Err(error),
            }
        }
    }

    fn encoder(&self, backend: &Backend, bitrate: u32) -> Result<Encoder, Failure> {
        let origin = backend.origin(&self.services);
        let failed = |error| Failure::Plugin(1, backend.clone(), error);
        let offers = probe_audio_encoder(&origin).map_err(failed)?;
        let SoundSettings { channels, duration_us, .. } = self.settings;
        let (channel_mask, block_frames) = (speakers(channels), self.block_frames());
        let fits = |offer: &&AudioEncoderOffer| {
            offer.rates.contains(&SOUND_RATE)
                && offer.channel_masks.contains(&channel_mask)
                && offer.block_frames.contains(&block_frames)
        };
        let Some(offer) = offers.iter().find(fits).cloned() else {
            return Err(Failure::Other(format!(
                "MD022 plugin {} encodes no {channels} channels in packets of {} ms. Change audio_channels or \
                 audio_frame_duration_ms",
                backend.plugin.id(),
                f64::from(duration_us) / 1000.0,
            )));
        };
        let format = AudioFormat { rate: SOUND_RATE, channel_mask };
        let settings = AudioEncoderSettings {
            name: offer.name.clone(),
            format,
            block_frames,
            bitrate: bitrate.clamp(offer.min_bitrate, offer.max_bitrate),
            complexity: None,
            loss_ppm: 0,
            // Silence is left out before it is encoded, and redundancy is the transport's.
            dtx: false,
            fec: false,
        };
        let instance = AudioEncoderInstance::create(&origin, &settings).map_err(failed)?;
        Ok(Encoder { instance, offer, format })
    }

    fn adjust(&self, encoder: &mut Encoder, bitrate: u32) -> Result<(), PluginError> {
        let bitrate = bitrate.clamp(encoder.offer.min_bitrate, encoder.offer.max_bitrate);
        match encoder.instance.adjust(Some(bitrate), None) {
            Err(error) if error.class == FaultClass::Retry => {
                warn!(%error, "the bit rate of the sound stays as it is");
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// An encoder that was chosen.
struct Encoder {
    instance: AudioEncoderInstance,
    offer: AudioEncoderOffer,
    format: AudioFormat,
}
