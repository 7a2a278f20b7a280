//! One client of a stream.

use std::time::{Duration, Instant};

use super::fanout::Priority;
use super::pacer::ClientPacer;
use super::recovery::Recovery;
use super::repeats::Repeats;
use super::stripes::{Batch, Bounds, ClientView, Needs, StripeCache};

/// A client is not given more of what it missed than it draws in this time: that would make its picture old.
const CATCH_UP: Duration = Duration::from_millis(60);

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) view: ClientView,
    pub(super) pacer: ClientPacer,
    pub(super) priority: Priority,
    pub(super) active: bool,
    /// The newest frame of which it took something, by its grab.
    pub(super) offered: Option<Instant>,
    pub(super) repeats: Repeats,
    pub(super) recovery: Recovery,
    /// What its word of lost frames costs.
    losses: Recovery,
    /// It said so, and has got nothing since.
    lost: bool,
    /// The newest batch that had every stripe of the picture standing alone.
    key: Option<u16>,
    /// What it had when a frame was to be predicted from that for it, of which it has got nothing since.
    pub(super) tried: Option<u16>,
}

impl Member {
    /// A client that has nothing. What one of the same name cost `before` is not forgotten.
    pub(super) fn new(before: Option<Self>, priority: Priority) -> Self {
        let (mut pacer, repeats, recovery, losses) = match before {
            Some(before) => (before.pacer, before.repeats.anew(), before.recovery, before.losses),
            None => (ClientPacer::new(), Repeats::default(), Recovery::keyframes(), Recovery::anchors()),
        };
        pacer.reset();
        Self {
            view: ClientView::new(),
            pacer,
            priority,
            active: true,
            offered: None,
            repeats,
            recovery,
            losses,
            lost: false,
            key: None,
            tried: None,
        }
    }

    /// Its transport controls congestion itself and tells what arrives; it loses nothing that it does not ask for again.
    pub(super) fn reports(&mut self) {
        self.pacer.reports();
        self.repeats.drop();
        self.recovery.reports();
        self.losses.reports();
    }

    /// What it may take at once; `hastes` where a frame comes soon that it can do with alone.
    pub(super) fn bounds(&self, hastes: bool) -> Bounds {
        Bounds { rows: self.pacer.rows(), links: if hastes { self.pacer.draws_in(CATCH_UP) } else { None } }
    }

    /// Takes its batch and counts it as sent.
    pub(super) fn take<P: Clone>(
        &mut self,
        now: Instant,
        cache: &StripeCache<P>,
        hastes: bool,
    ) -> Option<Batch<P>> {
        let bounds = self.bounds(hastes);
        let batch = cache.take(&mut self.view, bounds)?;
        (self.lost, self.tried) = (false, None);
        let alone = batch.packets.iter().filter(|packet| packet.needs == Needs::Nothing).count();
        // Ids wrap: one that comes again is another batch.
        self.key.take_if(|key| *key == batch.frame_id);
        if alone == cache.len() {
            self.key = Some(batch.frame_id);
        }
        self.repeats.sends(now, cache.epoch());
        self.pacer.on_sent(now, batch.frame_id, batch.rows, batch.bytes);
        Some(batch)
    }

    /// Its decoder dropped a frame, or, with `None`, everything. Who asks for a key frame once more while one is on the way
    /// to it gets that.
    pub(super) fn lose<P: Clone>(&mut self, cache: &StripeCache<P>, frame_id: Option<u16>) {
        let comes = frame_id.is_none() && self.key.is_some_and(|key| self.pacer.is_under_way(key));
        if comes && cache.is_chained() {
            return;
        }
        cache.lose(&mut self.view, frame_id);
        self.offered = None;
        self.lost = frame_id.is_some();
    }

    /// Whether the next frame may be predicted from an older one for its sake. The lead may always ask for that, and who is
    /// merely slow. For a viewer that says again and again that it lost frames they become rare.
    pub(super) fn may_anchor(&self, now: Instant) -> bool {
        self.priority == Priority::Lead || !self.lost || self.losses.allows(now)
    }

    /// The next frame is predicted from an older one, also for its sake.
    pub(super) fn anchored(&mut self, now: Instant) {
        self.tried = self.view.known();
        if self.lost {
            self.losses.used(now);
        }
    }
}
