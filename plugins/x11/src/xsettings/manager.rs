//! Who manages the settings, and what is done about it.

use tracing::{debug, info};
use x11rb::{
    CURRENT_TIME, NONE,
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        Event,
        res::{ClientIdMask, ClientIdSpec, ConnectionExt as _},
        xfixes::{ConnectionExt as _, SelectionEventMask},
        xproto::{
            Atom, AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt as _,
            CreateWindowAux, EventMask, PropMode, Window, WindowClass,
        },
    },
    wrapper::ConnectionExt as _,
};

use super::{Ownership, Scale, daemon, format};
use crate::{
    connection::{Connection, Ready},
    dpi,
    error::Result,
};

/// Parts of the names of window managers whose desktops have a settings daemon of their own.
const DESKTOPS: [&str; 11] = [
    "xfwm",
    "gnome",
    "mutter",
    "muffin",
    "marco",
    "metacity",
    "kwin",
    "gala",
    "budgie",
    "compiz",
    "enlightenment",
];
/// Longest name of a window manager that is read, in four bytes.
const MAX_NAME: u32 = 64;

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        MANAGER,
        _NET_SUPPORTING_WM_CHECK,
        _NET_WM_NAME,
        _XSETTINGS_SETTINGS,
    }
}

/// The manager's side of a screen's settings.
#[derive(Debug)]
pub(super) struct Manager {
    connection: Connection,
    ownership: Ownership,
    atoms: Atoms,
    /// Whose owner is the manager.
    selection: Atom,
    /// Our window, while we are the manager.
    held: Option<Window>,
    serial: u32,
    /// Something happened that may matter.
    looks: bool,
    /// What is in our window, or what the manager was told, and which one it was.
    told: Option<(Window, Scale)>,
}

impl Manager {
    /// Hears of managers, window managers and resources from now on.
    pub(super) fn new(connection: Connection, ownership: Ownership) -> Result<Self> {
        connection.require("XFIXES", "2.0")?;
        let (x, root) = (connection.x(), connection.root());
        x.xfixes_query_version(5, 0)?.reply()?;
        let atoms = Atoms::new(x)?.reply()?;
        let screen = x.setup().roots.iter().position(|screen| screen.root == root).unwrap_or_default();
        let name = format!("_XSETTINGS_S{screen}");
        let selection = x.intern_atom(false, name.as_bytes())?.reply()?.atom;
        let every = SelectionEventMask::SET_SELECTION_OWNER
            | SelectionEventMask::SELECTION_WINDOW_DESTROY
            | SelectionEventMask::SELECTION_CLIENT_CLOSE;
        x.xfixes_select_selection_input(root, selection, every)?.check()?;
        let hears = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        x.change_window_attributes(root, &hears)?.check()?;
        Ok(Self { connection, ownership, atoms, selection, held: None, serial: 0, looks: true, told: None })
    }

    /// Sees to it that programs know the scale, then sleeps until something is another or the waker was used.
    pub(super) fn attend(&mut self, scale: Option<Scale>) -> Result<()> {
        self.hear()?;
        let news = scale.filter(|scale| self.told.is_none_or(|(_, told)| told != *scale));
        let looks = std::mem::take(&mut self.looks);
        if let Some(scale) = news.or(scale.filter(|_| looks)) {
            // A session that loads its resources while it starts may throw ours away.
            if dpi::is_missing(&self.connection)? {
                dpi::write(&self.connection, scale)?;
            }
            self.tell(scale)?;
        }
        // Replies that were waited for may have brought events: x11rb holds them, and they do not end a sleep.
        self.hear()?;
        if self.looks {
            return Ok(());
        }
        self.connection.ready(None).map(|_: Ready| ())
    }

