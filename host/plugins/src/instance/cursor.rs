//! `selkies.cursor/1`.

use std::time::Duration;

use selkies_plugin_abi::{CursorImage, CursorV1, Instance, MAX_CURSOR_EDGE, Status};
use serde::{Deserialize, Serialize};

use super::arm::{Arm, Gated};
use super::core::{Core, is_nothing, required, sized_table, timeout_ns};
use super::wake::{WakeGate, Waker};
use super::{Origin, PluginError};
use crate::child::wire::{Create, Reply, Task};
use crate::services::{Role, foreign_slice};
use crate::size::size_field;

/// The shape of the pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorShape {
    /// False when the pointer is hidden.
    pub visible: bool,
    /// Width in pixels, at most 512; 0 for a hidden pointer without an image.
    pub width: u32,
    /// Height in pixels, at most 512.
    pub height: u32,
    /// The pixel of the image that points.
    pub hot_x: u32,
    /// The pixel of the image that points.
    pub hot_y: u32,
    /// Names the shape; equal serials have equal images.
    pub serial: u64,
    /// R, G, B, A bytes, not premultiplied, `width * 4` a row.
    pub rgba: Vec<u8>,
}

/// A source of pointer shapes.
#[derive(Debug)]
pub struct CursorInstance {
    arm: Arm<Here>,
}

#[derive(Debug)]
struct Here {
    gate: WakeGate,
    core: Core,
    wait: unsafe extern "C" fn(*mut Instance, u64, *mut CursorImage) -> Status,
}

impl CursorInstance {
    /// Opens the source. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        if let Some(arm) = Arm::in_child(origin, Create::Cursor, "cursor.create")? {
            return Ok(Self { arm });
        }
        let plugin = origin.plugin.id();
        let table: &CursorV1 = origin.plugin.table("cursor")?;
        sized_table::<CursorV1>(plugin, "cursor", table.struct_size)?;
        let create = required(plugin, "cursor.create", table.create)?;
        let destroy = required(plugin, "cursor.destroy", table.destroy)?;
        let wait = required(plugin, "cursor.wait", table.wait)?;
        let wake = required(plugin, "cursor.wake", table.wake)?;
        let core = Core::plain(origin, Role::Plain, "cursor.create", create, destroy)?;
        Ok(Self { arm: Arm::Here(Here { gate: WakeGate::new(&core, wake), core, wait }) })
    }

    /// Blocks until the shape differs from the last one, `timeout` passed (`None`: no limit) or a waker was used; the
    /// last two answer `None`. The first call answers at once. `[control]`
    ///
    /// # Errors
    /// What the plugin answers, or a broken contract.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorShape>, PluginError> {
        const WAIT: &str = "cursor.wait";
        match &mut self.arm {
            Arm::Here(here) => here.wait(timeout),
            Arm::Child { remote, wake } => {
                match remote.wait(WAIT, |timeout_ns| Task::CursorWait { timeout_ns }, timeout, wake)? {
                    Reply::Cursor(None) => Ok(None),
                    Reply::Cursor(Some(shape)) if shape.wrong().is_none() && shape.fills() => Ok(Some(shape)),
                    _ => Err(remote.wrong_reply(WAIT)),
                }
            }
        }
    }

    /// A handle that ends a wait from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.arm.waker()
    }
}

impl Gated for Here {
    fn gate(&self) -> &WakeGate {
        &self.gate
    }
}

impl Here {
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<CursorShape>, PluginError> {
        let mut out = CursorImage {
            struct_size: size_field::<CursorImage>(),
            visible: 0,
            width: 0,
            height: 0,
            hot_x: 0,
            hot_y: 0,
            serial: 0,
            rgba: std::ptr::null(),
            reserved: [0; 2],
        };
        let status = self.core.call("cursor.wait", |instance| {
            // SAFETY: a live instance, and a place of the size that it says.
            unsafe { (self.wait)(instance, timeout_ns(timeout), &raw mut out) }
        })?;
        if is_nothing(status) {
            return Ok(None);
        }
        shape(&out).map(Some).map_err(|wrong| self.core.contract("cursor.wait", wrong))
    }
}

fn shape(image: &CursorImage) -> Result<CursorShape, String> {
    let &CursorImage { visible, width, height, hot_x, hot_y, serial, rgba, .. } = image;
    if image.struct_size != size_field::<CursorImage>() {
        return Err(format!("the struct_size is {}", image.struct_size));
    }
    if visible > 1 {
        return Err(format!("`visible` is {visible}"));
    }
    let mut shape =
        CursorShape { visible: visible == 1, width, height, hot_x, hot_y, serial, rgba: Vec::new() };
    if let Some(wrong) = shape.wrong() {
        return Err(wrong);
    }
    let len = shape.bytes();
    // SAFETY: the image is valid until the next call on the instance; its size was checked.
    shape.rgba = unsafe { foreign_slice(rgba, len, len) }.ok_or("the image is NULL")?.to_vec();
    Ok(shape)
}

impl CursorShape {
    /// Bytes of its image.
    fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * 4
    }

    /// True when it has its whole image.
    fn fills(&self) -> bool {
        self.rgba.len() == self.bytes()
    }

    /// Which rule for shapes it breaks, its image apart.
    fn wrong(&self) -> Option<String> {
        let &Self { visible, width, height, hot_x, hot_y, .. } = self;
        if width > MAX_CURSOR_EDGE || height > MAX_CURSOR_EDGE || (width == 0) != (height == 0) {
            return Some(format!(
                "the image is {width}x{height}, {MAX_CURSOR_EDGE} pixels an edge are allowed"
            ));
        }
        if visible && width == 0 {
            return Some("the pointer is visible and has no image".into());
        }
        (width > 0 && (hot_x >= width || hot_y >= height))
            .then(|| format!("the pointing pixel {hot_x},{hot_y} is outside the image of {width}x{height}"))
    }
}
