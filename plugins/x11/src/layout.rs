//! Changes every output in one transaction, and back when the server refuses a part of it.

use x11rb::{
    connection::Connection as _,
    protocol::{
        randr::{ConnectionExt as _, Crtc, Mode, Output, Rotation, SetConfig},
        xproto::ConnectionExt as _,
    },
};

use crate::{
    connection::Connection,
    display::Snapshot,
    dpi,
    error::{Result, X11Error},
};

/// One output in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) output: Output,
    pub(crate) crtc: Crtc,
    pub(crate) mode: Mode,
    pub(crate) x: i16,
    pub(crate) y: i16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

/// The outputs that are shown now.
pub(crate) fn current(snapshot: &Snapshot) -> Vec<Placement> {
    let shown = |(output, info): &(Output, x11rb::protocol::randr::GetOutputInfoReply)| {
        let crtc = snapshot.crtcs.get(&info.crtc).filter(|crtc| crtc.mode != x11rb::NONE)?;
        let (x, y, width, height) = (crtc.x, crtc.y, crtc.width, crtc.height);
        Some(Placement { output: *output, crtc: info.crtc, mode: crtc.mode, x, y, width, height })
    };
    snapshot.outputs.iter().filter_map(shown).collect()
}

/// Shows `wanted` and nothing else.
///
/// # Errors
/// [`X11Error::InvalidArgument`] when it is empty or larger than the screen may be, [`X11Error::Unsupported`] when the
/// server refuses; the outputs are as they were then.
pub(crate) fn set(
    connection: &Connection,
    snapshot: &Snapshot,
    wanted: &[Placement],
    dpi: Option<u32>,
) -> Result<()> {
    let old = current(snapshot);
    let right = wanted.iter().map(|at| i32::from(at.x) + i32::from(at.width)).max().unwrap_or(0);
    let bottom = wanted.iter().map(|at| i32::from(at.y) + i32::from(at.height)).max().unwrap_or(0);
    let (max_width, max_height) = (snapshot.range.max_width, snapshot.range.max_height);
    if right == 0 || right > max_width.into() || bottom > max_height.into() {
        return Err(X11Error::InvalidArgument(format!(
            "the outputs together take {right}x{bottom}: this X server allows up to {max_width}x{max_height}, and one \
             output must stay on"
        )));
    }
    let size = (right as u16, bottom as u16);
    let before = connection.root_size()?;
    let before = (before.0 as u16, before.1 as u16);
    if old == wanted && size == before && dpi.is_none() {
        return Ok(());
    }
    let dpi = match dpi {
        Some(dpi) => dpi,
        None => dpi::read(connection)?,
    };
    // Others see the old picture or the new one, nothing between.
    connection.x().grab_server()?;
    let outcome = switch(connection, snapshot, &old, wanted, size, dpi);
    if outcome.as_ref().is_err_and(|error| !error.is_lost()) {
        // Best effort: what was possible a moment ago is so again, unless the server is gone.
        let _ = switch(connection, snapshot, wanted, &old, before, dpi);
    }
    connection.x().ungrab_server()?;
    connection.x().flush()?;
    outcome.map_err(|error| match error {
        X11Error::Request { request, reason } => {
            X11Error::Unsupported(format!("the X server refuses {}x{}: {request}: {reason}", size.0, size.1))
        }
        other => other,
    })
}

fn switch(
    connection: &Connection,
    snapshot: &Snapshot,
    from: &[Placement],
    to: &[Placement],
    (width, height): (u16, u16),
    dpi: u32,
) -> Result<()> {
    // A CRTC that stays and would hang over the new screen's edge makes SetScreenSize fail, so it goes off first; the
    // others keep running.
    for at in from {
        let over = i32::from(at.x) + i32::from(at.width) > i32::from(width)
            || i32::from(at.y) + i32::from(at.height) > i32::from(height);
        if over || !to.iter().any(|next| next.crtc == at.crtc) {
            configure(connection, snapshot, at.crtc, None)?;
        }
    }
    let millimetres = |pixels: u16| (u32::from(pixels) * 254 / (dpi.max(1) * 10)).max(1);
    connection
        .x()
        .randr_set_screen_size(connection.root(), width, height, millimetres(width), millimetres(height))?
        .check()?;
    to.iter().try_for_each(|at| configure(connection, snapshot, at.crtc, Some(at)))
}

fn configure(connection: &Connection, snapshot: &Snapshot, crtc: Crtc, at: Option<&Placement>) -> Result<()> {
    let (x, y, mode) = at.map_or((0, 0, x11rb::NONE), |at| (at.x, at.y, at.mode));
    let outputs: &[Output] = at.map_or(&[], |at| std::slice::from_ref(&at.output));
    let reply = connection
        .x()
        .randr_set_crtc_config(
            crtc,
            x11rb::CURRENT_TIME,
            snapshot.resources.config_timestamp,
            x,
            y,
            mode,
            Rotation::ROTATE0,
            outputs,
        )?
        .reply()?;
    if reply.status == SetConfig::SUCCESS {
        return Ok(());
    }
    Err(X11Error::Unsupported(format!("the X server refuses the mode: {:?}", reply.status)))
}
