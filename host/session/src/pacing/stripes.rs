//! The newest packet of every stripe, and what each client has of it.

use std::collections::BTreeMap;

/// Most stripes held; a frame of 65536 rows in stripes of 64.
const MAX_STRIPES: usize = 1024;

/// One encoded stripe as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<P> {
    /// Frame id as in the packet's own header.
    pub frame_id: u16,
    /// First row.
    pub y: u16,
    /// Rows.
    pub height: u16,
    /// Decodable on its own (JPEG, key frame). A packet that is not needs the stripe's packet before it.
    pub independent: bool,
    /// Size on the wire in bytes.
    pub bytes: usize,
    /// The packet, cheap to clone (a counted reference).
    pub payload: P,
}

/// What a client takes at once, oldest stripe first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<P> {
    /// The newest frame id in the batch: the one the client acknowledges last.
    pub frame_id: u16,
    /// Sum of the packets' sizes.
    pub bytes: usize,
    /// Sum of the stripes' heights.
    pub rows: u32,
    /// The packets; each keeps its own frame id.
    pub packets: Vec<Packet<P>>,
}

#[derive(Debug, Clone)]
struct Slot<P> {
    packet: Packet<P>,
    serial: u64,
    /// Serial of the packet this one builds on.
    base: Option<u64>,
}

/// The newest packet of every stripe of one stream: memory of one frame, whatever the clients do.
///
/// A client takes with its [`ClientView`] the newest packet of each stripe it lacks, once: a slow client skips
/// what was replaced meanwhile, and a late joiner gets the whole picture without a new encode. Packets in one batch
/// may stem from several frames and keep their ids; they go out in the order of publication, so ids never run
/// backwards within a batch, and the last of them stands for the batch in the client's pacer. A batch of bounded size
/// may leave packets for the next one, which then can have the same or an older id.
///
/// Where packets build on each other (H.264 deltas) a client that skipped one cannot use the next: the stripe waits
/// for an independent packet, see [`StripeCache::needs_keyframe`].
#[derive(Debug, Clone)]
pub struct StripeCache<P> {
    slots: BTreeMap<u16, Slot<P>>,
    serial: u64,
    epoch: u64,
    /// Some packet built on another: then a stripe left out costs a key frame.
    chained: bool,
}

/// What one client has: of each stripe the serial of the packet it took last, and in which of its turns.
#[derive(Debug, Clone, Default)]
pub struct ClientView {
    epoch: u64,
    have: BTreeMap<u16, (u64, u64)>,
    turn: u64,
    /// Serials at [`ClientView::note`].
    noted: BTreeMap<u16, u64>,
}

impl<P> Default for StripeCache<P> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), serial: 0, epoch: 0, chained: false }
    }
}

impl<P: Clone> StripeCache<P> {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a packet in its stripe's place. One that cuts other stripes than the present ones drops those it
    /// overlaps: the layout changed, and their pixels are covered by it and its siblings of the same frame.
    /// Beyond 1024 stripes the packet is refused (false).
    pub fn publish(&mut self, packet: Packet<P>) -> bool {
        let (top, end) = (packet.y, u32::from(packet.y) + u32::from(packet.height.max(1)));
        let same = self.slots.get(&top).is_some_and(|slot| slot.packet.height == packet.height);
        if !same {
            self.slots.retain(|&y, slot| {
                let slot_end = u32::from(y) + u32::from(slot.packet.height.max(1));
                u32::from(y) >= end || slot_end <= u32::from(top)
            });
            if self.slots.len() >= MAX_STRIPES {
                return false;
            }
        }
        self.serial += 1;
        self.chained |= !packet.independent;
        // A delta without its predecessor builds on nothing anybody has.
        let base = (!packet.independent).then(|| self.slots.get(&top).map_or(0, |slot| slot.serial));
        self.slots.insert(top, Slot { packet, serial: self.serial, base });
        true
    }

