//! One client message: read, judged, acted on.

use std::time::{Duration, Instant};

use super::{Action, ClientId, InputEvent, MAX_BINARY, Refusal, Session, UploadStep, inject, send};
use crate::roles::{Standing, VerbClass, Verdict, verdict};
use crate::wire::{ClientMessage, ClipboardMessage, RoleName, ServerMessage, Tuning, WireError};

/// Binary opcode: upload bytes (seed era).
const OPCODE_FILE: u8 = 0x01;
/// Binary opcode: microphone samples.
const OPCODE_MICROPHONE: u8 = 0x02;

/// Least time between two `_stages` of a client; what comes earlier is dropped. Pages send one a second.
const STAGES_INTERVAL: Duration = Duration::from_millis(250);
/// From here on what `s` says is no factor.
const LARGEST_FACTOR: f64 = 16.0;

impl Session {
    pub(super) fn text(&mut self, now: Instant, client: ClientId, text: &str, out: &mut Vec<Action>) {
        let Some(standing) = self.standing(client) else { return };
        self.counters.messages += 1;
        let message = match ClientMessage::parse(text) {
            Ok(message) => message,
            Err(error) => return self.refuse(client, Refusal::Malformed(error), out),
        };
        let Some(class) = VerbClass::of(&message) else {
            let ClientMessage::Unknown { verb } = message else { return };
            return self.refuse(client, Refusal::Unknown(verb.to_owned()), out);
        };
        match self.judge(client, standing, class, &message) {
            Verdict::Allow => {}
            Verdict::Ignore => return,
            Verdict::Deny => return self.refuse(client, Refusal::Denied { standing, class }, out),
        }
        if !self.enabled(&message) {
            if class == VerbClass::OwnAudio {
                send(vec![client], &ServerMessage::AudioDisabled, out);
            }
            return self.refuse(client, Refusal::Disabled(class), out);
        }
        self.act(now, client, message, out);
    }

    fn judge(
        &self,
        client: ClientId,
        standing: Standing,
        class: VerbClass,
        message: &ClientMessage<'_>,
    ) -> Verdict {
        let Some(admission) = self.clients.get(&client).map(|c| &c.admission) else { return Verdict::Deny };
        let needs_authority = matches!(
            class,
            VerbClass::Input
                | VerbClass::InputNoise
                | VerbClass::Clipboard
                | VerbClass::ClipboardRead
                | VerbClass::Command
        );
        if admission.role == RoleName::Controller
            && admission.secure
            && needs_authority
            && !admission.input_authority
        {
            // Outranked by another token's mk_control; its page was told by MK_ACCESS,0.
            return Verdict::Ignore;
        }
        if let ClientMessage::Gamepad(pad) = message
            && !admission.may_drive_pad(pad.slot())
        {
            return Verdict::Deny;
        }
        verdict(standing, class)
    }

    /// Whether the operator allows what the message asks for.
    fn enabled(&self, message: &ClientMessage<'_>) -> bool {
        let policy = &self.policy;
        match message {
            ClientMessage::StartAudio => policy.audio,
            ClientMessage::Command(_) => policy.command,
            ClientMessage::Gamepad(_) => policy.gamepad,
            ClientMessage::UploadStart { .. } => policy.upload,
            ClientMessage::Clipboard(ClipboardMessage::Read | ClipboardMessage::Request) => {
                policy.clipboard_out
            }
            ClientMessage::Clipboard(_) => policy.clipboard_in,
            _ => true,
        }
    }

