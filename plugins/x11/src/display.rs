//! Outputs and their modes, from RandR 1.2 and newer.
//!
//! A request may name any size up to the server's limit: when the output has no such mode, one is made. Xvfb's limit is
//! the size of its `-screen` argument.

use std::collections::HashMap;

use selkies_plugin_sdk::{Output, OutputRequest};
use tracing::warn;
use x11rb::protocol::randr::{
    Connection as Link, ConnectionExt as _, Crtc, GetCrtcInfoReply, GetOutputInfoReply,
    GetScreenResourcesCurrentReply, GetScreenSizeRangeReply, Mode, ModeInfo, Output as OutputId,
};

use crate::{
    connection::Connection,
    dpi,
    error::{Result, X11Error},
    layout::{self, Placement},
    mode,
    xsettings::{Announcer, Ownership, Scale},
};

/// Refresh rate of a mode that is made without one being asked for, in millihertz.
const DEFAULT_REFRESH_MHZ: u32 = 60_000;
/// How far the rate of an existing mode may be from the wanted one, in millihertz.
const REFRESH_TOLERANCE_MHZ: u32 = 500;

/// The outputs of an X server.
#[derive(Debug)]
pub struct Outputs {
    connection: Connection,
    display: Option<String>,
    ownership: Ownership,
    /// Tells running programs the scale, once there is one to tell.
    announcer: Option<Announcer>,
}

/// Everything that RandR says about a screen, read at one time.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) resources: GetScreenResourcesCurrentReply,
    pub(crate) outputs: Vec<(OutputId, GetOutputInfoReply)>,
    pub(crate) crtcs: HashMap<Crtc, GetCrtcInfoReply>,
    pub(crate) primary: OutputId,
    pub(crate) range: GetScreenSizeRangeReply,
}

impl Snapshot {
    pub(crate) fn read(connection: &Connection) -> Result<Self> {
        let (x, root) = (connection.x(), connection.root());
        let range = x.randr_get_screen_size_range(root)?.reply()?;
        let resources = x.randr_get_screen_resources_current(root)?.reply()?;
        let primary = x.randr_get_output_primary(root)?.reply()?.output;
        let time = resources.config_timestamp;
        let mut outputs = Vec::with_capacity(resources.outputs.len());
        for &output in &resources.outputs {
            outputs.push((output, x.randr_get_output_info(output, time)?.reply()?));
        }
        let mut crtcs = HashMap::with_capacity(resources.crtcs.len());
        for &crtc in &resources.crtcs {
            crtcs.insert(crtc, x.randr_get_crtc_info(crtc, time)?.reply()?);
        }
        Ok(Self { resources, outputs, crtcs, primary, range })
    }

    fn mode(&self, id: Mode) -> Option<&ModeInfo> {
        self.resources.modes.iter().find(|mode| mode.id == id)
    }

    /// The name of a mode; RandR sends all names in one string.
    fn mode_name(&self, id: Mode) -> &[u8] {
        let mut start = 0;
        for mode in &self.resources.modes {
            let end = start + usize::from(mode.name_len);
            if mode.id == id {
                return self.resources.names.get(start..end).unwrap_or_default();
            }
            start = end;
        }
        &[]
    }

    /// The index of the output that a request means.
    fn find(&self, name: &str) -> Option<usize> {
        if !name.is_empty() {
            return self.outputs.iter().position(|(_, info)| info.name == name.as_bytes());
        }
        let primary = self.outputs.iter().position(|(id, _)| *id == self.primary);
        primary
            .or_else(|| self.outputs.iter().position(|(_, info)| info.crtc != x11rb::NONE))
            .or_else(|| self.outputs.iter().position(|(_, info)| info.connection == Link::CONNECTED))
    }

    fn describe(&self, index: usize, dpi: u32) -> Output {
        let (id, info) = &self.outputs[index];
        let crtc = self.crtcs.get(&info.crtc).filter(|crtc| crtc.mode != x11rb::NONE);
        let at = |field: fn(&GetCrtcInfoReply) -> i32| crtc.map_or(0, field);
        Output {
            name: String::from_utf8_lossy(&info.name).into_owned(),
            enabled: crtc.is_some(),
            primary: *id == self.primary || (self.primary == x11rb::NONE && self.find("") == Some(index)),
            x: at(|crtc| crtc.x.into()),
            y: at(|crtc| crtc.y.into()),
            width: at(|crtc| crtc.width.into()) as u32,
            height: at(|crtc| crtc.height.into()) as u32,
            refresh_mhz: crtc.and_then(|crtc| self.mode(crtc.mode)).map_or(0, mode::refresh_mhz),
            dpi,
            max_width: self.range.max_width.into(),
            max_height: self.range.max_height.into(),
        }
    }
}