    /// Reads what the server has to say.
    fn hear(&mut self) -> Result<()> {
        let matters: [Atom; 3] =
            [AtomEnum::RESOURCE_MANAGER.into(), self.atoms._NET_SUPPORTING_WM_CHECK, self.atoms._NET_WM_NAME];
        while let Some((event, _)) = self.connection.next_event()? {
            match event {
                Event::SelectionClear(event) if Some(event.owner) == self.held => {
                    self.give_way()?;
                    self.looks = true;
                }
                Event::XfixesSelectionNotify(_) => self.looks = true,
                Event::PropertyNotify(event) => self.looks |= matters.contains(&event.atom),
                _ => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, scale: Scale) -> Result<()> {
        let owner = self.connection.x().get_selection_owner(self.selection)?.reply()?.owner;
        if owner == NONE {
            if self.may_hold()? {
                return self.take(scale);
            }
        } else if self.told != Some((owner, scale)) {
            self.told = Some((owner, scale));
            if self.held == Some(owner) {
                return self.write(owner, scale);
            }
            if let Some((process, name)) = self.process_of(owner)? {
                daemon::tell(&name, process, scale);
            }
        }
        Ok(())
    }

    /// Whether nobody else is to be expected.
    fn may_hold(&self) -> Result<bool> {
        Ok(match self.ownership {
            Ownership::Never => false,
            Ownership::Always => true,
            Ownership::Auto => match self.window_manager()? {
                Some(name) => !DESKTOPS.iter().any(|part| name.contains(part)),
                None => false,
            },
        })
    }

    /// The name of the window manager in small letters, where one runs (EWMH, `_NET_SUPPORTING_WM_CHECK`).
    fn window_manager(&self) -> Result<Option<String>> {
        let (x, root) = (self.connection.x(), self.connection.root());
        let check = self.atoms._NET_SUPPORTING_WM_CHECK;
        let reply = x.get_property(false, root, check, AtomEnum::WINDOW, 0, 1)?.reply()?;
        let Some(window) = reply.value32().and_then(|mut values| values.next()) else { return Ok(None) };
        // It may be about to say its name.
        let hears = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        x.change_window_attributes(window, &hears)?;
        let name =
            x.get_property(false, window, self.atoms._NET_WM_NAME, AtomEnum::ANY, 0, MAX_NAME)?.reply();
        // One that has ended leaves the property of the root behind.
        let name = name.ok().map(|name| String::from_utf8_lossy(&name.value).to_lowercase());
        Ok(name.filter(|name| !name.is_empty()))
    }

    /// Becomes the manager, unless somebody was faster.
    fn take(&mut self, scale: Scale) -> Result<()> {
        let window = self.connection.x().generate_id()?;
        let (aux, class) = (CreateWindowAux::new(), WindowClass::INPUT_ONLY);
        let root = self.connection.root();
        let made = self.connection.x().create_window(
            0,
            window,
            root,
            -1,
            -1,
            1,
            1,
            0,
            class,
            x11rb::COPY_FROM_PARENT,
            &aux,
        );
        made?.check()?;
        self.write(window, scale)?;
        let x = self.connection.x();
        x.grab_server()?;
        let free = x.get_selection_owner(self.selection)?.reply().map(|reply| reply.owner == NONE);
        if matches!(free, Ok(true)) {
            x.set_selection_owner(window, self.selection, CURRENT_TIME)?;
        }
        x.ungrab_server()?;
        x.flush()?;
        if !free? {
            x.destroy_window(window)?.check()?;
            return Ok(());
        }
        let message = ClientMessageEvent::new(
            32,
            root,
            self.atoms.MANAGER,
            [CURRENT_TIME, self.selection, window, 0, 0],
        );
        x.send_event(false, root, EventMask::STRUCTURE_NOTIFY, message)?;
        x.flush()?;
        (self.held, self.told) = (Some(window), Some((window, scale)));
        info!(dpi = scale.dpi, "programs are told the scale (XSETTINGS)");
        Ok(())
    }

    fn write(&mut self, window: Window, scale: Scale) -> Result<()> {
        self.serial = self.serial.wrapping_add(1);
        let (property, bytes) = (self.atoms._XSETTINGS_SETTINGS, format::property(scale, self.serial));
        let x = self.connection.x();
        Ok(x.change_property8(PropMode::REPLACE, window, property, property, &bytes)?.check()?)
    }

    /// Another manager took over: the window of the one before is to end.
    fn give_way(&mut self) -> Result<()> {
        if let Some(window) = self.held.take() {
            debug!("another program tells the scale from now on");
            self.connection.x().destroy_window(window)?.check()?;
        }
        Ok(())
    }

    /// The process that a window belongs to, with its name, where the server tells.
    fn process_of(&self, window: Window) -> Result<Option<(u32, String)>> {
        let x = self.connection.x();
        if x.extension_information("X-Resource")?.is_none() {
            return Ok(None);
        }
        let asked = [ClientIdSpec { client: window, mask: ClientIdMask::LOCAL_CLIENT_PID }];
        // Older servers do not know the request, and the window may be gone.
        let Ok(reply) = x.res_query_client_ids(&asked)?.reply() else { return Ok(None) };
        let process = reply.ids.first().and_then(|id| id.value.first()).copied();
        Ok(process.and_then(|process| Some((process, daemon::name(process)?))))
    }
}
