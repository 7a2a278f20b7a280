//! Data channels: `input` (ordered, reliable) and `pointer` (newest wins), and those that the client opens.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use gst::{glib, prelude::*};
use gst_webrtc::{WebRTCDataChannel, WebRTCDataChannelState};
use gstreamer as gst;
use gstreamer_webrtc as gst_webrtc;
use selkies_plugin_sdk::{Error, Message, Result, abi};

use crate::voice::Voice;

/// Largest message that is taken from a client, in bytes.
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;
/// What may wait for a channel to open.
const BACKLOG: (usize, usize) = (256, 1024 * 1024);
/// Bytes that may wait in an open channel; a client that takes nothing is far behind then.
const MAX_BUFFERED: [u64; 2] = [8 * 1024 * 1024, 16 * 1024];
/// Channels that a client may open.
const MAX_FOREIGN: usize = 4;
/// The one that it opens for the bytes of files.
const FILES: &str = "data";

/// A message that waits.
#[derive(Debug)]
enum Waiting {
    Text(String),
    Binary(Vec<u8>),
}

impl Waiting {
    fn as_message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

/// One channel of the host.
#[derive(Debug, Default)]
struct Lane {
    channel: Option<WebRTCDataChannel>,
    /// The one of the newest connection, which may not be open yet.
    newest: Option<WebRTCDataChannel>,
    backlog: VecDeque<Waiting>,
    backlog_bytes: usize,
}

/// The channels of a client, which outlive its connections.
#[derive(Debug)]
pub(crate) struct Channels {
    voice: Arc<Voice>,
    lanes: [Mutex<Lane>; 2],
    foreign: Mutex<Vec<WebRTCDataChannel>>,
    /// Largest message that the client takes, in bytes.
    largest: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(message: Message<'_>) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    }
}

fn send(channel: &WebRTCDataChannel, message: Message<'_>) -> Result<()> {
    let sent = match message {
        Message::Text(text) => channel.send_string_full(Some(text)),
        Message::Binary(bytes) => channel.send_data_full(Some(&glib::Bytes::from(bytes))),
    };
    sent.map_err(|error| Error::retry(format!("webrtc-channel: a message is not sent: {error}")))
}

impl Channels {
    pub(crate) fn new(voice: Arc<Voice>) -> Arc<Self> {
        let largest = AtomicU64::new(u64::MAX);
        Arc::new(Self { voice, lanes: Default::default(), foreign: Mutex::default(), largest })
    }

    /// The client says how large a message may be.
    pub(crate) fn limit(&self, largest: u64) {
        self.largest.store(largest, SeqCst);
    }

    /// # Errors
    /// When a message cannot be sent as it is.
    fn judge(&self, message: Message<'_>) -> Result<()> {
        let (size, largest) = (size(message) as u64, self.largest.load(SeqCst));
        if size == 0 {
            // SCTP has none, and GStreamer 1.22 does not put another in its place (RFC 8831, 6.6): the channel would end.
            return Err(Error::invalid("webrtc-channel: an empty message cannot be sent"));
        }
        if size > largest {
            return Err(Error::invalid(format!(
                "webrtc-channel: a message of {size} bytes, the client takes {largest}; it has to go in parts"
            )));
        }
        match message {
            // It would end there.
            Message::Text(text) if text.contains('\0') => {
                Err(Error::invalid("webrtc-channel: a text with a zero in it; it has to go as bytes"))
            }
            _ => Ok(()),
        }
    }

    /// Makes the channels of a new connection; before its offer, and after `webrtcbin` is ready.
    ///
    /// # Errors
    /// When webrtcbin makes none.
    pub(crate) fn create(self: &Arc<Self>, webrtcbin: &gst::Element) -> Result<()> {
        self.release();
        let newest =
            gst::Structure::builder("options").field("ordered", false).field("max-retransmits", 0_i32);
        let lanes = [("input", gst::Structure::new_empty("options")), ("pointer", newest.build())];
        for (number, (name, options)) in (0_u32..).zip(lanes) {
            let channel = webrtcbin
                .emit_by_name::<Option<WebRTCDataChannel>>("create-data-channel", &[&name, &options]);
            let channel = channel.ok_or_else(|| {
                Error::retry(
                    "gst-webrtc: webrtcbin makes no data channel; gstreamer1.0-plugins-bad has its SCTP",
                )
            })?;
            let this = Arc::downgrade(self);
            channel.connect_on_open(move |channel| {
                if let Some(this) = this.upgrade() {
                    this.opened(number, channel);
                }
            });
            self.listen(&channel, number);
            if let Some(lane) = self.lanes.get(number as usize) {
                lock(lane).newest = Some(channel);
            }
        }
        let this = Arc::downgrade(self);
        webrtcbin.connect("on-data-channel", false, move |values| {
            let channel = values.get(1).and_then(|value| value.get::<WebRTCDataChannel>().ok());
            if let Some((this, channel)) = this.upgrade().zip(channel) {
                this.accept(channel);
            }
            None
        });
        Ok(())
    }

