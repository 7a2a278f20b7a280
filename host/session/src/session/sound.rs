//! Who hears the desktop, and who speaks into it.

use std::time::{Duration, Instant};

use super::{Action, ClientId, Refusal, Session, send};
use crate::roles::{Standing, VerbClass, Verdict, verdict};
use crate::wire::{PipelineStatus, RoleName, ServerMessage, WireError};

/// Bytes of a microphone's samples in a second: 16 bits, 24 kHz, one channel.
const SPEECH_RATE: usize = 48_000;
/// Longest message of them: a second.
const MAX_SPEECH: usize = SPEECH_RATE;
/// A speaker that was silent for so long no longer keeps others from speaking.
const SPEECH_PAUSE: Duration = Duration::from_secs(1);

/// What one client hears and says.
#[derive(Debug, Clone, Default)]
pub(super) struct Hearing {
    /// Its last word about it; `None` before the first.
    wanted: Option<bool>,
    /// Sound is sent to it.
    hears: bool,
    redundant: bool,
    /// It was told that its microphone is not taken.
    told_mute: bool,
}

impl Hearing {
    /// Whether sound is sent to the client.
    pub(super) fn hears(&self) -> bool {
        self.hears
    }

    /// The client may use mouse and keyboard from now on, or no more, and is told so. What its microphone says until it has heard
    /// that is not answered: it would take the answer for the operator's last word. Should it be refused later, it is told again.
    pub(super) fn access(&mut self, granted: bool) {
        self.told_mute = !granted;
    }
}

/// What concerns the sound of all clients.
#[derive(Debug, Default)]
pub(super) struct SoundRoom {
    missing: Option<String>,
    speaker: Option<Speaker>,
}

/// The client whose microphone is heard.
#[derive(Debug)]
struct Speaker {
    client: ClientId,
    heard: Instant,
    /// Bytes that may come at once: what time has passed for, at most a second's.
    allowance: usize,
}

impl SoundRoom {
    /// A client is gone.
    pub(super) fn leaves(&mut self, client: ClientId) {
        if self.speaker.as_ref().is_some_and(|speaker| speaker.client == client) {
            self.speaker = None;
        }
    }

    /// Whether these bytes of this client are taken: one speaks at a time, and not faster than time passes.
    fn admits(&mut self, now: Instant, client: ClientId, bytes: usize) -> bool {
        let speaker = match &mut self.speaker {
            Some(speaker) if speaker.client == client => speaker,
            Some(other) if now.saturating_duration_since(other.heard) < SPEECH_PAUSE => return false,
            place => place.insert(Speaker { client, heard: now, allowance: SPEECH_RATE }),
        };
        let passed = now.saturating_duration_since(speaker.heard).as_micros().min(1_000_000) as usize;
        speaker.heard = now;
        speaker.allowance = (speaker.allowance + passed * SPEECH_RATE / 1_000_000).min(SPEECH_RATE);
        let taken = bytes <= speaker.allowance;
        if taken {
            speaker.allowance -= bytes;
        }
        taken
    }
}

impl Session {
    /// `START_AUDIO`, where the operator allows it.
    pub(super) fn start_audio(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        entry.sound.wanted = Some(true);
        entry.sound.hears = true;
        out.push(Action::StartAudio { client, redundant: entry.sound.redundant });
        send(vec![client], &ServerMessage::AudioStarted, out);
        if self.sound.missing.is_some() {
            send(vec![client], &self.sound_status(), out);
        }
    }

    /// `STOP_AUDIO`: of this client alone, where the seed era stopped it for everybody.
    pub(super) fn stop_audio(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        entry.sound.wanted = Some(false);
        entry.sound.hears = false;
        out.push(Action::StopAudio { client });
        send(vec![client], &ServerMessage::AudioStopped, out);
    }

    /// Sound for pages that never ask for it: viewers of 2.1.0, and its pages over WebRTC, which sends it to everybody.
    pub(super) fn begin_sound(&mut self, client: ClientId, out: &mut Vec<Action>) {
        if !self.policy.audio {
            return;
        }
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let never_asks = entry.admission.role == RoleName::Viewer || entry.agreed.is_some();
        if never_asks && entry.sound.wanted.is_none() && !entry.sound.hears {
            entry.sound.hears = true;
            out.push(Action::StartAudio { client, redundant: entry.sound.redundant });
        }
    }

    /// What SETTINGS say of redundancy.
    pub(super) fn reads_redundancy(&mut self, client: ClientId, redundant: bool, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let changed = std::mem::replace(&mut entry.sound.redundant, redundant) != redundant;
        if changed && entry.sound.hears {
            out.push(Action::StartAudio { client, redundant });
        }
    }

    pub(super) fn sound_changed(&mut self, missing: Option<String>, out: &mut Vec<Action>) {
        if self.sound.missing == missing {
            return;
        }
        self.sound.missing = missing;
        let hearing = self.clients.iter().filter(|(_, entry)| entry.sound.hears);
        let hearing = hearing.map(|(&client, _)| client).collect();
        send(hearing, &self.sound_status(), out);
    }

    fn sound_status(&self) -> ServerMessage {
        let reason = self.sound.missing.clone();
        ServerMessage::PipelineStatus(PipelineStatus { video: None, audio: Some(reason.is_none()), reason })
    }

    /// Samples of a client's microphone.
    pub(super) fn speech(
        &mut self,
        now: Instant,
        client: ClientId,
        standing: Standing,
        pcm: &[u8],
        out: &mut Vec<Action>,
    ) {
        const CLASS: VerbClass = VerbClass::Microphone;
        let Some(admission) = self.clients.get(&client).map(|entry| &entry.admission) else { return };
        // Speaking needs what typing needs.
        let outranked = admission.secure && !admission.input_authority;
        let denied = outranked || verdict(standing, CLASS) != Verdict::Allow;
        if denied || !self.policy.microphone {
            let refusal =
                if denied { Refusal::Denied { standing, class: CLASS } } else { Refusal::Disabled(CLASS) };
            self.refuse(client, refusal, out);
            if let Some(entry) = self.clients.get_mut(&client)
                && !std::mem::replace(&mut entry.sound.told_mute, true)
            {
                send(vec![client], &ServerMessage::MicrophoneDisabled, out);
            }
            return;
        }
        if pcm.len() > MAX_SPEECH {
            let error = WireError::TooLarge { verb: "microphone", len: pcm.len(), max: MAX_SPEECH };
            return self.refuse(client, Refusal::Malformed(error), out);
        }
        if pcm.is_empty() || !pcm.len().is_multiple_of(2) {
            let error = WireError::BadField { verb: "microphone", field: "samples of 16 bits" };
            return self.refuse(client, Refusal::Malformed(error), out);
        }
        if self.sound.admits(now, client, pcm.len()) {
            out.push(Action::Microphone { client, pcm: pcm.to_owned() });
        }
    }
}
