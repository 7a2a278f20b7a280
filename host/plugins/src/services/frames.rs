//! The frames that an encoder has: in flight until `done`, retained until `release`.

use std::any::Any;
use std::sync::Arc;

use selkies_plugin_abi::Rect;

/// Whatever keeps a frame's memory unchanged while it is held.
pub(crate) type Keep = Arc<dyn Any + Send + Sync>;

/// A submitted frame that is not `done`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) frame_id: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) timestamp_ns: u64,
    /// When it was submitted, nanoseconds.
    pub(crate) submitted_ns: u64,
}

impl Flight {
    /// Whether `area` is a part of the frame.
    pub(crate) fn contains(&self, area: &Rect) -> bool {
        area.width > 0
            && area.height > 0
            && area.x.checked_add(area.width).is_some_and(|right| right <= self.width)
            && area.y.checked_add(area.height).is_some_and(|bottom| bottom <= self.height)
    }
}

/// A frame's memory in the encoder's hands.
struct Held {
    token: u64,
    retains: u32,
    /// True during the `submit` that brought it.
    current: bool,
    /// Dropped to let the memory change again.
    _keep: Keep,
}

/// The frames of one encoder instance.
#[derive(Default)]
pub(crate) struct FrameTable {
    flights: Vec<Flight>,
    held: Vec<Held>,
}

/// Why a frame could not be retained or released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldRefusal {
    /// The token is not that of the current call, or of a retained frame.
    Unknown,
    /// As many as the caps' `max_retained` are retained.
    TooMany,
}

impl FrameTable {
    /// A frame whose memory is counted elsewhere.
    pub(crate) fn enter(&mut self, flight: Flight) {
        self.flights.push(flight);
    }

    pub(crate) fn begin(&mut self, flight: Flight, token: u64, keep: Keep) {
        self.flights.push(flight);
        self.held.push(Held { token, retains: 0, current: true, _keep: keep });
    }

    /// Ends the call that brought `token`. Answers what is to be dropped after the lock is given back.
    #[must_use]
    pub(crate) fn end_call(&mut self, token: u64) -> Option<impl Sized + use<>> {
        let index = self.held.iter().position(|held| held.token == token)?;
        self.held[index].current = false;
        (self.held[index].retains == 0).then(|| self.held.swap_remove(index))
    }

    pub(crate) fn retain(&mut self, token: u64, limit: u32) -> Result<(), HoldRefusal> {
        let retained: u32 = self.held.iter().map(|held| held.retains).sum();
        let held = self.held.iter_mut().find(|held| held.token == token && held.current);
        let held = held.ok_or(HoldRefusal::Unknown)?;
        if retained >= limit {
            return Err(HoldRefusal::TooMany);
        }
        held.retains += 1;
        Ok(())
    }

    /// Ends one retain. Answers what is to be dropped after the lock is given back.
    pub(crate) fn release(&mut self, token: u64) -> Result<Option<impl Sized + use<>>, HoldRefusal> {
        let index = self.held.iter().position(|held| held.token == token && held.retains > 0);
        let index = index.ok_or(HoldRefusal::Unknown)?;
        self.held[index].retains -= 1;
        let free = self.held[index].retains == 0 && !self.held[index].current;
        Ok(free.then(|| self.held.swap_remove(index)))
    }

    pub(crate) fn flight(&self, frame_id: u64) -> Option<Flight> {
        self.flights.iter().find(|flight| flight.frame_id == frame_id).copied()
    }

    pub(crate) fn finish(&mut self, frame_id: u64) -> Option<Flight> {
        let index = self.flights.iter().position(|flight| flight.frame_id == frame_id)?;
        Some(self.flights.remove(index))
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    pub(crate) fn oldest(&self) -> Option<Flight> {
        self.flights.first().copied()
    }

    /// Takes everything that the encoder still had. Answers what is to be dropped after the lock is given back.
    #[must_use]
    pub(crate) fn clear(&mut self) -> impl Sized + use<> {
        self.flights.clear();
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(frame_id: u64) -> Flight {
        Flight { frame_id, width: 64, height: 32, timestamp_ns: 5, submitted_ns: 6 }
    }

    #[test]
    fn areas_lie_in_the_frame() {
        let flight = flight(1);
        let rect = |x, y, width, height| Rect { x, y, width, height };
        assert!(flight.contains(&rect(0, 0, 64, 32)));
        assert!(flight.contains(&rect(63, 31, 1, 1)));
        for outside in [rect(0, 0, 65, 32), rect(1, 0, 64, 1), rect(0, 0, 0, 1), rect(u32::MAX, 0, 2, 1)] {
            assert!(!flight.contains(&outside), "{outside:?}");
        }
    }

    #[test]
    fn memory_is_held_as_long_as_call_or_retain() {
        let mut table = FrameTable::default();
        let keep: Keep = Arc::new(());
        table.begin(flight(1), 10, Arc::clone(&keep));
        assert_eq!(table.retain(11, 2), Err(HoldRefusal::Unknown));
        table.retain(10, 2).unwrap();
        table.retain(10, 2).unwrap();
        assert_eq!(table.retain(10, 2), Err(HoldRefusal::TooMany));
        assert!(table.end_call(10).is_none());
        assert_eq!(table.retain(10, 3), Err(HoldRefusal::Unknown));
        drop(table.release(10).unwrap());
        assert_eq!(Arc::strong_count(&keep), 2);
        drop(table.release(10).unwrap());
        assert_eq!(Arc::strong_count(&keep), 1);
        assert_eq!(table.release(10).err(), Some(HoldRefusal::Unknown));
        table.begin(flight(2), 20, Arc::clone(&keep));
        assert!(table.end_call(20).is_some());
        assert_eq!(Arc::strong_count(&keep), 1);
        assert_eq!((table.in_flight(), table.oldest().map(|f| f.frame_id)), (2, Some(1)));
        assert!(table.finish(1).is_some() && table.finish(1).is_none());
    }
}
