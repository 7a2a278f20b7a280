//! The pointer, where a page wants it in the picture.
//!
//! Its shape is the display's; its place is where clients moved it, because captures do not tell.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use selkies_plugin_host::CursorShape;
use selkies_session::InputEvent;

use crate::{orders::Orders, sprite::Sprite};

/// A shape with the pixel in it that points.
#[derive(Clone, Debug)]
struct Shape {
    sprite: Arc<Sprite>,
    hot: (i32, i32),
}

#[derive(Debug, Default)]
struct State {
    shape: Option<Shape>,
    at: (i32, i32),
}

/// What is known of the pointer. Any thread may use it.
#[derive(Debug)]
pub(crate) struct Pointer {
    orders: Arc<Orders>,
    wanted: AtomicBool,
    changed: AtomicBool,
    state: Mutex<State>,
}

impl Pointer {
    /// One that is not wanted; the video thread is told of changes through its orders.
    pub(crate) fn new(orders: Arc<Orders>) -> Self {
        let off = || AtomicBool::new(false);
        Self { orders, wanted: off(), changed: off(), state: Mutex::default() }
    }

    /// Whether it is to be in the picture.
    pub(crate) fn want(&self, wanted: bool) {
        if self.wanted.swap(wanted, Ordering::SeqCst) != wanted {
            self.changed.store(true, Ordering::SeqCst);
            self.orders.look();
        }
    }

    /// It has another shape, or none.
    pub(crate) fn shaped(&self, cursor: &CursorShape) {
        let visible = cursor.visible && cursor.width > 0 && cursor.height > 0;
        let shape = visible.then(|| Shape {
            sprite: Arc::new(Sprite::new(
                cursor.width,
                cursor.height,
                cursor.rgba.as_chunks::<4>().0.iter().copied(),
            )),
            hot: (cursor.hot_x.cast_signed(), cursor.hot_y.cast_signed()),
        });
        self.state().shape = shape;
        self.tell();
    }

    /// Follows what moves it.
    pub(crate) fn heed(&self, events: &[InputEvent]) {
        let mut moved = false;
        for event in events {
            let at = &mut self.state().at;
            match *event {
                InputEvent::PointerTo { x, y } => *at = (x.cast_signed(), y.cast_signed()),
                InputEvent::PointerBy { dx, dy } => *at = (at.0.saturating_add(dx), at.1.saturating_add(dy)),
                _ => continue,
            }
            moved = true;
        }
        if moved {
            self.tell();
        }
    }

    /// True when the picture is another one because of it, since this was asked last.
    pub(crate) fn takes_change(&self) -> bool {
        self.changed.swap(false, Ordering::SeqCst)
    }

    /// What is to be drawn into a picture of this size, and where its first pixel is.
    pub(crate) fn sprite(&self, (width, height): (u32, u32)) -> Option<(Arc<Sprite>, (i32, i32))> {
        if !self.wanted.load(Ordering::SeqCst) {
            return None;
        }
        let mut state = self.state();
        // It does not leave the display, however far it is pushed.
        let inside = |at: i32, edge: u32| at.clamp(0, edge.cast_signed().max(1) - 1);
        state.at = (inside(state.at.0, width), inside(state.at.1, height));
        let Shape { sprite, hot } = state.shape.clone()?;
        Some((sprite, (state.at.0 - hot.0, state.at.1 - hot.1)))
    }

    fn tell(&self) {
        if self.wanted.load(Ordering::SeqCst) {
            self.changed.store(true, Ordering::SeqCst);
            self.orders.look();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
