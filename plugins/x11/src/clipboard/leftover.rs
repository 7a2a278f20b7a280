//! Requests that were given up, and the windows that they are answered in.
//!
//! An owner that was asked may answer later, in many parts, and some know their askers by the window only: until such an
//! answer is over, its parts are dropped, and nothing else is asked from that window.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, Window, WindowClass},
    rust_connection::RustConnection,
};

use crate::error::Result;

/// Most answers that are dropped at once. The oldest gives way: its window ends, and what comes there is the server's.
const MAX_LEFTOVERS: usize = 8;

/// Windows to ask from.
#[derive(Debug)]
pub(super) struct Readers {
    root: Window,
    /// The one that is asked from now.
    current: Window,
    /// Those that are still being answered, oldest first; true for an answer that comes in parts.
    leftover: Vec<(Window, bool)>,
    spare: Vec<Window>,
}

impl Readers {
    pub(super) fn new(x: &RustConnection, root: Window) -> Result<Self> {
        let current = window(x, root)?;
        Ok(Self { root, current, leftover: Vec::new(), spare: Vec::new() })
    }

    pub(super) fn current(&self) -> Window {
        self.current
    }

    /// Gives up what was asked from the current window; `parts`: some of it came. Another one takes its place.
    pub(super) fn give_up(&mut self, x: &RustConnection, parts: bool) -> Result<()> {
        let next = match self.spare.pop() {
            Some(spare) => spare,
            None => window(x, self.root)?,
        };
        self.leftover.push((std::mem::replace(&mut self.current, next), parts));
        if self.leftover.len() > MAX_LEFTOVERS {
            x.destroy_window(self.leftover.remove(0).0)?;
        }
        Ok(())
    }

    /// The owner refused after all what was given up.
    pub(super) fn refused(&mut self, window: Window) {
        if let Some(at) = self.leftover.iter().position(|&(known, _)| known == window) {
            self.spare.push(self.leftover.remove(at).0);
        }
    }

    /// Some owner is in the middle of an answer.
    pub(super) fn are_busy(&self) -> bool {
        self.leftover.iter().any(|&(_, parts)| parts)
    }

    /// A property of a window was written: drops it, if nobody wants it any more. True when that answer is over now.
    pub(super) fn written(
        &mut self,
        x: &RustConnection,
        window: Window,
        property: Atom,
        incr: Atom,
    ) -> Result<bool> {
        let Some(at) = self.leftover.iter().position(|&(known, _)| known == window) else { return Ok(false) };
        let found = x.get_property(false, window, property, AtomEnum::ANY, 0, 0)?.reply()?;
        x.delete_property(window, property)?;
        x.flush()?;
        let (_, parts) = &mut self.leftover[at];
        if found.type_ == incr {
            *parts = true;
            return Ok(false);
        }
        let over = found.type_ != x11rb::NONE && (!*parts || found.bytes_after == 0);
        if over {
            self.spare.push(self.leftover.remove(at).0);
        }
        Ok(over)
    }
}

/// A window that is never shown.
pub(super) fn window(x: &RustConnection, root: Window) -> Result<Window> {
    let window = x.generate_id()?;
    let mask = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
    x.create_window(0, window, root, -1, -1, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &mask)?.check()?;
    Ok(window)
}
