//! The transport.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc},
    thread,
};

use gstreamer as gst;
use selkies_plugin_sdk::{
    Error, Host, Message, PacketRef, Result, Transport, TransportInfo, TransportLink, abi,
};

use crate::{
    channels,
    codec::Codec,
    config::{Config, Options},
    control::{Control, Order},
    hello::Hello,
    ice_servers::IceServers,
    peer::Peer,
    signal::Signal,
    voice::Voice,
    warm,
};

/// Clients at once; each costs threads, memory and a port.
const MAX_CLIENTS: usize = 64;
/// Elements without which there is no connection, and what brings them.
const NEEDED: &[(&str, &str)] = &[
    ("webrtcbin", "gstreamer1.0-plugins-bad"),
    ("dtlssrtpenc", "gstreamer1.0-plugins-bad"),
    ("srtpenc", "gstreamer1.0-plugins-bad"),
    ("sctpenc", "gstreamer1.0-plugins-bad"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("rtpvp8pay", "gstreamer1.0-plugins-good"),
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("nicesrc", "gstreamer1.0-nice"),
];

/// WebRTC on connections of its own.
#[derive(Debug)]
pub struct WebRtc {
    link: TransportLink,
    codecs: Vec<Codec>,
    peers: RwLock<HashMap<u64, Arc<Peer>>>,
    orders: Mutex<mpsc::Sender<Order>>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// # Errors
/// What is missing, and what brings it.
fn look_for_elements() -> Result<()> {
    let missing: Vec<String> = NEEDED
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .map(|(element, package)| format!("{element} (install {package})"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (major, minor, micro, _) = gst::version();
    Err(Error::fatal_plugin(format!(
        "gst-missing: GStreamer {major}.{minor}.{micro} has no element {}",
        missing.join(", ")
    )))
}

impl WebRtc {
    fn peer(&self, client: u64) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&client).cloned()
    }

    fn orders(&self) -> MutexGuard<'_, mpsc::Sender<Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, order: Order) -> Result<()> {
        self.orders().send(order).map_err(|_| Error::fatal("webrtc-control: its thread is gone"))
    }
}

impl Transport for WebRtc {
    type Config = Config;

    fn create(_: Host, config: Config, link: TransportLink) -> Result<Self> {
        let options = Options::of(&config)?;
        gst::init()
            .map_err(|error| Error::fatal_plugin(format!("gst-init: GStreamer does not start: {error}")))?;
        look_for_elements()?;
        let no_thread = |error| Error::retry(format!("webrtc-control: no thread: {error}"));
        let codecs = Codec::available();
        let first = codecs.iter().copied().find(|codec| codec.is_video()).unwrap_or(Codec::Vp8);
        let nobody = Voice::new(link, 0);
        nobody.close();
        let warm = warm::start(options.clone(), first, nobody).map_err(no_thread)?;
        let (orders, control) = Control::start(options).map_err(no_thread)?;
        Ok(Self {
            link,
            codecs,
            peers: RwLock::default(),
            orders: Mutex::new(orders),
            threads: vec![control, warm],
        })
    }

    fn info(&self) -> TransportInfo {
        let video = self.codecs.iter().filter(|codec| codec.is_video());
        TransportInfo {
            flags: abi::TRANSPORT_SIGNALING | abi::TRANSPORT_FEEDBACK,
            codec_mask: video.fold(0, |mask, codec| mask | (1 << codec.id())),
            stripes: false,
            audio: self.codecs.contains(&Codec::Opus),
            max_message: channels::MAX_MESSAGE as u32,
        }
    }

    fn client_open(&self, client: u64, hello: &str) -> Result<()> {
        let hello = Hello::parse(hello, &self.codecs)?;
        let peer = Arc::new(Peer::new(hello, Voice::new(self.link, client)));
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= MAX_CLIENTS {
            return Err(Error::retry(format!("webrtc-clients: {MAX_CLIENTS} are here already")));
        }
        if peers.contains_key(&client) {
            return Err(Error::invalid(format!("client {client} is open already")));
        }
        peers.insert(client, peer.clone());
        drop(peers);
        self.order(Order::Open(peer))
    }

    fn client_close(&self, client: u64, reason: &str) {
        let peer = self.peers.write().unwrap_or_else(PoisonError::into_inner).remove(&client);
        if let Some(peer) = peer {
            tracing::debug!(client, reason, "closed");
            peer.voice.close();
            // When the thread is gone, so are its connections.
            let _ = self.order(Order::Close(client));
        }
    }

    fn receive(&self, client: u64, _: Message<'_>) -> Result<()> {
        Err(Error::unsupported(format!("client {client}: messages come over its own connection")))
    }

    fn signal(&self, client: u64, json: &str) -> Result<()> {
        let peer =
            self.peer(client).ok_or_else(|| Error::wrong_state(format!("client {client} is not open")))?;
        let signal = Signal::parse(json)?;
        peer.enqueue()?;
        self.order(Order::Signal(client, signal))
    }

    fn rtc_config(&self, json: &str) -> Result<()> {
        let servers = IceServers::parse(json)?;
        self.order(Order::Servers(servers))
    }

    fn send_message(&self, clients: &[u64], channel: u32, message: Message<'_>) -> Result<()> {
        let mut outcome = Err(Error::wrong_state("webrtc-channel: none of the clients is open"));
        for peer in clients.iter().filter_map(|client| self.peer(*client)) {
            let sent = peer.channels.send(channel, message);
            if outcome.is_err() {
                outcome = sent;
            }
        }
        outcome
    }

    fn send_packet(&self, clients: &[u64], packet: PacketRef<'_>) -> Result<()> {
        // Copied once for everybody: the bytes are the host's again after this call.
        let mut shared = None;
        for peer in clients.iter().filter_map(|client| self.peer(*client)) {
            if let Some(connection) = peer.connection() {
                let shared = shared.get_or_insert_with(|| gst::Buffer::from_slice(packet.payload.to_vec()));
                connection.push(&packet, shared);
            }
        }
        Ok(())
    }
}

impl Drop for WebRtc {
    fn drop(&mut self) {
        let peers = std::mem::take(self.peers.get_mut().unwrap_or_else(PoisonError::into_inner));
        peers.values().for_each(|peer| peer.voice.close());
        let _ = self.order(Order::Stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
