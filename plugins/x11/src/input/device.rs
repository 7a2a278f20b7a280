//! The requests of XTEST and XKB that input is made of.

use x11rb::{
    connection::Connection as _,
    protocol::{
        Event,
        xkb::{
            ConnectionExt as _, EventType, GetMapReply, GetStateReply, Group, ID, MapPart, SelectEventsAux,
            VMod,
        },
        xproto::{
            BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
            Keycode, MOTION_NOTIFY_EVENT, ModMask,
        },
        xtest::ConnectionExt as _,
    },
};

use crate::{
    connection::Connection,
    error::{Result, X11Error},
};

/// An X server's core keyboard and pointer, as XTEST moves them.
#[derive(Debug)]
pub(super) struct Device {
    connection: Connection,
}

impl Device {
    pub(super) fn open(display: Option<&str>) -> Result<Self> {
        let connection = Connection::open(display)?;
        let x = connection.x();
        connection.require("XTEST", "2.2")?;
        x.xtest_get_version(2, 2)?.reply()?;
        connection.require("XKEYBOARD", "1.0")?;
        if !x.xkb_use_extension(1, 0)?.reply()?.supported {
            return Err(X11Error::MissingExtension { name: "XKEYBOARD", needed: "1.0" });
        }
        // Input must go on while another client grabs the server.
        x.xtest_grab_control(true)?.check()?;
        let (none, no_parts) = (EventType::from(0u16), MapPart::from(0u16));
        let all = EventType::NEW_KEYBOARD_NOTIFY | EventType::MAP_NOTIFY;
        x.xkb_select_events(core(), none, all, no_parts, no_parts, &SelectEventsAux::new())?.check()?;
        Ok(Self { connection })
    }

    /// Reads the events that are there; true when the keyboard's map is another one than before.
    pub(super) fn map_changed(&self) -> Result<bool> {
        let mut changed = false;
        while let Some((event, _)) = self.connection.next_event()? {
            changed |= matches!(
                event,
                Event::MappingNotify(_) | Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_)
            );
        }
        Ok(changed)
    }

    /// Key types, symbols and modifiers of the core keyboard.
    pub(super) fn map(&self) -> Result<GetMapReply> {
        let full = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
        let (none, no_mods) = (MapPart::from(0u16), VMod::from(0u16));
        let cookie = self.connection.x().xkb_get_map(
            core(),
            full,
            none,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            no_mods,
            0,
            0,
            0,
            0,
            0,
            0,
        )?;
        Ok(cookie.reply()?)
    }

    /// Modifiers and group as they are now.
    pub(super) fn state(&self) -> Result<GetStateReply> {
        Ok(self.connection.x().xkb_get_state(core())?.reply()?)
    }

    /// The keycodes that are down, whoever holds them, as a bit set.
    pub(super) fn keys_down(&self) -> Result<[u8; 32]> {
        Ok(self.connection.x().query_keymap()?.reply()?.keys)
    }

    /// Gives an unused key a symbol (0 takes it away), the same with and without Shift. Whether it worked is seen in the
    /// next [`map`](Self::map).
    pub(super) fn bind(&self, keycode: Keycode, keysym: u32) -> Result<()> {
        self.connection.x().change_keyboard_mapping(1, keycode, 2, &[keysym, keysym])?.ignore_error();
        Ok(())
    }

    /// Sets the locked modifiers within `affect`.
    pub(super) fn lock(&self, affect: u8, locked: u8) -> Result<()> {
        let (none, group) = (ModMask::from(0u8), Group::from(0u8));
        let (affect, locked) = (ModMask::from(affect), ModMask::from(locked));
        self.connection.x().xkb_latch_lock_state(core(), affect, locked, false, group, none, false, 0)?;
        Ok(())
    }

    /// Sets the locked group.
    pub(super) fn lock_group(&self, group: u8) -> Result<()> {
        let none = ModMask::from(0u8);
        let group = Group::from(group);
        self.connection.x().xkb_latch_lock_state(core(), none, none, true, group, none, false, 0)?;
        Ok(())
    }

    pub(super) fn key(&self, keycode: Keycode, pressed: bool) -> Result<()> {
        self.fake(if pressed { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT }, keycode, 0, 0)
    }

    pub(super) fn button(&self, number: u8, pressed: bool) -> Result<()> {
        self.fake(if pressed { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, number, 0, 0)
    }

    /// Moves the pointer, `relative` or to a pixel of the screen. The server keeps it on the screen.
    pub(super) fn motion(&self, relative: bool, x: i16, y: i16) -> Result<()> {
        self.fake(MOTION_NOTIFY_EVENT, relative.into(), x, y)
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) -> Result<()> {
        let root = self.connection.root();
        self.connection.x().xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, root, x, y, 0)?;
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.connection.x().flush()?;
        Ok(())
    }

    /// Waits until the server has done everything that was sent.
    pub(super) fn sync(&self) -> Result<()> {
        self.connection.x().get_input_focus()?.reply()?;
        Ok(())
    }
}

/// The core keyboard, in XKB's words.
fn core() -> u16 {
    ID::USE_CORE_KBD.into()
}
