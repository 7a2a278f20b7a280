//! Input into the desktop through XTEST.

mod device;
mod keyboard;
mod keymap;
mod keysym;
mod pointer;
mod scratch;

use selkies_plugin_sdk::{Button, InputEvent, abi::MAX_INPUT_TEXT};

use crate::error::{Result, X11Error};
use device::Device;
use keyboard::Keyboard;
use pointer::Pointer;

/// Injects keyboard, pointer and text events into an X server. Dropping it releases what it holds.
#[derive(Debug)]
pub struct Injector {
    device: Device,
    keyboard: Keyboard,
    pointer: Pointer,
}

impl Injector {
    /// Connects to `display` (`None`: `$DISPLAY`).
    ///
    /// # Errors
    /// Those of [`Connection::open`](crate::connection::Connection::open), [`X11Error::MissingExtension`].
    pub fn open(display: Option<&str>) -> Result<Self> {
        let device = Device::open(display)?;
        let keyboard = Keyboard::new(&device)?;
        Ok(Self { device, keyboard, pointer: Pointer::default() })
    }

    /// Injects events in order and flushes them. An event that cannot be injected does not keep the others back; the
    /// first such failure is the answer.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`] at once; [`X11Error::InvalidArgument`] and [`X11Error::Unsupported`] (touch, a key
    /// that the keyboard has no room for) after the other events.
    pub fn inject(&mut self, events: &[InputEvent<'_>]) -> Result<()> {
        let mut outcome = Ok(());
        for event in events {
            match self.one(event) {
                Err(error) if error.is_lost() => return Err(error),
                Err(error) if outcome.is_ok() => outcome = Err(error),
                _ => {}
            }
        }
        self.device.flush()?;
        outcome
    }

    fn one(&mut self, event: &InputEvent<'_>) -> Result<()> {
        let Self { device, keyboard, pointer } = self;
        match *event {
            InputEvent::Keysym { keysym, pressed: true } => keyboard.press(device, keysym),
            InputEvent::Keysym { keysym, pressed: false } => keyboard.release(device, keysym),
            InputEvent::Keycode { code, pressed } => keyboard.evdev(device, code, pressed),
            InputEvent::PointerAbsolute { x, y } => pointer.move_to(device, x, y),
            InputEvent::PointerRelative { dx, dy } => pointer.move_by(device, dx, dy),
            InputEvent::Button { button, pressed } => pointer.button(device, button_number(button), pressed),
            InputEvent::Scroll { dx, dy } => pointer.scroll(device, dx, dy),
            InputEvent::Text(text) if text.len() > MAX_INPUT_TEXT => Err(X11Error::InvalidArgument(format!(
                "a text of {} bytes; one event takes {MAX_INPUT_TEXT}",
                text.len()
            ))),
            InputEvent::Text(text) => keyboard.text(device, text),
            InputEvent::ReleaseAll => {
                keyboard.release_all(device)?;
                pointer.release_all(device)
            }
            InputEvent::Touch { .. } => Err(X11Error::Unsupported("XTEST has no touch points".into())),
        }
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        // A server that is gone holds nothing any more.
        let _ = self.keyboard.release_all(&self.device);
        let _ = self.pointer.release_all(&self.device);
        let _ = self.keyboard.unbind(&self.device);
        let _ = self.device.sync();
    }
}

fn button_number(button: Button) -> u8 {
    match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
        Button::Back => 8,
        Button::Forward => 9,
    }
}
