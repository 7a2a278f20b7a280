//! What becomes of the picture: its size, its failures, and who is told.

use super::{Action, PRIMARY, Session, send};
use crate::wire::{PipelineStatus, RoleName, ServerMessage, StreamResolution};

impl Session {
    pub(super) fn display_changed(&mut self, width: u32, height: u32, out: &mut Vec<Action>) {
        if width == 0 || height == 0 || self.display == Some((width, height)) {
            return;
        }
        let first = self.display.replace((width, height)).is_none();
        if let Some(message) = self.resolution() {
            self.send_all(&message, out);
        }
        if !first {
            self.restart_streams(out);
        }
    }

    pub(super) fn capture_recovered(&mut self, out: &mut Vec<Action>) {
        if self.failure.take().is_some() {
            self.send_all(&self.pipeline_status(), out);
            self.tell_blind(out);
            self.restart_streams(out);
        }
    }

    /// Tells everybody who watches to drop decoder state, and starts them anew.
    fn restart_streams(&mut self, out: &mut Vec<Action>) {
        let watching = self.clients.iter().filter(|(_, c)| c.video && !c.blind);
        let watching: Vec<_> = watching.map(|(&id, _)| id).collect();
        send(watching.clone(), &ServerMessage::PipelineResetting(PRIMARY.to_owned()), out);
        for &client in &watching {
            out.push(Action::StartVideo { client, lead: self.owner == Some(client) });
        }
    }

    pub(super) fn pipeline_status(&self) -> ServerMessage {
        ServerMessage::PipelineStatus(PipelineStatus {
            video: Some(self.failure.is_none()),
            audio: None,
            reason: self.failure.clone(),
        })
    }

    pub(super) fn resolution(&self) -> Option<ServerMessage> {
        let (width, height) = self.display?;
        Some(ServerMessage::StreamResolution(StreamResolution {
            width,
            height,
            display_id: PRIMARY.to_owned(),
        }))
    }

    /// Another encoder goes on after a fault.
    pub(super) fn encoder_replaced(&self, encoder: &str, reason: &str, out: &mut Vec<Action>) {
        let brief = format!("The encoder failed, {encoder} goes on");
        let full = format!("{brief}: {reason}");
        // Those who see nothing keep the reason for that. What failed, and how, is for those who look after the session.
        let (drivers, viewers) = self
            .clients
            .iter()
            .filter(|(_, client)| !client.blind)
            .partition::<Vec<_>, _>(|(_, client)| client.admission.role == RoleName::Controller);
        for (to, reason) in [(drivers, full), (viewers, brief)] {
            let status = PipelineStatus { video: Some(true), audio: None, reason: Some(reason) };
            let to = to.into_iter().map(|(&client, _)| client).collect();
            send(to, &ServerMessage::PipelineStatus(status), out);
        }
    }
}
