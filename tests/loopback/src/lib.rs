//! A transport that signals and has no network. Its offer holds the client's hello; the answer names the codec that was
//! agreed on, and connects. What a peer would get comes as signaling messages: `{"told":TEXT}`, `{"packet":{…}}`; what a
//! peer would send goes in candidates: `say TEXT`, `keyframe`, `report ARRIVED QUEUED KBPS`, `codec NAME`, `fail`,
//! `deaf`. Clients of the tab `refused` are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use selkies_plugin_sdk::{
    ClientState, Error, Host, Message, PacketRef, Result, Transport, TransportInfo, TransportLink, abi,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// There is nothing to set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The transport.
#[derive(Debug)]
pub struct Loopback {
    link: TransportLink,
    /// The clients, and whether each tells by itself what arrives.
    clients: Mutex<BTreeMap<u64, bool>>,
    /// Those whose channel takes nothing more.
    deaf: Mutex<BTreeSet<u64>>,
    servers: Mutex<String>,
}

const CODECS: [(&str, u32); 3] =
    [("h264", abi::CODEC_H264), ("vp8", abi::CODEC_VP8), ("vp9", abi::CODEC_VP9)];

impl Loopback {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, bool>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deaf(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.deaf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, client: u64, sdp: &str) {
        let offer = json!({ "sdp": { "type": "offer", "sdp": sdp } });
        self.link.signal(client, &offer.to_string());
    }

    fn agree(&self, client: u64, name: &str) {
        if let Some((_, codec)) = CODECS.iter().find(|(known, _)| *known == name) {
            self.link.client_codec(client, 0, *codec);
        }
    }

    fn hear(&self, client: u64, said: &str) {
        let (verb, rest) = said.split_once(' ').unwrap_or((said, ""));
        match verb {
            "say" => self.link.message(client, abi::CHANNEL_CONTROL, Message::Text(rest)),
            "keyframe" => self.link.request_keyframe(client, 0),
            "codec" => self.agree(client, rest),
            "fail" => self.link.client_state(client, ClientState::Failed, "as it was told"),
            "deaf" => {
                self.deaf().insert(client);
            }
            "silent" => {
                self.clients().insert(client, false);
            }
            "report" => {
                let mut numbers = rest.split(' ').map(|number| number.parse().unwrap_or_default());
                let mut next = || numbers.next().unwrap_or_default();
                let (arrived, queued, kbps): (u32, u32, u32) = (next(), next(), next());
                self.report(client, u64::from(arrived), queued, kbps);
            }
            _ => {}
        }
    }

    fn report(&self, client: u64, arrived_frame_id: u64, queued_bytes: u32, estimate_kbps: u32) {
        let feedback =
            abi::Feedback { arrived_frame_id, queued_bytes, estimate_kbps, ..abi::Feedback::default() };
        self.link.feedback(client, feedback);
    }
}

impl Transport for Loopback {
    type Config = Config;

    fn create(_: Host, _: Config, link: TransportLink) -> Result<Self> {
        Ok(Self { link, clients: Mutex::default(), deaf: Mutex::default(), servers: Mutex::default() })
    }

    fn info(&self) -> TransportInfo {
        TransportInfo {
            flags: abi::TRANSPORT_SIGNALING | abi::TRANSPORT_FEEDBACK,
            codec_mask: CODECS.iter().fold(0, |mask, (_, codec)| mask | (1 << codec)),
            stripes: false,
            audio: true,
            max_message: 64 * 1024,
        }
    }

    fn client_open(&self, client: u64, hello: &str) -> Result<()> {
        if hello.contains(r#""viewer":"refused""#) {
            return Err(Error::invalid("this tab is refused"));
        }
        self.clients().insert(client, true);
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.offer(client, &json!({ "hello": hello, "rtc_config": servers }).to_string());
        Ok(())
    }

    fn client_close(&self, client: u64, _: &str) {
        self.clients().remove(&client);
    }

    fn receive(&self, _: u64, _: Message<'_>) -> Result<()> {
        Err(Error::unsupported("there is no connection of the host's"))
    }

    fn signal(&self, client: u64, json: &str) -> Result<()> {
        if !self.clients().contains_key(&client) {
            return Err(Error::invalid("there is no such client"));
        }
        let message: Value = serde_json::from_str(json).map_err(|error| Error::invalid(error.to_string()))?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if let Some(codec) = text("/sdp/sdp") {
            self.agree(client, codec.trim());
            self.link.client_state(client, ClientState::Connected, "answered");
        } else if let Some(said) = text("/ice/candidate") {
            self.hear(client, said);
        } else if message["restart"] == true {
            self.offer(client, "restarted");
        }
        Ok(())
    }

    fn rtc_config(&self, json: &str) -> Result<()> {
        json.clone_into(&mut self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn send_message(&self, clients: &[u64], _: u32, message: Message<'_>) -> Result<()> {
        let Message::Text(text) = message else { return Err(Error::unsupported("texts only")) };
        if clients.iter().any(|client| self.deaf().contains(client)) {
            return Err(Error::retry("the channel is full"));
        }
        for &client in clients {
            self.link.signal(client, &json!({ "told": text }).to_string());
        }
        Ok(())
    }

    fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<()> {
        let info = packet.info;
        let told = json!({ "packet": {
            "frame": info.frame_id,
            "codec": info.codec,
            "key": info.flags & abi::PACKET_KEY != 0,
            "y": info.area.y,
            "height": info.area.height,
            "bytes": packet.payload.len(),
        } });
        let mut open = Vec::new();
        for &client in clients {
            let Some(&reports) = self.clients().get(&client) else { continue };
            open.push((client, reports));
        }
        for (client, reports) in open {
            self.link.signal(client, &told.to_string());
            if reports {
                self.report(client, info.frame_id, 0, 0);
            }
        }
        Ok(())
    }
}

selkies_plugin_sdk::export_plugin! {
    manifest: "../selkies-plugin.json",
    transport: Loopback,
}
