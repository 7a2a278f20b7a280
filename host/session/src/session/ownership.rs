//! Who owns the display: SETTINGS, takeover, joining beside, leaving.

use super::{Action, ClientId, PRIMARY, Session, SizeRule, inject, send};
use crate::roles::Standing;
use crate::wire::{ServerMessage, SettingsHead};

impl Session {
    pub(super) fn settings(&mut self, client: ClientId, json: &str, out: &mut Vec<Action>) -> bool {
        let (Some(head), Some(standing)) = (SettingsHead::read(json), self.standing(client)) else {
            return false;
        };
        if head.display_id != PRIMARY {
            let kill = "Second screens are disabled on this server.".to_owned();
            send(vec![client], &ServerMessage::Kill(kill), out);
            self.forget(client, out);
            out.push(Action::Close { client, code: 1008, reason: "Second screens disabled" });
            return true;
        }
        let binary_clipboard = head.binary_clipboard;
        self.imply_codecs(client, &head);
        self.reads_redundancy(client, head.audio_redundancy, out);
        let wishes = self.own_wishes(client, &head, json);
        match standing {
            // It follows whatever the owner streams; its settings only start its own picture anew.
            Standing::Viewer | Standing::Collaborator => self.begin_stream(client, out),
            Standing::CoController => {}
            Standing::Owner => {
                self.negotiate(out);
                out.push(Action::ApplySettings { client, json: wishes });
                let settles =
                    self.clients.get_mut(&client).is_some_and(|entry| std::mem::take(&mut entry.settles));
                self.rule_size(client, &head, settles, out);
            }
            Standing::Candidate => self.admit_controller(client, head, wishes, out),
        }
        if self.clients.get(&client).is_some_and(|entry| entry.video) {
            // The stream may go on as it is, whatever its page is set to now.
            self.steer(client, out);
        }
        if let Some(wish) = binary_clipboard.filter(|_| self.owner == Some(client)) {
            self.wish_binary_clipboard(wish, out);
        }
        self.watch_clipboard(out);
        true
    }

    pub(super) fn admit_controller(
        &mut self,
        client: ClientId,
        head: SettingsHead,
        json: String,
        out: &mut Vec<Action>,
    ) {
        let other_tab = self.owner.and_then(|o| self.clients.get(&o)).and_then(|o| o.tab.clone());
        // 2.1.0 (websockets_mode.py:2123-2137): only a page that names another tab than the owner's joins beside.
        let beside =
            self.policy.sharing && head.tab_id.is_some() && other_tab.is_some() && head.tab_id != other_tab;
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.tab.clone_from(&head.tab_id);
            entry.beside = beside;
        }
        if beside {
            self.begin_stream(client, out);
            return;
        }
        if let Some(old) = self.owner {
            self.counters.takeovers += 1;
            let kill = "a new primary client connected connection killed".to_owned();
            send(vec![old], &ServerMessage::Kill(kill), out);
            // The newcomer owns before the old one is forgotten, so that nobody else is promoted.
            self.owner = Some(client);
            self.forget(old, out);
            out.push(Action::Close { client: old, code: 1000, reason: "Superseded by new client" });
        }
        self.owner = Some(client);
        self.negotiate(out);
        out.push(Action::ApplySettings { client, json });
        // What the page before wanted is not this one's wish.
        self.draw_pointer(false, out);
        self.size_rule = SizeRule::default();
        self.rule_size(client, &head, true, out);
        self.send_all(&ServerMessage::DisplayConfig(self.display_config()), out);
        self.begin_stream(client, out);
    }

    /// Starts a client's picture, or starts it anew: size, reset and video. It gets what the fan-out keeps; whether that
    /// takes a key frame is the fan-out's to say.
    pub(super) fn begin_stream(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let resolution = self.resolution();
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let first = !std::mem::replace(&mut entry.greeted, true);
        entry.video = true;
        if let Some(message) = resolution {
            send(vec![client], &message, out);
        }
        send(vec![client], &ServerMessage::PipelineResetting(PRIMARY.to_owned()), out);
        if self.owner.is_none() {
            self.negotiate(out);
        }
        self.begin_packets(client, out);
        if first {
            self.begin_sound(client, out);
        }
    }

    /// Has the pointer in the picture, or not.
    pub(super) fn draw_pointer(&mut self, drawn: bool, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.drawn_pointer, drawn) != drawn {
            out.push(Action::SetNativeCursor(drawn));
        }
    }

    /// Forgets a client: its input is released, its media stop, and the oldest co-controller inherits the display.
    pub(super) fn forget(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.remove(&client) else { return };
        inject(self.held.release(client), out);
        self.sound.leaves(client);
        self.abandon_upload(client);
        if entry.greeted {
            out.push(Action::StopVideo { client });
        }
        if entry.sound.hears() {
            out.push(Action::StopAudio { client });
        }
        if self.owner != Some(client) {
            return;
        }
        self.draw_pointer(false, out);
        self.owner = self.clients.iter().find(|(_, c)| c.beside).map(|(&id, _)| id);
        match self.owner {
            Some(heir) => {
                if let Some(entry) = self.clients.get_mut(&heir) {
                    entry.beside = false;
                }
                out.push(Action::SetLead { client: heir });
                send(vec![heir], &ServerMessage::DisplayOwner(PRIMARY.to_owned()), out);
                self.negotiate(out);
            }
            None => {
                // Nobody is left to lift a key the input plugin may still have down.
                out.push(Action::ReleaseAllInput);
                self.send_all(&ServerMessage::DisplayConfig(self.display_config()), out);
                self.negotiate(out);
            }
        }
    }
}
