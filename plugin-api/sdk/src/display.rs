//! Display: the size and layout of the screen.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::{
    Error, Host, Result, abi,
    guard::{self, size32},
    slot::Slot,
};

/// One output of the display. Fields as in [`abi::DisplayOutput`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its name, unique on the display.
    pub name: String,
    /// Part of the picture now.
    pub enabled: bool,
    /// The primary one.
    pub primary: bool,
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Refresh rate in millihertz, 0 when it has none.
    pub refresh_mhz: u32,
    /// Dots per inch.
    pub dpi: u32,
    /// Widest mode that can be set.
    pub max_width: u32,
    /// Highest mode that can be set.
    pub max_height: u32,
}

/// What one output is to become. Fields as in [`abi::DisplayRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRequest {
    /// The output's name; empty for the primary one.
    pub name: String,
    /// Wanted in the picture.
    pub enabled: bool,
    /// Wanted as the primary one.
    pub primary: bool,
    /// Left edge wanted.
    pub x: i32,
    /// Top edge wanted.
    pub y: i32,
    /// Width wanted in pixels.
    pub width: u32,
    /// Height wanted in pixels.
    pub height: u32,
    /// Refresh rate wanted in millihertz; 0 leaves it to the plugin.
    pub refresh_mhz: u32,
    /// Dots per inch; 0 leaves them.
    pub dpi: u32,
}

/// A display whose modes can be read and set. `[control]`
pub trait Display: Send + Sized + 'static {
    /// The plugin's configuration.
    type Config: DeserializeOwned;

    /// Opens the display.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn create(host: Host, config: Self::Config) -> Result<Self>;

    /// Every output as it is now.
    ///
    /// # Errors
    /// With the class that the host is to act on.
    fn outputs(&mut self) -> Result<Vec<Output>>;

    /// Applies all requests together, or none.
    ///
    /// # Errors
    /// [`Error::invalid`] naming the limit for a size over it.
    fn apply(&mut self, requests: &[OutputRequest]) -> Result<()>;
}

/// Builds the table of a display.
#[derive(Debug)]
pub struct DisplayTable<T>(PhantomData<T>);

impl<T: Display> DisplayTable<T> {
    /// The table.
    pub const TABLE: &'static abi::DisplayV1 = &abi::DisplayV1 {
        struct_size: size32::<abi::DisplayV1>(),
        reserved: 0,
        create: Some(create::<T>),
        destroy: Some(destroy::<T>),
        outputs: Some(outputs::<T>),
        apply: Some(apply::<T>),
    };
}

unsafe extern "C" fn create<T: Display>(
    host: *const abi::Host,
    config: abi::Str,
    out: *mut *mut abi::Instance,
) -> abi::Status {
    // SAFETY: the ABI's contract for `create`.
    unsafe { Slot::<T, ()>::create(host, config, out, |host, config| Ok((T::create(host, config)?, ()))) }
}

unsafe extern "C" fn destroy<T: Display>(instance: *mut abi::Instance) {
    // SAFETY: the ABI's contract for `destroy`.
    unsafe { Slot::<T, ()>::destroy(instance) }
}

unsafe extern "C" fn outputs<T: Display>(
    instance: *mut abi::Instance,
    sink: *const abi::OutputSink,
) -> abi::Status {
    // SAFETY: the host calls this one at a time on an instance of this table; the sink lives for the call.
    unsafe {
        Slot::<T, ()>::with(instance, |display, _| {
            let sink = guard::pointer(sink, "sink")?;
            let emit = sink.emit.ok_or_else(|| Error::invalid("sink has no emit"))?;
            for output in display.outputs()? {
                let mut flags = 0;
                if output.enabled {
                    flags |= abi::OUTPUT_ENABLED;
                }
                if output.primary {
                    flags |= abi::OUTPUT_PRIMARY;
                }
                let raw = abi::DisplayOutput {
                    struct_size: size32::<abi::DisplayOutput>(),
                    flags,
                    name: abi::Str::new(&output.name),
                    x: output.x,
                    y: output.y,
                    width: output.width,
                    height: output.height,
                    refresh_mhz: output.refresh_mhz,
                    dpi: output.dpi,
                    max_width: output.max_width,
                    max_height: output.max_height,
                    reserved: [0; 4],
                };
                emit(sink.ctx, &raw const raw);
            }
            Ok(abi::OK)
        })
    }
}

/// Most requests of one call.
const MAX_REQUESTS: usize = 32;

unsafe extern "C" fn apply<T: Display>(
    instance: *mut abi::Instance,
    requests: *const abi::DisplayRequest,
    count: u32,
) -> abi::Status {
    // SAFETY: as in `outputs`; the requests live for the call.
    unsafe {
        Slot::<T, ()>::with(instance, |display, _| {
            let mut wanted = Vec::new();
            for request in guard::array(requests, count, MAX_REQUESTS, "requests")? {
                let request: &abi::DisplayRequest = guard::sized(request, "request")?;
                wanted.push(OutputRequest {
                    name: guard::text(request.name)?.to_owned(),
                    enabled: request.flags & abi::OUTPUT_ENABLED != 0,
                    primary: request.flags & abi::OUTPUT_PRIMARY != 0,
                    x: request.x,
                    y: request.y,
                    width: request.width,
                    height: request.height,
                    refresh_mhz: request.refresh_mhz,
                    dpi: request.dpi,
                });
            }
            display.apply(&wanted)?;
            Ok(abi::OK)
        })
    }
}
