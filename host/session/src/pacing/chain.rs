//! One stripe's packets: the newest, and the ones before it that lead to it.

use std::collections::VecDeque;

use super::stripes::{Needs, Packet};

/// Most packets kept of one stripe: who missed more is not brought up to date by them.
const MAX_LINKS: usize = 12;
/// So many bytes of deltas are kept in any case; beyond that, as many as half a key frame has. Whoever lacks more is
/// served sooner by a key frame.
const LEAST_BYTES: usize = 16 * 1024;
/// Pictures that decoders of H.264 keep at most: no packet refers to an older one.
pub(super) const MEMORY: usize = 16;

/// One packet, and what it builds on.
#[derive(Debug, Clone)]
pub(super) struct Link<P> {
    pub(super) packet: Packet<P>,
    pub(super) serial: u64,
    /// Serial of the packet that it builds on; 0 for one that nobody has.
    base: Option<u64>,
}

/// The newest packet of a stripe with its recent predecessors. Packets that stand alone have none.
#[derive(Debug, Clone)]
pub(super) struct Chain<P> {
    links: VecDeque<Link<P>>,
    newest: Link<P>,
    /// Bytes of the deltas in `links`.
    bytes: usize,
    /// Size of the last packet that stood alone.
    whole: usize,
    /// Frame ids and serials of the pictures that packets may build on, oldest first.
    pictures: VecDeque<(u16, u64)>,
}

impl<P: Clone> Chain<P> {
    /// A stripe that begins with this packet.
    pub(super) fn new(packet: Packet<P>, serial: u64) -> Self {
        let base = (packet.needs != Needs::Nothing).then_some(0);
        let (whole, id, discardable) = (packet.bytes, packet.frame_id, packet.discardable);
        let newest = Link { packet, serial, base };
        let pictures = if discardable { VecDeque::new() } else { VecDeque::from([(id, serial)]) };
        Self { links: VecDeque::new(), newest, bytes: 0, whole, pictures }
    }

    /// The stripe's next packet.
    pub(super) fn push(&mut self, packet: Packet<P>, serial: u64) {
        let base = match packet.needs {
            Needs::Nothing => {
                *self = Self::new(packet, serial);
                return;
            }
            Needs::Before => self.pictures.back().map(|picture| picture.1),
            Needs::Frame(id) => self.pictures.iter().rev().find(|picture| picture.0 == id).map(|p| p.1),
        };
        if !packet.discardable {
            self.pictures.push_back((packet.frame_id, serial));
            if self.pictures.len() > MEMORY {
                self.pictures.pop_front();
            }
        }
        let link = Link { packet, serial, base: Some(base.unwrap_or(0)) };
        let before = std::mem::replace(&mut self.newest, link);
        self.bytes += before.delta_bytes();
        self.links.push_back(before);
        let budget = LEAST_BYTES.max(self.whole / 2);
        while self.links.len() >= MAX_LINKS || self.bytes + self.newest.delta_bytes() > budget {
            let Some(oldest) = self.links.pop_front() else { break };
            self.bytes -= oldest.delta_bytes();
        }
    }

    pub(super) fn newest(&self) -> &Link<P> {
        &self.newest
    }

    /// The packets that lead from what a client `has` to the newest picture, oldest first; `None` when it must wait for
    /// one that needs nothing it lacks. Only packets after the serial `after` count.
    pub(super) fn path(&self, after: u64, has: impl Fn(u64) -> bool) -> Option<Vec<&Link<P>>> {
        let mut link = &self.newest;
        let mut path = Vec::with_capacity(1);
        loop {
            if link.serial <= after {
                return None;
            }
            path.push(link);
            match link.base {
                Some(base) if !has(base) => {
                    link = self.links.iter().rfind(|link| link.serial == base)?;
                }
                _ => break,
            }
        }
        path.reverse();
        Some(path)
    }
}

impl<P> Link<P> {
    fn delta_bytes(&self) -> usize {
        if self.base.is_some() { self.packet.bytes } else { 0 }
    }
}
