//! Sound: who hears the desktop, how it gets there, and whose voice goes to it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use selkies_plugin_abi::{CODEC_OPUS, PACKET_KEY, Rect};
use selkies_plugin_host::{EncodedPacket, PacketBuf, PacketInfo, Plugin, SlabPool};
use selkies_session::{
    ClientId, Event,
    sound::{OpusPacket, SoundFraming},
};

use super::Hub;

/// Memory that packets of sound keep, and may have at most: they are small, and gone when a transport has taken them.
const POOL: (usize, usize) = (256 * 1024, 4 * 1024 * 1024);

/// What makes the desktop's sound. It is told under the session's lock: it must neither block nor call the hub from
/// within.
pub trait SoundSource: Send + Sync {
    /// Whether somebody listens; without listeners nothing is captured.
    fn set_wanted(&self, wanted: bool);
    /// The bit rate from now on, in bit/s.
    fn set_bitrate(&self, bits_per_second: u32);
    /// Lets a plugin be used again that a fault barred.
    fn admit(&self, plugin: &str);
    /// Takes a new version of a plugin into use; answers in how many places.
    fn renew(&self, plugin: &Plugin) -> usize;
}

/// What takes a client's voice; called as a [`SoundSource`] is.
pub trait SpeechSink: Send + Sync {
    /// Mono samples of 24 kHz, at most a second of them.
    fn write(&self, samples: &[i16]);
    /// As [`SoundSource::admit`].
    fn admit(&self, plugin: &str);
    /// As [`SoundSource::renew`].
    fn renew(&self, plugin: &Plugin) -> usize;
}

/// What the hub knows of sound.
pub(super) struct SoundDesk {
    source: Mutex<Option<Box<dyn SoundSource>>>,
    speech: Mutex<Option<Box<dyn SpeechSink>>>,
    room: Mutex<Room>,
    pool: SlabPool,
    packets: AtomicU64,
    bytes: AtomicU64,
    spoken: AtomicU64,
}

struct Room {
    framing: SoundFraming,
    /// With whether their pages read redundancy.
    listeners: BTreeMap<ClientId, bool>,
    number: u64,
}

impl SoundDesk {
    /// A desk whose messages repeat up to `redundancy` packets where that helps.
    pub(super) fn new(redundancy: usize) -> Self {
        let room = Room { framing: SoundFraming::new(redundancy), listeners: BTreeMap::new(), number: 0 };
        Self {
            source: Mutex::default(),
            speech: Mutex::default(),
            room: Mutex::new(room),
            pool: SlabPool::new(POOL.0, POOL.1),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            spoken: AtomicU64::new(0),
        }
    }

    /// There is something that makes sound.
    pub(super) fn is_offered(&self) -> bool {
        lock(&self.source).is_some()
    }

    /// What `/api/status` shows of it.
    pub(super) fn status(&self) -> serde_json::Value {
        serde_json::json!({
            "listeners": self.room().listeners.len(),
            "packets": self.packets.load(Ordering::Relaxed),
            "bytes": self.bytes.load(Ordering::Relaxed),
            "microphone_samples": self.spoken.load(Ordering::Relaxed),
        })
    }

    pub(super) fn admit(&self, plugin: &str) {
        if let Some(source) = &*lock(&self.source) {
            source.admit(plugin);
        }
        if let Some(sink) = &*lock(&self.speech) {
            sink.admit(plugin);
        }
    }

    pub(super) fn renew(&self, plugin: &Plugin) -> usize {
        let sources = lock(&self.source).as_ref().map_or(0, |source| source.renew(plugin));
        sources + lock(&self.speech).as_ref().map_or(0, |sink| sink.renew(plugin))
    }

    /// Ends what makes and takes sound. Blocks until their threads ended, which may call the hub until then.
    pub(super) fn end(&self) {
        let source = lock(&self.source).take();
        let speech = lock(&self.speech).take();
        drop((source, speech));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<ClientId, bool>)) {
        // Told under the lock, so that two changes do not overtake each other.
        let mut room = self.room();
        let before = room.listeners.is_empty();
        change(&mut room.listeners);
        let now = room.listeners.is_empty();
        if before != now
            && let Some(source) = &*lock(&self.source)
        {
            source.set_wanted(!now);
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        lock(&self.room)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// What makes the desktop's sound. Called once, before clients come.
    pub fn attach_sound(&self, source: Box<dyn SoundSource>) {
        *lock(&self.sound.source) = Some(source);
    }

    /// What takes clients' voices. Called once, before clients come.
    pub fn attach_microphone(&self, sink: Box<dyn SpeechSink>) {
        *lock(&self.sound.speech) = Some(sink);
    }

    /// Sends a packet to those who listen; `duration_us` of sound. From one thread at a time, in order.
    pub fn sound_packet(&self, packet: OpusPacket<'_>, duration_us: u32) {
        let (messages, to, number) = {
            let mut room = self.sound.room();
            if room.listeners.is_empty() {
                return;
            }
            let Some(messages) = room.framing.frame(packet) else { return };
            room.number += 1;
            let to: Vec<_> =
                room.listeners.iter().map(|(&client, &redundant)| (client.0, redundant)).collect();
            (messages, to, room.number)
        };
        self.sound.packets.fetch_add(1, Ordering::Relaxed);
        self.sound.bytes.fetch_add(packet.data.len() as u64, Ordering::Relaxed);
        self.post.send_sound(&to, &messages, || {
            let info = PacketInfo {
                codec: CODEC_OPUS,
                flags: PACKET_KEY,
                layer: 0,
                frame_id: number,
                reference_frame_id: 0,
                timestamp_ns: packet.timestamp_ns,
                duration_ns: u64::from(duration_us) * 1000,
                area: Rect { x: 0, y: 0, width: 0, height: 0 },
            };
            Some(EncodedPacket { info, data: PacketBuf::copy_from(&self.sound.pool, packet.data)? })
        });
    }

    /// Sound is there, or it is `missing` for this reason.
    pub fn sound_changed(&self, missing: Option<String>) {
        self.handle(Event::SoundChanged { missing });
    }

    pub(super) fn hear_sound(&self, client: ClientId, redundant: bool) {
        self.sound.change(|listeners| {
            listeners.insert(client, redundant);
        });
    }

    pub(super) fn hear_no_sound(&self, client: ClientId) {
        self.sound.change(|listeners| {
            listeners.remove(&client);
        });
    }

    pub(super) fn set_sound_bitrate(&self, bits_per_second: u32) {
        if let Some(source) = &*lock(&self.sound.source) {
            source.set_bitrate(bits_per_second);
        }
    }

    /// Samples of 16 bits, little-endian.
    pub(super) fn speak(&self, pcm: &[u8]) {
        let (pairs, _) = pcm.as_chunks::<2>();
        let samples: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
        if let Some(sink) = &*lock(&self.sound.speech) {
            self.sound.spoken.fetch_add(samples.len() as u64, Ordering::Relaxed);
            sink.write(&samples);
        }
    }
}