/// Refuses a name that no output has.
pub(crate) fn find_output(connection: &Connection, name: &str) -> Result<()> {
    require_randr(connection)?;
    match Snapshot::read(connection)?.find(name) {
        Some(_) => Ok(()),
        None => Err(X11Error::NotFound(format!("the X server has no output {name:?}"))),
    }
}

fn require_randr(connection: &Connection) -> Result<()> {
    connection.require("RANDR", "1.3")?;
    let version = connection.x().randr_query_version(1, 5)?.reply()?;
    if (version.major_version, version.minor_version) < (1, 3) {
        return Err(X11Error::MissingExtension { name: "RANDR", needed: "1.3" });
    }
    Ok(())
}

impl Outputs {
    /// Connects to `display` (`None`: `$DISPLAY`).
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`X11Error::MissingExtension`].
    pub fn open(display: Option<&str>) -> Result<Self> {
        let connection = Connection::open(display)?;
        require_randr(&connection)?;
        let (display, ownership) = (display.map(str::to_owned), Ownership::default());
        Ok(Self { connection, display, ownership, announcer: None })
    }

    /// When running programs are told the scale by this plugin itself.
    #[must_use]
    pub fn with_ownership(self, ownership: Ownership) -> Self {
        Self { ownership, ..self }
    }

    /// Every output as it is now.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn list(&self) -> Result<Vec<Output>> {
        self.drop_events()?;
        let snapshot = Snapshot::read(&self.connection)?;
        let dpi = dpi::read(&self.connection)?;
        Ok((0..snapshot.outputs.len()).map(|index| snapshot.describe(index, dpi)).collect())
    }

    /// Sets all requests together, or none: after a failure the screen is as it was. Odd sizes are rounded down, for
    /// video with halved chroma needs even ones.
    ///
    /// # Errors
    /// [`X11Error::InvalidArgument`] naming the limit for a size over it, [`X11Error::Unsupported`] for an output that
    /// does not exist (outputs cannot be added) or a driver that refuses the mode.
    pub fn apply(&mut self, requests: &[OutputRequest]) -> Result<()> {
        self.drop_events()?;
        let snapshot = Snapshot::read(&self.connection)?;
        let mut wanted = layout::current(&snapshot);
        let mut dpi = None;
        let mut primary = None;
        for request in requests {
            let Some(index) = snapshot.find(&request.name) else {
                return Err(X11Error::Unsupported(format!(
                    "the X server has no output {:?} and this plugin cannot add one; configure it in the server",
                    request.name
                )));
            };
            let output = snapshot.outputs[index].0;
            wanted.retain(|placement| placement.output != output);
            if request.enabled {
                wanted.push(self.place(&snapshot, index, request)?);
            }
            dpi = (request.dpi > 0).then_some(request.dpi).or(dpi);
            primary = request.primary.then_some(output).or(primary);
        }
        layout::set(&self.connection, &snapshot, &wanted, dpi)?;
        if let Some(output) = primary {
            self.connection.x().randr_set_output_primary(self.connection.root(), output)?.check()?;
        }
        if let Some(dpi) = dpi {
            self.scale(Scale::of_dpi(dpi))?;
        }
        self.remove_unused_modes()
    }

    /// Tells new programs the scale by resources, and those that run by their settings.
    fn scale(&mut self, scale: Scale) -> Result<()> {
        dpi::write(&self.connection, scale)?;
        if self.announcer.as_ref().is_none_or(Announcer::has_ended) {
            let announcer = Announcer::start(self.display.as_deref(), self.ownership);
            // Programs that start have it from the resources all the same.
            let started =
                announcer.inspect_err(|error| warn!(%error, "running programs are not told the scale"));
            self.announcer = started.ok();
        }
        if let Some(announcer) = &self.announcer {
            announcer.tell(scale);
        }
        Ok(())
    }

    /// Where an output is to be, with a mode that it has or that is made for it.
    fn place(&self, snapshot: &Snapshot, index: usize, request: &OutputRequest) -> Result<Placement> {
        let range = &snapshot.range;
        let inside = |value: u32, min: u16, max: u16| {
            u16::try_from(value & !1).ok().filter(|value| (min.max(2)..=max).contains(value))
        };
        let sides = (
            inside(request.width, range.min_width, range.max_width),
            inside(request.height, range.min_height, range.max_height),
            i16::try_from(request.x).ok().filter(|x| *x >= 0),
            i16::try_from(request.y).ok().filter(|y| *y >= 0),
        );
        let (Some(width), Some(height), Some(x), Some(y)) = sides else {
            return Err(X11Error::InvalidArgument(format!(
                "{}x{}+{}+{} is not possible: this X server allows {}x{} to {}x{} at positions from 0",
                request.width,
                request.height,
                request.x,
                request.y,
                range.min_width.max(2),
                range.min_height.max(2),
                range.max_width,
                range.max_height
            )));
        };
        let (output, info) = &snapshot.outputs[index];
        let crtc = Some(info.crtc)
            .filter(|crtc| *crtc != x11rb::NONE)
            .or_else(|| info.crtcs.iter().copied().find(|crtc| snapshot.is_free(*crtc)));
        let Some(crtc) = crtc else {
            return Err(X11Error::Unsupported(format!(
                "no free CRTC for output {:?}; turn another output off",
                String::from_utf8_lossy(&info.name)
            )));
        };
        let mode = self.mode_for(snapshot, *output, info, (width, height), request.refresh_mhz)?;
        Ok(Placement { output: *output, crtc, mode, x, y, width, height })
    }

    fn mode_for(
        &self,
        snapshot: &Snapshot,
        output: OutputId,
        info: &GetOutputInfoReply,
        (width, height): (u16, u16),
        refresh_mhz: u32,
    ) -> Result<Mode> {
        let fits = |mode: &&ModeInfo| {
            (mode.width, mode.height) == (width, height)
                && (refresh_mhz == 0
                    || mode::refresh_mhz(mode).abs_diff(refresh_mhz) <= REFRESH_TOLERANCE_MHZ)
        };
        let known = snapshot.resources.modes.iter().filter(fits);
        if let Some(mode) = known.clone().find(|mode| info.modes.contains(&mode.id)) {
            return Ok(mode.id);
        }
        let x = self.connection.x();
        let made = known.into_iter().find(|mode| snapshot.mode_name(mode.id).starts_with(mode::PREFIX));
        let id = match made {
            Some(mode) => mode.id,
            None => {
                let rate = if refresh_mhz == 0 { DEFAULT_REFRESH_MHZ } else { refresh_mhz };
                let name = mode::name(width, height, rate);
                let mut timings = mode::timings(width, height, rate);
                timings.name_len = name.len() as u16;
                x.randr_create_mode(self.connection.root(), timings, name.as_bytes())?.reply()?.mode
            }
        };
        x.randr_add_output_mode(output, id)?.check()?;
        Ok(id)
    }

    /// A client that resizes its window for an hour would leave thousands of modes behind.
    fn remove_unused_modes(&self) -> Result<()> {
        let snapshot = Snapshot::read(&self.connection)?;
        let x = self.connection.x();
        for mode in &snapshot.resources.modes {
            let ours = snapshot.mode_name(mode.id).starts_with(mode::PREFIX);
            if !ours || snapshot.crtcs.values().any(|crtc| crtc.mode == mode.id) {
                continue;
            }
            for (output, info) in &snapshot.outputs {
                if info.modes.contains(&mode.id) {
                    x.randr_delete_output_mode(*output, mode.id)?.ignore_error();
                }
            }
            // Fails while another client uses it; the next change tries again.
            x.randr_destroy_mode(mode.id)?.ignore_error();
        }
        self.connection.root_size().map(|_| ())
    }

    /// Events that this connection gets without asking (a new keyboard map) must not pile up.
    fn drop_events(&self) -> Result<()> {
        while self.connection.next_event()?.is_some() {}
        Ok(())
    }
}

impl Snapshot {
    fn is_free(&self, crtc: Crtc) -> bool {
        self.crtcs.get(&crtc).is_some_and(|info| info.mode == x11rb::NONE)
    }
}
