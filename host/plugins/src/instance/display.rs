//! `selkies.display/1`.

use core::ffi::c_void;
use std::sync::Arc;

use selkies_plugin_abi::{self as abi, DisplayV1, Instance, OutputSink, Status, Str};
use serde::{Deserialize, Serialize};

use super::buffer::MAX_FRAME_EDGE;
use super::collector::{collect, deliver};
use super::core::{Core, required, sized_table};
use super::{FaultClass, FaultDetail, Origin, PluginError};
use crate::child::{
    Remote,
    wire::{Create, Reply, Task},
};
use crate::services::{PluginAccount, Role, foreign_text};
use crate::size::{count_field, size_field};

/// Outputs that a display may have.
pub const MAX_OUTPUTS: usize = 64;
/// Longest name of an output, in bytes.
const MAX_NAME: usize = 128;

/// One output of a display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayOutput {
    /// Its name, unique on the display.
    pub name: String,
    /// Part of the picture now.
    pub enabled: bool,
    /// The primary one.
    pub primary: bool,
    /// Left edge in the display.
    pub x: i32,
    /// Top edge in the display.
    pub y: i32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Refresh rate in millihertz.
    pub refresh_mhz: Option<u32>,
    /// Dots per inch.
    pub dpi: u32,
    /// Widest mode that can be set.
    pub max_width: u32,
    /// Highest mode that can be set.
    pub max_height: u32,
}

/// What one output is to become.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayRequest {
    /// The output's name; empty for the primary one. A name that does not exist asks for a virtual output.
    pub name: String,
    /// To be part of the picture.
    pub enabled: bool,
    /// To be the primary one.
    pub primary: bool,
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width in pixels, up to 16384.
    pub width: u32,
    /// Height in pixels, up to 16384.
    pub height: u32,
    /// Refresh rate in millihertz; `None` leaves it to the plugin.
    pub refresh_mhz: Option<u32>,
    /// Dots per inch; `None` leaves it as it is.
    pub dpi: Option<u32>,
}

/// A display whose size and layout can be changed.
#[derive(Debug)]
pub struct DisplayInstance {
    arm: Arm,
}

/// Where it runs.
#[derive(Debug)]
enum Arm {
    Here(Here),
    Child(Box<Remote>),
}

#[derive(Debug)]
struct Here {
    core: Core,
    outputs: unsafe extern "C" fn(*mut Instance, *const OutputSink) -> Status,
    apply: unsafe extern "C" fn(*mut Instance, *const abi::DisplayRequest, u32) -> Status,
}

impl DisplayInstance {
    /// Opens the display. `[control]`
    ///
    /// # Errors
    /// [`PluginError`] when the plugin has no such table, or an incomplete one, or fails.
    pub fn create(origin: &Origin<'_>) -> Result<Self, PluginError> {
        if let Some(child) = origin.plugin.child() {
            let (services, config) = (origin.services, origin.config_json);
            let remote = Remote::create(services, child, config, Create::Display, &[], "display.create")?;
            return Ok(Self { arm: Arm::Child(Box::new(remote)) });
        }
        let plugin = origin.plugin.id();
        let table: &DisplayV1 = origin.plugin.table("display")?;
        sized_table::<DisplayV1>(plugin, "display", table.struct_size)?;
        let create = required(plugin, "display.create", table.create)?;
        let destroy = required(plugin, "display.destroy", table.destroy)?;
        let outputs = required(plugin, "display.outputs", table.outputs)?;
        let apply = required(plugin, "display.apply", table.apply)?;
        let core = Core::plain(origin, Role::Plain, "display.create", create, destroy)?;
        Ok(Self { arm: Arm::Here(Here { core, outputs, apply }) })
    }

    /// Every output, at most [`MAX_OUTPUTS`]. Outputs that break the contract are reported and left out. `[control]`
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn outputs(&mut self) -> Result<Vec<DisplayOutput>, PluginError> {
        const OUTPUTS: &str = "display.outputs";
        let mut outputs = match &mut self.arm {
            Arm::Here(here) => {
                let account = here.core.account();
                let (answer, outputs) = collect::<DisplayOutput, _>(account, MAX_OUTPUTS, |ctx| {
                    let sink = OutputSink { ctx, emit: Some(emit) };
                    here.core.call(OUTPUTS, |instance| {
                        // SAFETY: a live instance; the sink is valid for the call.
                        unsafe { (here.outputs)(instance, &raw const sink) }
                    })
                });
                answer?;
                outputs
            }
            Arm::Child(child) => match child.ask(OUTPUTS, Task::Outputs)? {
                Reply::Outputs(outputs)
                    if outputs.len() <= MAX_OUTPUTS
                        && outputs.iter().all(|output| output.wrong().is_none()) =>
                {
                    outputs
                }
                _ => return Err(child.wrong_reply(OUTPUTS)),
            },
        };
        let account = self.account();
        let mut seen = std::collections::BTreeSet::new();
        outputs.retain(|output| {
            let fresh = seen.insert(output.name.clone());
            if !fresh {
                let what = format_args!("two outputs are named {:?}", output.name);
                account.misbehaving(OUTPUTS, what);
            }
            fresh
        });
        Ok(outputs)
    }