    fn act(&mut self, now: Instant, client: ClientId, message: ClientMessage<'_>, out: &mut Vec<Action>) {
        use ClientMessage as M;
        match message {
            M::Settings(json) => {
                if !self.settings(client, json, out) {
                    let error = WireError::BadField { verb: "SETTINGS", field: "JSON object" };
                    self.refuse(client, Refusal::Malformed(error), out);
                }
            }
            M::FrameAck { frame_id, held_ms } => out.push(Action::FrameAcked { client, frame_id, held_ms }),
            M::StartVideo => {
                // Before its SETTINGS a controller has no display to watch.
                if self.standing(client) != Some(Standing::Candidate) {
                    self.begin_stream(client, out);
                    send(vec![client], &ServerMessage::VideoStarted, out);
                }
            }
            M::StopVideo => {
                if let Some(entry) = self.clients.get_mut(&client) {
                    entry.video = false;
                }
                out.push(Action::StopVideo { client });
                send(vec![client], &ServerMessage::VideoStopped, out);
            }
            M::StartAudio => self.start_audio(client, out),
            M::StopAudio => self.stop_audio(client, out),
            // What a viewer costs the others is the fan-out's to say.
            M::RequestKeyframe => self.keyframe_wanted(now, client, out),
            M::LostFrame(frame_id) => out.push(Action::FrameLost { client, frame_id: Some(frame_id) }),
            M::DecodePace(fps) => out.push(Action::DecodePace { client, fps }),
            M::Resize { width, height, display } => {
                if display == super::PRIMARY {
                    self.fit(client, "r", width, height, out);
                }
            }
            // The older dialect's way to say `r`: the same limits and the same leave of the operator.
            M::Tune(Tuning::Resize { enabled, size }) => {
                if let (true, Some((width, height))) = (enabled, size) {
                    self.fit(client, "_arg_resize", width, height, out);
                }
            }
            // Newer pages send a factor, older ones dots per inch; no screen has as few dots as the largest factor.
            M::Scale(scale) => {
                let dpi = if scale < LARGEST_FACTOR { scale * 96.0 } else { scale };
                out.push(Action::SetScale { client, dpi });
            }
            M::NativeCursor(draw) => self.draw_pointer(draw, out),
            M::Tune(Tuning::BinaryClipboard(wish)) => self.wish_binary_clipboard(wish, out),
            M::Tune(tuning) => out.push(Action::Tune { client, tuning }),
            M::Command(line) => out.push(Action::RunCommand { client, line: line.to_owned() }),
            M::KeyDown(keysym) => inject(self.held.key_down(now, client, keysym), out),
            M::KeyUp(keysym) => inject(self.held.key_up(client, keysym), out),
            M::KeyReset => inject(self.held.key_reset(client), out),
            M::KeyHeartbeat(keysyms) => self.held.heartbeat(now, client, &keysyms),
            M::TypeText(text) => inject(vec![InputEvent::Text(text.to_owned())], out),
            M::Pointer(pointer) => inject(self.held.pointer(client, pointer, self.display), out),
            M::FingerScroll { dx, dy } if self.policy.finger_scroll => {
                inject(vec![InputEvent::FingerScroll { dx, dy }], out);
            }
            M::FingerScrollEnd if self.policy.finger_scroll => inject(vec![InputEvent::FingerScrollEnd], out),
            M::Gamepad(pad) => inject(self.held.gamepad(now, client, pad), out),
            M::Clipboard(message) => self.clipboard(now, client, message, out),
            M::Stages(reports) => {
                if let Some(entry) = self.clients.get_mut(&client)
                    && entry.staged.is_none_or(|at| now.saturating_duration_since(at) >= STAGES_INTERVAL)
                {
                    entry.staged = Some(now);
                    out.push(Action::Staged { client, reports });
                }
            }
            M::Stats(wanted) => {
                if let Some(entry) = self.clients.get_mut(&client) {
                    // A viewer never gets the host's figures (2.1.0).
                    entry.stats = wanted && entry.admission.role == RoleName::Controller;
                }
            }
            M::Ping(time) => {
                if let Some(entry) = self.clients.get_mut(&client)
                    && !std::mem::replace(&mut entry.own_page, true)
                {
                    out.push(Action::KeepsPackets { client });
                }
                send(vec![client], &ServerMessage::Pong(time.to_owned()), out);
            }
            M::Codecs(codecs) => self.take_codecs(client, codecs, out),
            M::UploadStart { path, size } => {
                out.push(Action::Upload { client, step: UploadStep::Start { path: path.to_owned(), size } });
            }
            M::UploadEnd(_) => out.push(Action::Upload { client, step: UploadStep::End }),
            M::UploadError(_) => out.push(Action::Upload { client, step: UploadStep::Abort }),
            // Known, and nothing to do: gzip is not offered (no echo), echoes and view boxes serve second screens,
            // and a page's own measurements are not needed, because acknowledgements tell more.
            M::FingerScroll { .. }
            | M::FingerScrollEnd
            | M::Gzip(_)
            | M::PointerEcho(_)
            | M::ViewBox(_)
            | M::ClientFps(_)
            | M::ClientLatency(_)
            | M::ClientStats(_)
            | M::Pong(_)
            | M::Unknown { .. } => {}
        }
    }

    pub(super) fn binary(&mut self, now: Instant, client: ClientId, data: &[u8], out: &mut Vec<Action>) {
        let Some(standing) = self.standing(client) else { return };
        self.counters.messages += 1;
        if data.len() > MAX_BINARY {
            let error = WireError::TooLarge { verb: "binary", len: data.len(), max: MAX_BINARY };
            return self.refuse(client, Refusal::Malformed(error), out);
        }
        let Some((&opcode, body)) = data.split_first() else { return };
        let (class, enabled) = match opcode {
            OPCODE_FILE => (VerbClass::Upload, self.policy.upload),
            OPCODE_MICROPHONE => return self.speech(now, client, standing, body, out),
            _ => return self.refuse(client, Refusal::Unknown(format!("opcode {opcode:#04x}")), out),
        };
        match verdict(standing, class) {
            Verdict::Allow if !enabled => self.refuse(client, Refusal::Disabled(class), out),
            Verdict::Allow => {
                out.push(Action::Upload { client, step: UploadStep::Data(body.to_owned()) });
            }
            Verdict::Ignore => {}
            Verdict::Deny => self.refuse(client, Refusal::Denied { standing, class }, out),
        }
    }

    pub(super) fn refuse(&mut self, client: ClientId, refusal: Refusal, out: &mut Vec<Action>) {
        let counter = match refusal {
            Refusal::Denied { .. } | Refusal::Disabled(_) => &mut self.counters.denied,
            Refusal::Malformed(_) => &mut self.counters.malformed,
            Refusal::Unknown(_) => &mut self.counters.unknown,
        };
        *counter += 1;
        out.push(Action::Refused { client, refusal });
    }
}
