//! The newest packets of every stripe, and what each client has of them.

use std::collections::{BTreeMap, VecDeque};

use super::chain::{Chain, Link, MEMORY};

/// Most stripes held; a frame of 65536 rows in stripes of 64.
const MAX_STRIPES: usize = 1024;

/// What must have been decoded before a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: JPEG, a key frame.
    Nothing,
    /// The stripe's packet before it, discardable ones not counted.
    Before,
    /// The stripe's packet of this frame.
    Frame(u16),
}

/// One encoded stripe as published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<P> {
    /// Frame id as in the packet's own header.
    pub frame_id: u16,
    /// First row.
    pub y: u16,
    /// Rows.
    pub height: u16,
    /// What it builds on.
    pub needs: Needs,
    /// Nothing builds on it: whoever is behind does without.
    pub discardable: bool,
    /// Size on the wire in bytes.
    pub bytes: usize,
    /// The packet, cheap to clone (a counted reference).
    pub payload: P,
}

/// What a client may take at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Most rows, where packets stand alone.
    pub rows: Option<u32>,
    /// Most packets of a stripe, where they build on each other. Who misses more waits for another way.
    pub links: Option<usize>,
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

/// The newest packet of every stripe of one stream, whatever the clients do. Where packets build on each other, each stripe
/// keeps besides it the deltas before it, 16 KiB or half its key frame of them, whichever is more, and that key frame itself
/// while they lead back to it.
///
/// A client takes with its [`ClientView`] the newest packet of each stripe it lacks, once: a slow client skips
/// what was replaced meanwhile, and a late joiner gets the whole picture without a new encode. Packets in one batch
/// may stem from several frames and keep their ids; they go out in the order of publication, so ids never run
/// backwards within a batch, and the last of them stands for the batch in the client's pacer. A batch of bounded size
/// may leave packets for the next one, which then can have the same or an older id.
///
/// Where packets build on each other (H.264 deltas) a client that skipped some gets all that the newest builds on, as
/// long as that is little (12 packets of a stripe, half the bytes of its key frame). One that missed more gets
/// nothing of that stripe until a packet is published that needs nothing it lacks: one that stands alone, see
/// [`StripeCache::needs_keyframe`], or one that builds on a picture it has, see [`ClientView::known`].
#[derive(Debug, Clone)]
pub struct StripeCache<P> {
    slots: BTreeMap<u16, Chain<P>>,
    serial: u64,
    /// Frame id of the packet published last.
    newest: u16,
    epoch: u64,
    /// Some packet built on another: then a stripe left out costs a key frame.
    chained: bool,
    /// The next packet is another encoder's first.
    succeeded: bool,
}

/// What a client has of one stripe.
#[derive(Debug, Clone, Default)]
struct Held {
    /// Serial of the packet it took last.
    serial: u64,
    /// In which of its turns.
    turn: u64,
    /// Serials of packets it took before that and that still may be built on, oldest first.
    before: VecDeque<u64>,
}

impl Held {
    fn take(&mut self, serial: u64, turn: u64, chained: bool) {
        if chained && self.serial > 0 {
            if self.before.len() >= MEMORY {
                self.before.pop_front();
            }
            self.before.push_back(self.serial);
        }
        (self.serial, self.turn) = (serial, turn);
    }

    fn has(&self, serial: u64) -> bool {
        self.serial == serial || self.before.contains(&serial)
    }
}

/// What one client has of each stripe.
#[derive(Debug, Clone, Default)]
pub struct ClientView {
    epoch: u64,
    have: BTreeMap<u16, Held>,
    turn: u64,
    /// Frames after whose batch it lacked nothing, with the newest serial then, oldest first.
    complete: VecDeque<(u16, u64)>,
    /// Where packets build on each other: what it lost and all up to here is not sent again, because its decoder is past
    /// that.
    after: u64,
    /// Serials at [`ClientView::note`].
    noted: BTreeMap<u16, u64>,
}