    /// Applies all requests together, or none; outputs that no request names stay. `[control]`
    ///
    /// # Errors
    /// What the plugin answers: a size over its limits is class retry, with a text that names the limit.
    pub fn apply(&mut self, requests: &[DisplayRequest]) -> Result<(), PluginError> {
        let wrong = if requests.len() > MAX_OUTPUTS {
            Some(format!("{} requests, {MAX_OUTPUTS} are possible", requests.len()))
        } else {
            requests.iter().find_map(|request| {
                let size = (request.width, request.height);
                let edges = 1..=MAX_FRAME_EDGE;
                let sized = edges.contains(&size.0) && edges.contains(&size.1);
                if request.name.len() > MAX_NAME {
                    Some("an output's name is longer than 128 bytes".to_owned())
                } else if request.enabled && !sized {
                    Some(format!("{}x{} is not possible, 16384x16384 is the most", size.0, size.1))
                } else {
                    None
                }
            })
        };
        if let Some(text) = wrong {
            let (class, detail) = (FaultClass::Retry, FaultDetail::InvalidArgument);
            return Err(PluginError::caller(self.account(), "display.apply", class, detail, text));
        }
        match &mut self.arm {
            Arm::Here(here) => {
                let raw: Vec<_> = requests.iter().map(to_abi).collect();
                here.core.call("display.apply", |instance| {
                    // SAFETY: a live instance; the requests and their names are valid for the call.
                    unsafe { (here.apply)(instance, raw.as_ptr(), count_field(&raw)) }
                })?;
                Ok(())
            }
            Arm::Child(child) => child.tell("display.apply", Task::Apply(requests.to_vec())),
        }
    }

    fn account(&self) -> &Arc<PluginAccount> {
        match &self.arm {
            Arm::Here(here) => here.core.account(),
            Arm::Child(child) => child.account(),
        }
    }
}

fn to_abi(request: &DisplayRequest) -> abi::DisplayRequest {
    let flag = |set, flag| if set { flag } else { 0 };
    abi::DisplayRequest {
        struct_size: size_field::<abi::DisplayRequest>(),
        flags: flag(request.enabled, abi::OUTPUT_ENABLED) | flag(request.primary, abi::OUTPUT_PRIMARY),
        name: Str::new(&request.name),
        x: request.x,
        y: request.y,
        width: request.width,
        height: request.height,
        refresh_mhz: request.refresh_mhz.unwrap_or(0),
        dpi: request.dpi.unwrap_or(0),
        reserved: [0; 4],
    }
}

unsafe extern "C" fn emit(ctx: *mut c_void, output: *const abi::DisplayOutput) {
    crate::services::guarded((), || {
        // SAFETY: NULL, alignment and size are checked; the plugin's output is readable for the call.
        deliver(ctx, "display.outputs", || unsafe { read(output) });
    });
}

/// # Safety
/// As [`crate::services::foreign_sized`].
unsafe fn read(output: *const abi::DisplayOutput) -> Result<DisplayOutput, String> {
    // SAFETY: the caller's promise.
    let output = unsafe { crate::services::foreign_sized(output) };
    let output = output.ok_or("an output is NULL, not aligned, or its struct_size is wrong")?;
    // SAFETY: texts of a call are readable for the call.
    let name = unsafe { foreign_text(output.name, MAX_NAME) };
    let name = name.ok_or("an output's name is not UTF-8 or longer than 128 bytes")?;
    let (width, height) = (output.width, output.height);
    let output = DisplayOutput {
        name: name.to_owned(),
        enabled: output.flags & abi::OUTPUT_ENABLED != 0,
        primary: output.flags & abi::OUTPUT_PRIMARY != 0,
        x: output.x,
        y: output.y,
        width,
        height,
        refresh_mhz: (output.refresh_mhz != 0).then_some(output.refresh_mhz),
        dpi: output.dpi,
        max_width: output.max_width.min(MAX_FRAME_EDGE),
        max_height: output.max_height.min(MAX_FRAME_EDGE),
    };
    output.wrong().map_or(Ok(output), Err)
}

impl DisplayOutput {
    /// Which rule for outputs it breaks.
    fn wrong(&self) -> Option<String> {
        let &Self { ref name, enabled, width, height, max_width, max_height, .. } = self;
        if name.is_empty() || name.len() > MAX_NAME {
            return Some("an output's name is empty or longer than 128 bytes".into());
        }
        let largest = width.max(height).max(max_width).max(max_height);
        (largest > MAX_FRAME_EDGE || enabled && width.min(height) == 0)
            .then(|| format!("the output {name:?} is {width}x{height}"))
    }
}
