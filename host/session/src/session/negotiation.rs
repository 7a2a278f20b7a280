//! Which codecs the pages decode: the owner's decide what is encoded, a page that cannot follow is told so. While there is no
//! owner, the first viewer stands for it.
//!
//! There is one encoder for everybody. Only one whose codec the owner's page decodes is taken, where there is any; the
//! media threads choose among them in the configured order. A page beside it that does not decode that codec gets no
//! packets and is told why, until another codec is streamed.

use super::{Action, Client, ClientId, PRIMARY, Session, send};
use crate::codecs::{Codec, Codecs};
use crate::wire::{PipelineStatus, ServerMessage, SettingsHead, SystemAction};

/// The encoder in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InUse {
    /// Its name on the wire.
    pub(super) name: String,
    /// `None` for one that pages are not asked about.
    pub(super) codec: Option<Codec>,
    /// Its frames come in stripes.
    pub(super) striped: bool,
}

impl Client {
    /// What can be sent to it: what signaling came to, else what its page said that it decodes, else what pages of 2.1.0
    /// decode.
    pub(super) fn codecs(&self) -> Codecs {
        self.agreed.or(self.told).unwrap_or(self.implied)
    }
}

impl Session {
    /// `_codecs`: a page says what it decodes, at its start and whenever that changes.
    pub(super) fn take_codecs(&mut self, client: ClientId, codecs: Codecs, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let watches = entry.video;
        let first = entry.told.replace(codecs).is_none();
        if let Some(message) = self.encoder_message().filter(|_| first) {
            send(vec![client], &message, out);
        }
        if self.decider() == Some(client) {
            // What becomes of it is known when the media threads have chosen.
            self.negotiate(out);
        } else if watches {
            self.review(client, out);
        }
    }

    /// What the SETTINGS of a page that says nothing of codecs tell of them: 2.1.0's names only encoders that it decodes,
    /// and marks one that it asks for because it decodes no other.
    pub(super) fn imply_codecs(&mut self, client: ClientId, head: &SettingsHead) {
        let (Some(entry), Some(encoder)) = (self.clients.get_mut(&client), &head.encoder) else { return };
        let base = if head.encoder_fallback { Codecs::NONE.with(Codec::Jpeg) } else { Codecs::STOCK };
        entry.implied = Codec::of_encoder(encoder).map_or(base, |codec| base.with(codec));
    }

    /// Signaling came to another codec for a client.
    pub(super) fn agree(&mut self, client: ClientId, codec: Codec, out: &mut Vec<Action>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        entry.agreed = Some(Codecs::NONE.with(codec).in_whole_frames());
        if self.decider() == Some(client) {
            self.negotiate(out);
        } else if self.clients.get(&client).is_some_and(|entry| entry.video) {
            self.review(client, out);
        }
    }

    /// Whose codecs decide what is encoded: the owner's; while nobody owns the display, of those who look on the first.
    fn decider(&self) -> Option<ClientId> {
        self.owner.or_else(|| {
            let mut clients = self.clients.iter();
            clients.find(|(_, client)| client.video).map(|(&id, _)| id)
        })
    }

    /// Tells the media threads what the page decodes that decides, where that is news.
    pub(super) fn negotiate(&mut self, out: &mut Vec<Action>) {
        let decider = self.decider().and_then(|decider| self.clients.get(&decider));
        let Some(codecs) = decider.map(Client::codecs) else { return };
        if self.negotiated.replace(codecs) != Some(codecs) {
            out.push(Action::ChooseAmong(codecs));
        }
    }

    /// The media threads chose among these, be it what was in use before.
    pub(super) fn encoder_used(
        &mut self,
        name: String,
        codec: Option<Codec>,
        striped: bool,
        among: Option<Codecs>,
        out: &mut Vec<Action>,
    ) {
        self.chosen_among = among;
        let in_use = InUse { name, codec, striped };
        let changed = self.in_use.as_ref() != Some(&in_use);
        if changed {
            self.in_use = Some(in_use);
            let ours = self.clients.iter().filter(|(_, client)| client.told.is_some());
            let ours = ours.map(|(&id, _)| id).collect();
            if let Some(message) = self.encoder_message() {
                send(ours, &message, out);
            }
        }
        let watching = self.clients.iter().filter(|(_, client)| client.video);
        for (client, was_blind) in watching.map(|(&id, client)| (id, client.blind)).collect::<Vec<_>>() {
            self.review(client, out);
            self.steer(client, out);
            if changed && was_blind && self.clients.get(&client).is_some_and(|entry| entry.blind) {
                self.tell_blindness(client, out);
            }
        }
    }

    /// Starts a client's packets, or tells why there are none for it.
    pub(super) fn begin_packets(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let (blind, lead) = (self.sees_nothing(client), self.owner == Some(client));
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let was_blind = std::mem::replace(&mut entry.blind, blind);
        if blind {
            self.tell_blindness(client, out);
            return;
        }
        if was_blind {
            send(vec![client], &self.pipeline_status(), out);
        }
        self.steer(client, out);
        out.push(Action::StartVideo { client, lead });
    }

    /// Says again to those who see nothing why that is.
    pub(super) fn tell_blind(&self, out: &mut Vec<Action>) {
        let blind = self.clients.iter().filter(|(_, client)| client.blind);
        blind.for_each(|(&client, _)| self.tell_blindness(client, out));
    }

    /// Stops or starts a client's packets where its page cannot, or can again, decode them.
    fn review(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let blind = self.sees_nothing(client);
        if self.clients.get(&client).is_none_or(|entry| entry.blind == blind) {
            return;
        }
        if blind {
            out.push(Action::StopVideo { client });
        } else {
            send(vec![client], &ServerMessage::PipelineResetting(PRIMARY.to_owned()), out);
        }
        self.begin_packets(client, out);
    }

    /// Whether the client's page does not decode what is streamed. The one that decides is not judged while the media threads choose.
    fn sees_nothing(&self, client: ClientId) -> bool {
        let in_use = self.in_use.as_ref().and_then(|in_use| Some((in_use.codec?, in_use.striped)));
        let (Some((codec, striped)), Some(entry)) = (in_use, self.clients.get(&client)) else { return false };
        let choosing = self.negotiated != self.chosen_among;
        !(entry.codecs().takes(codec, striped) || (choosing && self.decider() == Some(client)))
    }

    fn tell_blindness(&self, client: ClientId, out: &mut Vec<Action>) {
        let (Some(entry), Some(InUse { name, codec, .. })) = (self.clients.get(&client), &self.in_use) else {
            return;
        };
        let decodes = entry.codecs();
        let trouble = if self.owner == Some(client) {
            format!("This page decodes {decodes} only, and there is no encoder for that: {name} is in use.")
        } else {
            let codec = codec.map_or("", Codec::name);
            format!("The session streams {codec} ({name}), and this page decodes {decodes} only.")
        };
        let remedy = if entry.agreed.is_some() {
            "Choose WebSockets for it, or another encoder for the session"
        } else {
            "Open it over HTTPS or in another browser"
        };
        let reason = format!("{trouble} {remedy}");
        let status = PipelineStatus { video: Some(false), audio: None, reason: Some(reason) };
        send(vec![client], &ServerMessage::PipelineStatus(status), out);
    }

    fn encoder_message(&self) -> Option<ServerMessage> {
        let InUse { name, .. } = self.in_use.as_ref()?;
        Some(ServerMessage::System(SystemAction { action: format!("encoder,{name}") }))
    }
}
