//! Pages of 2.1.0, which do not go by what a packet says: they draw JPEG stripes only while their own encoder setting is
//! `jpeg`, and H.264 only while it is not; what does not fit they acknowledge and drop. So theirs follows the encoder in use.

use serde_json::{Map, Value, json};

use super::{Action, ClientId, Session, send};
use crate::codecs::Codec;
use crate::wire::{DisplaySettings, RoleName, ServerMessage, ServerSettings, SettingsHead};

impl Session {
    /// Sets the encoder of a page that said nothing of codecs to the one in use, where it decodes that and may not have it.
    pub(super) fn steer(&mut self, client: ClientId, out: &mut Vec<Action>) {
        let in_use = self.in_use.as_ref();
        let in_use = in_use.and_then(|in_use| Some((in_use.codec?, in_use.name.as_str())));
        // What comes by signaling is drawn by the browser, whatever the page is set to.
        let (Some((codec, name)), Some(entry)) = (in_use, self.clients.get_mut(&client)) else { return };
        let name = page_name(codec, name);
        if entry.told.is_some()
            || entry.agreed.is_some()
            || !entry.codecs().contains(codec)
            || entry.shown.as_ref() == Some(&name)
        {
            return;
        }
        entry.shown = Some(name.clone());
        let message = match entry.admission.role {
            // What its user picked goes before the value of `server_settings`, but not before this, which also keeps the
            // pick for later.
            RoleName::Controller => {
                entry.steered = Some(name.clone());
                let settings = Map::from_iter([("encoder".to_owned(), name.into())]);
                ServerMessage::DisplaySettings(DisplaySettings { settings })
            }
            // A viewer's page takes no `display_settings`, and nothing that is not allowed.
            RoleName::Viewer => {
                let mut settings = self.settings.clone();
                let encoder = settings.entry("encoder").or_insert_with(|| json!({}));
                if let Some(encoder) = encoder.as_object_mut() {
                    encoder.insert("allowed".to_owned(), json!([&name]));
                    encoder.insert("value".to_owned(), name.into());
                }
                ServerMessage::ServerSettings(ServerSettings { settings })
            }
        };
        send(vec![client], &message, out);
    }

    /// The encoder that a controller's page has at its start unless its SETTINGS name another. Of a viewer's nobody tells.
    pub(super) fn shown_at_first(&self, role: RoleName) -> Option<String> {
        let configured = self.settings.get("encoder")?.get("value")?.as_str()?;
        (role == RoleName::Controller).then(|| configured.to_owned())
    }

    /// A client's SETTINGS body without an encoder that the page only has because it was set to it: nobody wishes for that.
    pub(super) fn own_wishes(&mut self, client: ClientId, head: &SettingsHead, json: &str) -> String {
        let (Some(entry), Some(encoder)) = (self.clients.get_mut(&client), &head.encoder) else {
            return json.to_owned();
        };
        entry.shown = Some(encoder.clone());
        if head.encoder_picked || entry.steered.as_ref() != Some(encoder) {
            entry.steered = None;
            return json.to_owned();
        }
        let mut body: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
        body.remove("encoder");
        Value::Object(body).to_string()
    }
}

/// What pages of 2.1.0 call an encoder; of those that they do not know, the one of theirs with the same codec.
fn page_name(codec: Codec, name: &str) -> String {
    if Codec::of_encoder(name) == Some(codec) {
        return name.to_owned();
    }
    match codec {
        Codec::Jpeg => "jpeg".to_owned(),
        Codec::H264 if name.ends_with("-striped") => "h264enc-striped".to_owned(),
        codec => format!("{}enc", codec.name()),
    }
}
