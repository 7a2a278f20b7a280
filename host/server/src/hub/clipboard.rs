//! Contents of the clipboard on their way to pages.
//!
//! Large ones go in parts. Over a WebSocket the next part follows when the socket took the one before: until then, what
//! else there is to send finds its place, so that pictures wait for one part at most. A data channel tells nothing of that
//! kind; there parts are spaced by the rate that the path is known to take.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use selkies_session::{
    ClientId, ClipboardContent,
    wire::{ClipboardMessages, ServerMessage},
};

use super::Hub;
use crate::sink::within_hub;

/// Raw bytes of one part over a WebSocket: 64 KiB of text, a few milliseconds of most paths.
const SOCKET_PART: usize = 48 * 1024;
/// Raw bytes of one part over a data channel, whose messages are smaller.
const CHANNEL_PART: usize = 12 * 1024;
/// Bytes of text a second over a data channel whose path is not known yet, and the limits for one that is.
const FIRST_RATE: u32 = 500_000;
const RATES: (u32, u32) = (60_000, 4_000_000);
/// Until a data channel is tried again that took nothing.
const FULL: Duration = Duration::from_millis(100);

/// What is under way, by client.
#[derive(Debug, Default)]
pub(super) struct Parcels(Mutex<HashMap<u64, Parcel>>);

#[derive(Debug)]
struct Parcel {
    content: ClipboardContent,
    messages: ClipboardMessages,
    /// What was refused and goes first.
    waiting: Option<String>,
    pace: Pace,
}

#[derive(Debug)]
enum Pace {
    /// The next part follows the last.
    Drained,
    /// Bytes a second, and when the next part is due.
    Spaced { rate: u32, due: Instant },
}

impl Parcels {
    /// When the next part is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = |parcel: &Parcel| match parcel.pace {
            Pace::Drained => None,
            Pace::Spaced { due, .. } => Some(due),
        };
        self.open().values().filter_map(due).min()
    }

    /// Sends a client nothing more.
    pub(super) fn drop(&self, client: ClientId) {
        self.open().remove(&client.0);
    }

    /// The path to a client takes that much, kbit/s.
    pub(super) fn path(&self, client: ClientId, estimate_kbps: u32) {
        if estimate_kbps > 0
            && let Some(Parcel { pace: Pace::Spaced { rate, .. }, .. }) = self.open().get_mut(&client.0)
        {
            // Half of it is left for pictures.
            *rate = estimate_kbps.saturating_mul(1000 / 8 / 2).clamp(RATES.0, RATES.1);
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Parcel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    /// Sends a content. What was under way to these clients is not continued, unless it is the same: whoever asks again
    /// and again would never get the end of it.
    pub(super) fn send_clipboard(
        &self,
        to: &[ClientId],
        content: &ClipboardContent,
        reply: Option<&'static str>,
    ) {
        let mut spaced = false;
        for &client in to {
            let signaled = self.post.is_signaled(client.0);
            let part = if signaled { CHANNEL_PART } else { SOCKET_PART };
            let pace = match signaled {
                true => Pace::Spaced { rate: FIRST_RATE, due: Instant::now() },
                false => Pace::Drained,
            };
            spaced |= signaled;
            let messages = ClipboardMessages::new(content.mime.clone(), content.bytes.clone(), part);
            let mut parcel = Parcel { content: content.clone(), messages, waiting: None, pace };
            let mut open = self.parcels.open();
            let before = open.remove(&client.0);
            if let Some(verb) = reply {
                self.post
                    .send_text(&[client], &ServerMessage::ClipboardReply { verb: verb.to_owned() }.render());
            }
            if let Some(same) = before.filter(|before| before.content == *content) {
                open.insert(client.0, same);
                continue;
            }
            if content.secret {
                self.post.send_text(&[client], &ServerMessage::ClipboardSecret.render());
            }
            if self.advance(client, &mut parcel) {
                open.insert(client.0, parcel);
            }
        }
        if spaced {
            self.timer.notify_one();
        }
    }

    /// Everything that was queued for a client was written.
    pub(super) fn continue_clipboard(&self, client: ClientId) {
        let mut open = self.parcels.open();
        let Some(parcel) = open.get_mut(&client.0) else { return };
        if matches!(parcel.pace, Pace::Drained) && !within_hub(|| self.advance(client, parcel)) {
            open.remove(&client.0);
        }
    }

    /// Sends the parts that are due.
    pub(super) fn tick_clipboard(&self) {
        let now = Instant::now();
        self.parcels.open().retain(|&client, parcel| match parcel.pace {
            Pace::Spaced { due, .. } if due <= now => within_hub(|| self.advance(ClientId(client), parcel)),
            _ => true,
        });
    }

    /// Whether content is on its way to the client, which may fill its channel.
    pub(super) fn has_parcel(&self, client: ClientId) -> bool {
        self.parcels.open().contains_key(&client.0)
    }

    /// Sends the next message; false when there is none left.
    fn advance(&self, client: ClientId, parcel: &mut Parcel) -> bool {
        let next = parcel.waiting.take().or_else(|| parcel.messages.next().map(|message| message.render()));
        let Some(text) = next else { return false };
        let sent = self.post.send_text(&[client], &text).is_empty();
        if let Pace::Spaced { rate, due } = &mut parcel.pace {
            let pause = Duration::from_secs_f64(text.len() as f64 / f64::from(*rate));
            *due = Instant::now() + if sent { pause } else { FULL };
            if !sent {
                parcel.waiting = Some(text);
            }
        }
        true
    }
}
