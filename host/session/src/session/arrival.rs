//! Clients that come by signaling: their transport has already agreed with their pages on the codec.

use std::time::Instant;

use super::{Action, ClientId, Session, inject};
use crate::codecs::{Codec, Codecs};
use crate::roles::Admission;
use crate::wire::{RoleName, ServerMessage, SettingsHead};

/// A client whose connection a transport made through signaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// What it was let in as.
    pub admission: Admission,
    /// Its browser's tab, as its first line names it.
    pub tab: Option<String>,
    /// The size that its page is going to ask for, pixels.
    pub size: Option<(u32, u32)>,
    /// The codec that signaling came to; `None` when it came to none.
    pub codec: Option<Codec>,
}

impl Session {
    /// Greets the client and begins its stream, as if its page had asked for it: pages of 2.1.0 do not.
    pub(super) fn arrive(&mut self, client: ClientId, arrival: Arrival, out: &mut Vec<Action>) {
        let Arrival { admission, tab, size, codec } = arrival;
        let role = admission.role;
        self.open(client, admission, ServerMessage::ModeWebrtc, out);
        let Some(entry) = self.clients.get_mut(&client) else { return };
        entry.agreed = Some(codec.map_or(Codecs::NONE, |codec| Codecs::NONE.with(codec)).in_whole_frames());
        entry.tab.clone_from(&tab);
        match role {
            RoleName::Viewer => self.begin_stream(client, out),
            RoleName::Controller => {
                entry.settles = true;
                let head = SettingsHead { tab_id: tab, initial_size: size, ..SettingsHead::default() };
                self.admit_controller(client, head, "{}".to_owned(), out);
            }
        }
    }

    /// What was on its way in either direction on the connection before may be lost: what the client held is released, and it
    /// is greeted as a newcomer, which keeps its place. Its page introduces itself again.
    pub(super) fn restarted(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get(&client) else { return };
        let (admission, video) = (entry.admission.clone(), entry.video);
        inject(self.held.release(client), out);
        self.greet(client, &admission, ServerMessage::ModeWebrtc, out);
        if video {
            self.begin_stream(client, out);
        }
    }

    /// The transport asks in the name of the client's decoder: the same limits as for the page's own request.
    pub(super) fn keyframe_wanted(&mut self, now: Instant, client: ClientId, out: &mut Vec<Action>) {
        if !self.clients.contains_key(&client) {
            return;
        }
        if self.owner != Some(client) {
            out.push(Action::FrameLost { client, frame_id: None });
        } else if self.keyframes.request(now) {
            out.push(Action::RequestKeyframe);
        }
    }
}
