//! Input as the session hands it on.

use crate::wire::GamepadMessage;

/// Input for the input and gamepad plugins.
#[derive(Debug, Clone, PartialEq)]
pub enum InputEvent {
    /// A key by X keysym.
    Key {
        /// X keysym.
        keysym: u32,
        /// Pressed or released.
        down: bool,
    },
    /// The page's user keeps a key down, and the page repeats it. It was pressed before and is still.
    KeyRepeat {
        /// X keysym.
        keysym: u32,
    },
    /// Release every key, known or not.
    ResetKeyboard,
    /// Type text.
    Text(String),
    /// Pointer to a place, pixels of the display.
    PointerTo {
        /// From the left.
        x: u32,
        /// From the top.
        y: u32,
    },
    /// Pointer moved by pixels.
    PointerBy {
        /// To the right.
        dx: i32,
        /// Downwards.
        dy: i32,
    },
    /// A pointer button.
    Button {
        /// Which.
        button: Button,
        /// Pressed or released.
        down: bool,
    },
    /// Wheel clicks: right and down are positive.
    Wheel {
        /// Horizontal clicks.
        dx: i32,
        /// Vertical clicks.
        dy: i32,
    },
    /// Touchpad scroll in pixels.
    FingerScroll {
        /// Horizontal.
        dx: f64,
        /// Vertical.
        dy: f64,
    },
    /// The fingers left the touchpad.
    FingerScrollEnd,
    /// A gamepad message; heartbeats never come here.
    Gamepad(GamepadMessage),
    /// All sticks and buttons of a pad to rest: its heartbeats stopped.
    GamepadNeutral {
        /// Slot 0-3.
        slot: u8,
    },
}

/// Pointer buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Button {
    /// Button 1.
    Left,
    /// Button 2.
    Middle,
    /// Button 3.
    Right,
    /// Button 8.
    Back,
    /// Button 9.
    Forward,
}
