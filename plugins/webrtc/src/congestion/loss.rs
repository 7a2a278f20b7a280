//! What follows from packets that did not arrive.
//!
//! As in draft-ietf-rmcat-gcc-02, 6: below 2 % nothing, above 10 % less. Loss that does not care how much is sent (a bad
//! radio link) is told from that of a path that is full by lowering the rate: when that does not help, it is taken for the
//! path's own, and only what is beyond it counts.

/// Packets of one judgement, at least: of fewer, 5 % loss looks like twice as much now and then.
const LEAST: u32 = 150;
/// And time.
const INTERVAL_NS: u64 = 200_000_000;
/// Loss from which the rate falls.
const TOO_MUCH: f64 = 0.10;
/// The rate must have fallen to this share before loss is called the path's own.
const TRIED: f64 = 0.6;
/// And this share of the loss must be left.
const UNMOVED: f64 = 0.6;
/// And the rate must be below this share of what bursts find.
const FREE: f64 = 0.9;
/// How fast what is the path's own is doubted, per judgement.
const DOUBT: f64 = 0.02;

/// The loss-based limit.
#[derive(Debug)]
pub(super) struct Loss {
    bounds: (f64, f64),
    packets: u32,
    lost: u32,
    judged_ns: u64,
    /// Loss that is the path's own.
    inherent: f64,
    /// Rate and loss when loss began to be too much.
    episode: Option<(f64, f64)>,
}

impl Loss {
    pub(super) fn new(bounds: (f64, f64)) -> Self {
        Self { bounds, packets: 0, lost: 0, judged_ns: 0, inherent: 0.0, episode: None }
    }

    /// A packet of which the client reported.
    pub(super) fn add(&mut self, is_lost: bool) {
        self.packets += 1;
        self.lost += u32::from(is_lost);
    }

    /// The rate that is left of an estimate; `capacity` is how fast bursts arrive.
    pub(super) fn limit(&mut self, estimate: f64, capacity: Option<f64>, now_ns: u64) -> f64 {
        if self.packets < LEAST || now_ns.saturating_sub(self.judged_ns) < INTERVAL_NS {
            return estimate;
        }
        let loss = f64::from(self.lost) / f64::from(self.packets);
        (self.packets, self.lost, self.judged_ns) = (0, 0, now_ns);
        if loss < self.inherent {
            self.inherent += (loss - self.inherent) * DOUBT;
        }
        let beyond = loss - self.inherent;
        if beyond <= TOO_MUCH {
            if beyond < TOO_MUCH / 5.0 {
                self.episode = None;
            }
            return estimate;
        }
        let (began, first) = *self.episode.get_or_insert((estimate, loss));
        // A path that is full with a short queue loses much, too, and says nothing by its delay.
        let is_free = capacity.is_none_or(|capacity| estimate < capacity * FREE);
        if is_free && estimate <= began * TRIED && loss >= first * UNMOVED {
            // It did not help. What was given up comes back by itself.
            self.inherent = loss;
            self.episode = None;
            return estimate;
        }
        (estimate * (1.0 - 0.5 * beyond)).max(self.bounds.0)
    }
}
