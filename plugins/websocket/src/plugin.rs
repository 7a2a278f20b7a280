//! The framing as a transport plugin.

use schemars::JsonSchema;
use selkies_plugin_sdk::{Host, Message, PacketRef, Result, Transport, TransportInfo, TransportLink, abi};
use serde::Deserialize;

use crate::frame::header;

/// Configuration: there is nothing to set.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The transport. It keeps no state: who is connected is the host's to know.
#[derive(Debug)]
pub struct WebSocket {
    link: TransportLink,
}

/// Largest message from a client: a part of a file, or of the clipboard, of pages of Selkies (1 MiB and its opcode).
const MAX_MESSAGE: u32 = 1024 * 1024 + 64;

impl Transport for WebSocket {
    type Config = Config;

    fn create(_: Host, _: Config, link: TransportLink) -> Result<Self> {
        Ok(Self { link })
    }

    fn info(&self) -> TransportInfo {
        let codecs = [
            abi::CODEC_JPEG,
            abi::CODEC_H264,
            abi::CODEC_H265,
            abi::CODEC_VP8,
            abi::CODEC_VP9,
            abi::CODEC_AV1,
        ];
        TransportInfo {
            flags: abi::TRANSPORT_HOST_CONNECTION,
            codec_mask: codecs.iter().fold(0, |mask, codec| mask | (1 << codec)),
            stripes: true,
            audio: false,
            max_message: MAX_MESSAGE,
        }
    }

    fn client_open(&self, _: u64, _: &str) -> Result<()> {
        Ok(())
    }

    fn client_close(&self, _: u64, _: &str) {}

    fn receive(&self, client: u64, message: Message<'_>) -> Result<()> {
        self.link.message(client, abi::CHANNEL_CONTROL, message);
        Ok(())
    }

    fn send_message(&self, clients: &[u64], _: u32, message: Message<'_>) -> Result<()> {
        self.link.emit(clients, &[], message)
    }

    fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<()> {
        self.link.emit(clients, header(&packet.info)?.as_bytes(), Message::Binary(packet.payload))
    }
}
