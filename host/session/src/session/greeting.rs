//! Who is let in, and what a page is told first.

use super::{Action, ClientId, Session, send};
use crate::roles::Admission;
use crate::wire::{AuthSuccess, RoleName, ServerMessage, ServerSettings};

impl Session {
    /// What every page is told first.
    pub(super) fn greet(
        &self,
        client: ClientId,
        admission: &Admission,
        mode: ServerMessage,
        out: &mut Vec<Action>,
    ) {
        // The order is 2.1.0's (websockets_mode.py:4783-4905): pages depend on MODE before MK_ACCESS.
        let mut greeting = Vec::new();
        if admission.secure {
            let slot = admission.slots.first().copied();
            greeting.push(ServerMessage::AuthSuccess(AuthSuccess { role: admission.role, slot }));
        }
        greeting.push(mode);
        if admission.secure {
            greeting.push(ServerMessage::MkAccess(self.mk_access(admission)));
        }
        greeting.push(ServerMessage::DisplayConfig(self.display_config()));
        greeting.extend(self.cursor.clone().map(ServerMessage::Cursor));
        greeting.push(ServerMessage::ServerSettings(ServerSettings { settings: self.settings.clone() }));
        if self.failure.is_some() {
            greeting.push(self.pipeline_status());
        }
        for message in &greeting {
            send(vec![client], message, out);
        }
    }

    /// 2.1.0 refuses disabled link kinds on the socket, not only in the page (websockets_mode.py:4823-4835).
    pub(super) fn link_refusal(&self, admission: &Admission) -> Option<&'static str> {
        if admission.secure {
            return None;
        }
        match admission.slots.first() {
            None if admission.role == RoleName::Viewer && !self.policy.shared => {
                Some("Strict shared clients are not enabled.")
            }
            Some(2) if !self.policy.players[0] => Some("Player slot 2 is not enabled."),
            Some(3) if !self.policy.players[1] => Some("Player slot 3 is not enabled."),
            Some(4) if !self.policy.players[2] => Some("Player slot 4 is not enabled."),
            _ => None,
        }
    }
}
