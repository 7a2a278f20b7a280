//! What the session wants done.

use std::{sync::PoisonError, time::Instant};

use selkies_config::ClientSettings;
use selkies_media::Studio;
use selkies_session::{
    Action, ClientId,
    pacing::Priority,
    wire::{RateControl, Tuning},
};
use tracing::{debug, warn};

use super::{Hub, signaled::signaled_code};
use crate::queue::Outgoing;

impl Hub {
    /// `heard` is when the host had what asks for it.
    pub(super) fn carry_out(&self, action: Action, heard: Instant) {
        match action {
            Action::SendText { to, text } => {
                self.post.send_text(&to, &text).into_iter().for_each(|client| self.missed(client));
            }
            Action::Close { client, code, reason } => {
                let code = if self.post.is_signaled(client.0) { signaled_code(code) } else { code };
                self.post.push(client.0, Outgoing::Close(code, reason.to_owned()));
            }
            Action::Inject(events) => self.with_studio(|studio| studio.inject(heard, events)),
            Action::ReleaseAllInput => {
                self.with_studio(|studio| {
                    studio.inject(heard, vec![selkies_session::InputEvent::ResetKeyboard])
                });
            }
            Action::ResizeDisplay { width, height } => {
                self.with_studio(|studio| studio.resize(width, height))
            }
            Action::ApplySettings { client, json } => self.apply(client, &json),
            Action::Tune { client, tuning } => self.tune(client, &tuning),
            Action::StartVideo { client, lead } => {
                let priority = if lead { Priority::Lead } else { Priority::Follower };
                if self.post.is_signaled(client.0) {
                    self.stream.start_reporting(client, priority);
                } else {
                    self.stream.start(client, priority);
                }
            }
            Action::SetLead { client } => self.stream.lead(client),
            Action::StopVideo { client } => self.stream.stop(client),
            Action::ChooseAmong(codecs) => self.with_studio(|studio| studio.choose_among(codecs)),
            Action::RequestKeyframe => self.with_studio(Studio::request_keyframe),
            Action::FrameAcked { client, frame_id, held_ms } => {
                self.stream.acknowledge(client, frame_id, held_ms)
            }
            Action::Staged { client, reports } => self.stream.staged(client, &reports),
            Action::FrameLost { client, frame_id } => self.stream.lose(client, frame_id),
            Action::DecodePace { client, fps } => self.stream.decodes(client, fps),
            Action::KeepsPackets { client } => self.stream.keeps(client),
            Action::Refused { client, refusal } => {
                debug!(client = client.0, ?refusal, "a message was refused")
            }
            Action::WatchClipboard(watch) => self.with_studio(|studio| studio.watch_clipboard(watch)),
            Action::OfferClipboard(content) => self.with_studio(|studio| studio.offer_clipboard(content)),
            Action::SendClipboard { to, content, reply } => self.send_clipboard(&to, &content, reply),
            Action::StopClipboard { client } => self.parcels.drop(client),
            Action::SetScale { client, dpi } => self.apply(client, &format!(r#"{{"scaling_dpi":{dpi}}}"#)),
            Action::StartAudio { client, redundant } => self.hear_sound(client, redundant),
            Action::StopAudio { client } => self.hear_no_sound(client),
            Action::Microphone { pcm, .. } => self.speak(&pcm),
            Action::Upload { client, step } => self.upload(client, step),
            Action::RunCommand { client, line } => self.run_command(client, line),
            Action::SetNativeCursor(drawn) => self.with_studio(|studio| studio.draw_pointer(drawn)),
        }
    }

    /// The owner's SETTINGS: what the operator allows of them.
    fn apply(&self, client: ClientId, json: &str) {
        match ClientSettings::parse(json) {
            Ok(wishes) => self.adopt(client, &wishes),
            Err(error) => warn!(client = client.0, %error, "settings were not taken over"),
        }
    }

    fn tune(&self, client: ClientId, tuning: &Tuning) {
        let wish = match tuning {
            Tuning::Framerate(fps) => serde_json::json!({ "framerate": fps }),
            Tuning::VideoBitrate(kbps) => serde_json::json!({ "video_bitrate": kbps }),
            Tuning::Crf(crf) => serde_json::json!({ "video_crf": crf }),
            Tuning::RateControl(RateControl::Cbr) => serde_json::json!({ "rate_control_mode": "cbr" }),
            Tuning::RateControl(RateControl::Crf) => serde_json::json!({ "rate_control_mode": "crf" }),
            Tuning::AudioBitrate(rate) => serde_json::json!({ "audio_bitrate": rate }),
            // Sizes and the clipboard go through the session.
            Tuning::Resize { .. } | Tuning::BinaryClipboard(_) => return,
        };
        self.apply(client, &wish.to_string());
    }

    fn adopt(&self, client: ClientId, wishes: &ClientSettings) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = self.config.sanitize(&settings, wishes);
        if !judged.adjusted.is_empty() || !judged.refused.is_empty() {
            debug!(client = client.0, adjusted = ?judged.adjusted, refused = ?judged.refused, "settings were judged");
        }
        if *settings != judged.settings {
            let dpi =
                (settings.scaling_dpi != judged.settings.scaling_dpi).then_some(judged.settings.scaling_dpi);
            let is_sound = settings.audio_bitrate != judged.settings.audio_bitrate;
            *settings = judged.settings.clone();
            if is_sound {
                self.set_sound_bitrate(settings.audio_bitrate);
            }
            self.with_studio(|studio| {
                if let Some(dpi) = dpi {
                    studio.scale(dpi);
                }
                studio.apply(judged.settings);
            });
        }
    }
}