    /// Forgets all packets: the picture's size or the encoder changed. Every view starts anew by itself.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.epoch += 1;
        self.chained = false;
    }

    /// Counts the pictures: another one after each [`StripeCache::clear`].
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether some packet builds on another.
    pub(super) fn is_chained(&self) -> bool {
        self.chained
    }

    /// Takes for `view` the newest packet of every stripe it lacks and can decode; `None` when there is none.
    ///
    /// With a bound on the `rows`, only so many: the stripes whose turn is longest ago, at least one. Whatever is
    /// damaged meanwhile, each stripe thus has its turn before any other has a second one. Stripes of streams whose packets build
    /// on each other are not left out.
    pub fn take(&self, view: &mut ClientView, rows: Option<u32>) -> Option<Batch<P>> {
        if view.epoch != self.epoch {
            view.have.clear();
            view.epoch = self.epoch;
        }
        view.have.retain(|y, _| self.slots.contains_key(y));
        let lacking = self.due(view, rows);
        let frame_id = lacking.last()?.packet.frame_id;
        view.turn += 1;
        for slot in &lacking {
            view.have.insert(slot.packet.y, (slot.serial, view.turn));
        }
        let packets: Vec<Packet<P>> = lacking.into_iter().map(|slot| slot.packet.clone()).collect();
        let bytes = packets.iter().map(|packet| packet.bytes).sum();
        Some(Batch {
            frame_id,
            bytes,
            rows: packets.iter().map(|packet| u32::from(packet.height)).sum(),
            packets,
        })
    }

    /// The newest frame id of what [`StripeCache::take`] would give.
    pub fn next_id(&self, view: &ClientView, rows: Option<u32>) -> Option<u16> {
        self.due(view, rows).last().map(|slot| slot.packet.frame_id)
    }

    /// What the view's next batch is made of, in order of publication.
    fn due(&self, view: &ClientView, rows: Option<u32>) -> Vec<&Slot<P>> {
        let mut lacking: Vec<&Slot<P>> = self.slots.values().filter(|slot| self.usable(view, slot)).collect();
        if let Some(rows) = rows.filter(|_| !self.chained) {
            // Stable: stripes of one turn stay in the order of their rows.
            lacking.sort_by_key(|slot| self.held(view, slot).map_or(0, |(_, turn)| turn));
            let mut sum = 0;
            let fits = lacking.iter().take_while(|slot| {
                sum += u32::from(slot.packet.height);
                sum <= rows
            });
            let count = fits.count().max(1);
            lacking.truncate(count);
        }
        lacking.sort_unstable_by_key(|slot| slot.serial);
        lacking
    }

    /// Whether [`StripeCache::take`] would give something.
    pub fn has_news(&self, view: &ClientView) -> bool {
        self.slots.values().any(|slot| self.usable(view, slot))
    }

    /// Whether some stripe is lost to this client until an independent packet of it is published.
    pub fn needs_keyframe(&self, view: &ClientView) -> bool {
        self.slots.values().any(|slot| self.lacks(view, slot) && !self.usable(view, slot))
    }

    /// Number of stripes held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was published since the last clearing.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn held(&self, view: &ClientView, slot: &Slot<P>) -> Option<(u64, u64)> {
        if view.epoch == self.epoch { view.have.get(&slot.packet.y).copied() } else { None }
    }

    fn lacks(&self, view: &ClientView, slot: &Slot<P>) -> bool {
        self.held(view, slot).map(|held| held.0) != Some(slot.serial)
    }

    fn usable(&self, view: &ClientView, slot: &Slot<P>) -> bool {
        self.lacks(view, slot)
            && slot.base.is_none_or(|base| self.held(view, slot).map(|held| held.0) == Some(base))
    }
}

impl ClientView {
    /// A view that has nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything, for after `PIPELINE_RESETTING`: the page dropped its picture.
    pub fn reset(&mut self) {
        self.have.clear();
    }

    /// Remembers what it has, for [`ClientView::lose_noted`].
    pub(super) fn note(&mut self) {
        self.noted = self.have.iter().map(|(&y, &(serial, _))| (y, serial)).collect();
    }

    /// Forgets the stripes of which it has taken nothing since [`ClientView::note`].
    pub(super) fn lose_noted(&mut self) {
        let noted = std::mem::take(&mut self.noted);
        self.have.retain(|y, (serial, _)| noted.get(y) != Some(serial));
    }
}