impl<P> Default for StripeCache<P> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), serial: 0, newest: 0, epoch: 0, chained: false, succeeded: false }
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
        let same = self.slots.get(&top).is_some_and(|chain| chain.newest().packet.height == packet.height);
        if !same {
            self.slots.retain(|&y, chain| {
                let chain_end = u32::from(y) + u32::from(chain.newest().packet.height.max(1));
                u32::from(y) >= end || chain_end <= u32::from(top)
            });
            if self.slots.len() >= MAX_STRIPES {
                return false;
            }
        }
        self.serial += 1;
        self.newest = packet.frame_id;
        if std::mem::take(&mut self.succeeded) {
            self.chained = false;
        }
        self.chained |= packet.needs != Needs::Nothing;
        match self.slots.get_mut(&top) {
            Some(chain) => chain.push(packet, self.serial),
            None => {
                self.slots.insert(top, Chain::new(packet, self.serial));
            }
        }
        true
    }

    /// Forgets all packets: the picture's size or the encoder changed. Every view starts anew by itself.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.epoch += 1;
        (self.chained, self.succeeded) = (false, false);
    }

    /// Another encoder goes on, from a key frame of its own. Until that is published the present packets serve; from then on
    /// only the new encoder's packets say whether they build on each other.
    pub fn succeed(&mut self) {
        self.succeeded = true;
    }

    /// Counts the pictures: another one after each [`StripeCache::clear`].
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether some packet builds on another.
    pub(super) fn is_chained(&self) -> bool {
        self.chained
    }

    /// Takes for `view` the newest packet of every stripe it lacks and can decode, with what leads to it; `None` when
    /// there is none.
    ///
    /// With a bound on the rows, only so many: the stripes whose turn is longest ago, at least one. Whatever is
    /// damaged meanwhile, each stripe thus has its turn before any other has a second one. Stripes of streams whose packets build
    /// on each other are not left out.
    pub fn take(&self, view: &mut ClientView, bounds: Bounds) -> Option<Batch<P>> {
        if view.epoch != self.epoch {
            view.reset();
            view.epoch = self.epoch;
        }
        view.have.retain(|y, _| self.slots.contains_key(y));
        let due = self.due(view, bounds);
        let frame_id = due.last()?.packet.frame_id;
        view.turn += 1;
        for link in &due {
            view.have.entry(link.packet.y).or_default().take(link.serial, view.turn, self.chained);
        }
        if self.chained && !self.slots.values().any(|chain| self.lacks(view, chain)) {
            if view.complete.len() >= MEMORY {
                view.complete.pop_front();
            }
            view.complete.push_back((self.newest, self.serial));
        }
        let packets: Vec<Packet<P>> = due.into_iter().map(|link| link.packet.clone()).collect();
        let bytes = packets.iter().map(|packet| packet.bytes).sum();
        Some(Batch {
            frame_id,
            bytes,
            rows: packets.iter().map(|packet| u32::from(packet.height)).sum(),
            packets,
        })
    }

    /// The newest frame id of what [`StripeCache::take`] would give.
    pub fn next_id(&self, view: &ClientView, bounds: Bounds) -> Option<u16> {
        self.due(view, bounds).last().map(|link| link.packet.frame_id)
    }

    /// What the view's next batch is made of, in order of publication.
    fn due(&self, view: &ClientView, bounds: Bounds) -> Vec<&Link<P>> {
        let mut due: Vec<&Link<P>> =
            self.slots.values().filter_map(|chain| self.path(view, chain, bounds)).flatten().collect();
        if let Some(rows) = bounds.rows.filter(|_| !self.chained) {
            // Stable: stripes of one turn stay in the order of their rows.
            due.sort_by_key(|link| self.held(view, link.packet.y).map_or(0, |held| held.turn));
            let mut sum = 0;
            let fits = due.iter().take_while(|link| {
                sum += u32::from(link.packet.height);
                sum <= rows
            });
            let count = fits.count().max(1);
            due.truncate(count);
        }
        due.sort_unstable_by_key(|link| link.serial);
        due
    }

    /// Whether [`StripeCache::take`] would give something.
    pub fn has_news(&self, view: &ClientView, bounds: Bounds) -> bool {
        self.slots.values().any(|chain| self.path(view, chain, bounds).is_some())
    }

    /// Whether some stripe is lost to this client until a packet of it is published that stands alone, or builds on
    /// what the client has.
    pub fn needs_keyframe(&self, view: &ClientView, bounds: Bounds) -> bool {
        self.slots.values().any(|chain| self.lacks(view, chain) && self.path(view, chain, bounds).is_none())
    }

    /// The client's decoder dropped a frame, or, with `None`, everything that it got.
    ///
    /// Packets that stand alone are then given to it once more. Where packets build on each other it keeps what it had
    /// before that frame, and goes on with the first packet that builds on that. What it was not given yet is still good: a key
    /// frame that waits for it need not be made again.
    pub fn lose(&self, view: &mut ClientView, frame_id: Option<u16>) {
        let Some(lost) = frame_id.filter(|_| self.chained && view.epoch == self.epoch) else {
            // What it was never given it cannot have lost.
            let taken = view.have.values().map(|held| held.serial).max().unwrap_or(0);
            let after = if view.epoch == self.epoch { view.after.max(taken) } else { 0 };
            view.reset();
            view.after = if self.chained { after } else { 0 };
            return;
        };
        let before = |&(id, _): &(u16, u64)| lost != id && lost.wrapping_sub(id) < 0x8000;
        let Some(&(id, serial)) = view.complete.iter().rfind(|entry| before(entry)) else {
            return self.lose(view, None);
        };
        view.after = self.serial;
        view.complete.retain(|entry| entry.1 <= serial && (entry.0 == id || before(entry)));
        view.have.retain(|_, held| {
            while held.serial > serial
                && let Some(older) = held.before.pop_back()
            {
                held.serial = older;
            }
            held.serial <= serial
        });
    }

    /// Frames published since the view lacked nothing, as far as ids tell; `None` when it never had everything.
    pub(super) fn behind(&self, view: &ClientView) -> Option<u16> {
        let known = view.known().filter(|_| view.epoch == self.epoch)?;
        Some(self.newest.wrapping_sub(known))
    }

    /// Number of stripes held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was published since the last clearing.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn held<'v>(&self, view: &'v ClientView, y: u16) -> Option<&'v Held> {
        view.have.get(&y).filter(|_| view.epoch == self.epoch)
    }

    fn lacks(&self, view: &ClientView, chain: &Chain<P>) -> bool {
        let newest = chain.newest();
        self.held(view, newest.packet.y).map(|held| held.serial) != Some(newest.serial)
    }

    /// What the view lacks of a stripe; `None` when it lacks nothing, or cannot use it.
    fn path<'c>(&self, view: &ClientView, chain: &'c Chain<P>, bounds: Bounds) -> Option<Vec<&'c Link<P>>> {
        if !self.lacks(view, chain) {
            return None;
        }
        let after = if view.epoch == self.epoch { view.after } else { 0 };
        let path = match self.held(view, chain.newest().packet.y) {
            Some(held) => chain.path(held.serial.max(after), |serial| held.has(serial)),
            None => chain.path(after, |_| false),
        };
        path.filter(|path| bounds.links.is_none_or(|most| path.len() <= most))
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
        self.complete.clear();
        self.after = 0;
    }

    /// The newest frame after which it lacked nothing, where packets build on each other: what a packet for it may be
    /// predicted from, or from any older one it had.
    pub fn known(&self) -> Option<u16> {
        self.complete.back().map(|entry| entry.0)
    }

    /// Remembers what it has, for [`ClientView::lose_noted`].
    pub(super) fn note(&mut self) {
        self.noted = self.have.iter().map(|(&y, held)| (y, held.serial)).collect();
    }

    /// Forgets the stripes of which it has taken nothing since [`ClientView::note`].
    pub(super) fn lose_noted(&mut self) {
        let noted = std::mem::take(&mut self.noted);
        self.have.retain(|y, held| noted.get(y) != Some(&held.serial));
    }
}