    /// Forgets the channels of a connection that is over. What waits, waits for the next.
    pub(crate) fn release(&self) {
        for lane in &self.lanes {
            let mut lane = lock(lane);
            (lane.channel, lane.newest) = (None, None);
        }
        lock(&self.foreign).clear();
    }

    fn listen(&self, channel: &WebRTCDataChannel, number: u32) {
        let voice = self.voice.clone();
        channel.connect_on_message_string(move |_, text| {
            // The client says that it is text, and nobody has looked yet.
            let bytes = text.unwrap_or("").as_bytes();
            if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_MESSAGE) {
                voice.message(number, Message::Text(text));
            }
        });
        let voice = self.voice.clone();
        channel.connect_on_message_data(move |_, bytes| {
            let bytes = bytes.map_or(&[][..], |bytes| bytes);
            if bytes.len() <= MAX_MESSAGE {
                voice.message(number, Message::Binary(bytes));
            }
        });
    }

    fn opened(&self, number: u32, channel: &WebRTCDataChannel) {
        let Some(lane) = self.lanes.get(number as usize) else { return };
        let mut lane = lock(lane);
        // One of a connection that is over may open late.
        if lane.newest.as_ref() != Some(channel) {
            return;
        }
        // The lock keeps the order: who sends now comes after those that waited.
        while let Some(waiting) = lane.backlog.pop_front() {
            let message = waiting.as_message();
            if let Err(error) = self.judge(message).and_then(|()| send(channel, message)) {
                tracing::debug!(client = self.voice.client(), %error, "lost while the channel opened");
            }
        }
        lane.backlog_bytes = 0;
        lane.channel = Some(channel.clone());
    }

    /// A channel that the client opened.
    fn accept(self: &Arc<Self>, channel: WebRTCDataChannel) {
        let mut foreign = lock(&self.foreign);
        let known = channel.label().is_some_and(|label| label == FILES) && channel.is_ordered();
        if !known || foreign.len() >= MAX_FOREIGN {
            drop(foreign);
            tracing::debug!(client = self.voice.client(), "a data channel of the client is not taken");
            return channel.close();
        }
        self.listen(&channel, abi::CHANNEL_CONTROL);
        let this = Arc::downgrade(self);
        channel.connect_on_close(move |closed| {
            if let Some(this) = this.upgrade() {
                lock(&this.foreign).retain(|channel| channel != closed);
            }
        });
        foreign.push(channel);
    }

    /// Sends a message on one of `CHANNEL_*`. It waits for the channel to open, if it must.
    ///
    /// # Errors
    /// When too much waits already, or the message is too large for the client.
    pub(crate) fn send(&self, number: u32, message: Message<'_>) -> Result<()> {
        self.judge(message)?;
        let place = self.lanes.get(number as usize).zip(MAX_BUFFERED.get(number as usize));
        let (lane, limit) =
            place.ok_or_else(|| Error::invalid(format!("webrtc-channel: there is no channel {number}")))?;
        let mut lane = lock(lane);
        if let Some(channel) = &lane.channel {
            if channel.ready_state() != WebRTCDataChannelState::Open {
                return Err(Error::retry("webrtc-channel: it is closed"));
            }
            if channel.buffered_amount() > *limit {
                return match number {
                    abi::CHANNEL_POINTER => Ok(()),
                    _ => Err(Error::retry(format!(
                        "webrtc-channel: {limit} bytes wait for the client already"
                    ))),
                };
            }
            return send(channel, message);
        }
        // Of the pointer, only the newest matters, and it moves on until somebody can see it.
        if number == abi::CHANNEL_POINTER {
            return Ok(());
        }
        let bytes = lane.backlog_bytes + size(message);
        if lane.backlog.len() >= BACKLOG.0 || bytes > BACKLOG.1 {
            return Err(Error::retry("webrtc-channel: too much waits for the channel to open"));
        }
        lane.backlog_bytes = bytes;
        lane.backlog.push_back(match message {
            Message::Text(text) => Waiting::Text(text.to_owned()),
            Message::Binary(bytes) => Waiting::Binary(bytes.to_vec()),
        });
        Ok(())
    }
}
