//! How Opus packets look on the WebSocket, with and without redundancy, and when nothing is sent.
//!
//! ```text
//! [01][flags]                                        flags: bit 7 a sound ends here, bits 0-6 the number n of older packets
//! n = 0: Opus packet, or nothing where only the end of a sound is told
//! n > 0: [time u32] n × [1 | type 7 bits, offset 14 bits, length 10 bits] [0 | type 7 bits] n older packets, oldest first, packet
//! ```
//! Numbers are big-endian; `time` is that of the packet's first sample in samples of 48 kHz, an offset how many samples
//! an older one lies before it. That is RFC 2198 behind the time that RTP would carry. Source: Selkies 2.1.0, what its
//! page reads (selkies_web, the handling of binary messages 0x01).

use std::collections::VecDeque;

/// Binary opcode of sound.
pub const OPCODE_SOUND: u8 = 0x01;
/// Most older packets that one message repeats (2.1.0's limit).
pub const MAX_REDUNDANCY: usize = 4;
/// Flag: silence follows.
const SOUND_ENDS: u8 = 0x80;
/// The wire's name for Opus within a block header; pages do not look at it.
const BLOCK_TYPE: u8 = 111;
/// What a block header can say: 14 bits of offset, 10 of length.
const MAX_OFFSET: u32 = (1 << 14) - 1;
const MAX_BLOCK: usize = (1 << 10) - 1;
/// Longest Opus packet that is taken, bytes: 1275 for each of its streams, of which there are five at 7.1.
pub const MAX_PACKET: usize = 5 * 1275;

/// One encoded packet, as the media threads give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusPacket<'a> {
    /// The packet.
    pub data: &'a [u8],
    /// When its first sample was captured, nanoseconds of the host's clock.
    pub timestamp_ns: u64,
    /// It holds nothing but silence.
    pub silent: bool,
}

/// The messages of one packet: the same sound for those who asked for redundancy and for those who did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundMessages {
    /// The packet alone.
    pub plain: Vec<u8>,
    /// The packet and those before it; `None` where there are none to repeat.
    pub redundant: Option<Vec<u8>>,
}

/// Frames one stream of sound, whoever hears it.
#[derive(Debug)]
pub struct SoundFraming {
    distance: usize,
    /// Newest last; times in samples of 48 kHz.
    recent: VecDeque<(u32, Vec<u8>)>,
    quiet: bool,
}

impl SoundFraming {
    /// A stream whose messages repeat up to `distance` packets, at most [`MAX_REDUNDANCY`]; 0 for none.
    #[must_use]
    pub fn new(distance: usize) -> Self {
        Self { distance: distance.min(MAX_REDUNDANCY), recent: VecDeque::new(), quiet: false }
    }

    /// The messages of the next packet. `None` when there is nothing to send: the packet is empty or over [`MAX_PACKET`],
    /// or another silent one after the first, which told that the sound ended.
    pub fn frame(&mut self, packet: OpusPacket<'_>) -> Option<SoundMessages> {
        let OpusPacket { data, timestamp_ns, silent } = packet;
        if data.is_empty() || data.len() > MAX_PACKET || (silent && self.quiet) {
            return None;
        }
        if self.quiet {
            // What was before the silence is of no use to anybody any more.
            self.recent.clear();
        }
        self.quiet = silent;
        let end = if silent { SOUND_ENDS } else { 0 };
        let mut plain = Vec::with_capacity(2 + data.len());
        plain.extend_from_slice(&[OPCODE_SOUND, end]);
        plain.extend_from_slice(data);
        let time = samples(timestamp_ns);
        let redundant = (self.distance > 0).then(|| self.with_older(time, data, end)).flatten();
        if self.distance > 0 {
            if self.recent.len() == self.distance {
                self.recent.pop_front();
            }
            self.recent.push_back((time, data.to_vec()));
        }
        Some(SoundMessages { plain, redundant })
    }

    fn with_older(&self, time: u32, data: &[u8], end: u8) -> Option<Vec<u8>> {
        let fits = |(at, block): &&(u32, Vec<u8>)| {
            let offset = time.wrapping_sub(*at);
            (1..=MAX_OFFSET).contains(&offset) && block.len() <= MAX_BLOCK
        };
        let older: Vec<_> = self.recent.iter().filter(fits).collect();
        if older.is_empty() {
            return None;
        }
        let repeated: usize = older.iter().map(|(_, block)| block.len()).sum();
        let mut message = Vec::with_capacity(7 + 4 * older.len() + repeated + data.len());
        message.extend_from_slice(&[OPCODE_SOUND, end | older.len() as u8]);
        message.extend_from_slice(&time.to_be_bytes());
        for (at, block) in &older {
            let field = (time.wrapping_sub(*at) << 10) | block.len() as u32;
            message.push(0x80 | BLOCK_TYPE);
            message.extend_from_slice(&field.to_be_bytes()[1..]);
        }
        message.push(BLOCK_TYPE);
        older.iter().for_each(|(_, block)| message.extend_from_slice(block));
        message.extend_from_slice(data);
        Some(message)
    }
}

/// A time in samples of 48 kHz, which run over after a day.
fn samples(ns: u64) -> u32 {
    (u128::from(ns) * 48 / 1_000_000) as u32
}
