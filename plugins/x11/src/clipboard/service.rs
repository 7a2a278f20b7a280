//! Answers to applications that paste what is offered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use x11rb::{
    CURRENT_TIME, NONE,
    connection::Connection as _,
    protocol::xproto::{
        Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, PropMode,
        SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Timestamp, Window,
    },
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use super::{Owner, atoms::Atoms, offer::Offer};
use crate::error::Result;

/// An application that takes no part for so long does not want the rest.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most contents under way at once.
const MAX_TRANSFERS: usize = 64;
/// Most conversions of one request.
const MAX_PAIRS: u32 = 64;

/// What is under way to applications.
#[derive(Debug)]
pub(super) struct Service {
    window: Window,
    /// Most bytes of one part.
    part: usize,
    transfers: Vec<Transfer>,
}

/// A content that goes in parts (ICCCM, section 2.7.2). The content is shared; only a part is copied at a time.
#[derive(Debug)]
struct Transfer {
    requestor: Window,
    property: Atom,
    kind: Atom,
    data: Arc<[u8]>,
    at: usize,
    moved: Instant,
}

impl Service {
    pub(super) fn new(window: Window, part: usize) -> Self {
        Self { window, part, transfers: Vec::new() }
    }

    /// Answers a request.
    pub(super) fn request(
        &mut self,
        x: &RustConnection,
        atoms: &Atoms,
        owner: &Owner,
        request: &SelectionRequestEvent,
    ) -> Result<()> {
        // Clients of the oldest kind name no property (ICCCM, section 2.2).
        let property = if request.property == NONE { request.target } else { request.property };
        let converted = match owner {
            Owner::Ours { offer, since }
                if request.owner == self.window && is_since(request.time, *since) =>
            {
                if request.target == atoms.MULTIPLE {
                    request.property != NONE
                        && self.multiple(x, atoms, offer, *since, request.requestor, property)?
                } else {
                    self.convert(x, atoms, offer, *since, request.requestor, request.target, property)?
                }
            }
            _ => false,
        };
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if converted { property } else { NONE },
        };
        x.send_event(false, request.requestor, EventMask::NO_EVENT, answer)?;
        Ok(x.flush()?)
    }

    /// Puts a content, or what is known of it, into a property of the requestor.
    #[expect(clippy::too_many_arguments, reason = "all of them name one conversion")]
    fn convert(
        &mut self,
        x: &RustConnection,
        atoms: &Atoms,
        offer: &Offer,
        since: Timestamp,
        requestor: Window,
        target: Atom,
        property: Atom,
    ) -> Result<bool> {
        if target == atoms.TARGETS {
            let mut all = vec![atoms.TARGETS, atoms.TIMESTAMP, atoms.MULTIPLE];
            all.extend(offer.targets());
            x.change_property32(PropMode::REPLACE, requestor, property, atoms.ATOM, &all)?;
            return Ok(true);
        }
        if target == atoms.TIMESTAMP {
            x.change_property32(PropMode::REPLACE, requestor, property, atoms.INTEGER, &[since])?;
            return Ok(true);
        }
        let Some((kind, data)) = offer.get(target) else { return Ok(false) };
        if data.len() <= self.part {
            x.change_property8(PropMode::REPLACE, requestor, property, kind, data)?;
            return Ok(true);
        }
        self.transfers.retain(|transfer| !transfer.goes_to(requestor, property));
        if self.transfers.len() >= MAX_TRANSFERS {
            return Ok(false);
        }
        let mask = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        x.change_window_attributes(requestor, &ChangeWindowAttributesAux::new().event_mask(mask))?;
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        x.change_property32(PropMode::REPLACE, requestor, property, atoms.INCR, &[size])?;
        let (data, moved) = (data.clone(), Instant::now());
        self.transfers.push(Transfer { requestor, property, kind, data, at: 0, moved });
        Ok(true)
    }

    /// Several conversions in one request: pairs of target and property, of which those that fail are marked.
    fn multiple(
        &mut self,
        x: &RustConnection,
        atoms: &Atoms,
        offer: &Offer,
        since: Timestamp,
        requestor: Window,
        property: Atom,
    ) -> Result<bool> {
        let asked = x.get_property(false, requestor, property, AtomEnum::ANY, 0, MAX_PAIRS * 2)?.reply();
        let Some(mut pairs) = asked.ok().and_then(|asked| Some(asked.value32()?.collect::<Vec<_>>())) else {
            return Ok(false);
        };
        for pair in pairs.chunks_exact_mut(2) {
            let &mut [target, place] = pair else { continue };
            let done = place != NONE
                && target != atoms.MULTIPLE
                && self.convert(x, atoms, offer, since, requestor, target, place)?;
            if !done {
                pair[1] = NONE;
            }
        }
        x.change_property32(PropMode::REPLACE, requestor, property, atoms.ATOM_PAIR, &pairs)?;
        Ok(true)
    }

    /// The requestor took what was in its property: the next part goes there, at last an empty one.
    pub(super) fn taken(&mut self, x: &RustConnection, requestor: Window, property: Atom) -> Result<()> {
        let Some(at) = self.transfers.iter().position(|transfer| transfer.goes_to(requestor, property))
        else {
            return Ok(());
        };
        let transfer = &mut self.transfers[at];
        let rest = &transfer.data[transfer.at..];
        let part = &rest[..rest.len().min(self.part)];
        x.change_property8(PropMode::REPLACE, requestor, property, transfer.kind, part)?;
        transfer.at += part.len();
        transfer.moved = Instant::now();
        if part.is_empty() {
            self.transfers.swap_remove(at);
            self.leave(x, requestor)?;
        }
        Ok(x.flush()?)
    }

    /// A window is gone.
    pub(super) fn forget(&mut self, window: Window) {
        self.transfers.retain(|transfer| transfer.requestor != window);
    }

    /// Gives up on applications that stopped taking; answers when the next one is due.
    pub(super) fn expire(&mut self, x: &RustConnection, now: Instant) -> Result<Option<Instant>> {
        while let Some(at) = self.transfers.iter().position(|transfer| transfer.moved + PATIENCE <= now) {
            let late = self.transfers.swap_remove(at);
            self.leave(x, late.requestor)?;
        }
        Ok(self.transfers.iter().map(|transfer| transfer.moved + PATIENCE).min())
    }

    /// Hears no more of a window to which nothing is under way.
    fn leave(&self, x: &RustConnection, window: Window) -> Result<()> {
        if self.transfers.iter().all(|transfer| transfer.requestor != window) {
            let deaf = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
            x.change_window_attributes(window, &deaf)?;
        }
        Ok(())
    }
}

impl Transfer {
    fn goes_to(&self, requestor: Window, property: Atom) -> bool {
        self.requestor == requestor && self.property == property
    }
}

/// Whether a request is about the content that was offered at `since`; times wrap around after 49 days.
fn is_since(time: Timestamp, since: Timestamp) -> bool {
    time == CURRENT_TIME || time.wrapping_sub(since) < u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_earlier_times_are_about_something_else() {
        assert!(is_since(CURRENT_TIME, 500) && is_since(500, 500) && is_since(501, 500));
        assert!(!is_since(499, 500));
        assert!(is_since(10, u32::MAX - 5) && !is_since(u32::MAX - 5, 10));
    }
}
