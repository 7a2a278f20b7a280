//! Scenarios that judge rules.

mod capture;
mod config;
mod desktop;
mod encoder_change;
mod encoder_frames;
mod encoder_long;
mod encoder_offers;
mod fuzz;
mod fuzz_capture;
mod fuzz_cursor;
mod fuzz_display;
mod fuzz_input;
mod fuzz_rtc_config;
mod instances;
mod packaging;
mod rtc_config;
mod transport;
pub(crate) mod waiting;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use selkies_plugin_abi::{self as abi, ids};
use selkies_plugin_host::{Candidate, Manifest};
use serde::{Deserialize, Serialize};

use crate::{
    call::{self, Site, control, media, opening},
    host::{Context, Role},
    journal,
    library::Library,
    rule::Rule,
    rules::lifecycle::{
        LIF_001, LIF_002, LIF_003, LIF_004, LIF_005, LIF_006, LIF_007, LIF_008, LIF_009, LIF_014, LIF_015,
        LIF_020, LIF_021,
    },
};

/// Why a job could not go on.
pub(crate) type Blocked = String;

/// A scenario.
pub(crate) struct Job {
    /// Its name in messages and orders.
    pub(crate) name: &'static str,
    /// The table that it is about; it runs for every plugin without one.
    pub(crate) table: Option<&'static str>,
    /// The rules that it judges, beside [`COMMON`].
    pub(crate) rules: &'static [&'static Rule],
    /// How long it may take, seconds.
    pub(crate) limit_s: u64,
    /// Makes random calls; runs only when they are asked for.
    pub(crate) fuzz: bool,
    pub(crate) run: fn(&Task) -> Result<(), Blocked>,
}

/// Rules that every job judges.
pub(crate) static COMMON: &[&Rule] = &[
    &LIF_001, &LIF_002, &LIF_003, &LIF_004, &LIF_005, &LIF_006, &LIF_007, &LIF_008, &LIF_009, &LIF_014,
    &LIF_020, &LIF_021,
];

/// Every job, in the order in which they run.
pub(crate) static JOBS: &[&[Job]] = &[
    packaging::JOBS,
    instances::JOBS,
    config::JOBS,
    encoder_offers::JOBS,
    encoder_frames::JOBS,
    encoder_change::JOBS,
    encoder_long::JOBS,
    capture::JOBS,
    desktop::JOBS,
    transport::JOBS,
    rtc_config::JOBS,
    fuzz::JOBS,
    fuzz_capture::JOBS,
    fuzz_display::JOBS,
    fuzz_cursor::JOBS,
    fuzz_input::JOBS,
    fuzz_rtc_config::JOBS,
];

/// Every job.
pub(crate) fn all() -> impl Iterator<Item = &'static Job> {
    JOBS.iter().flat_map(|jobs| jobs.iter())
}

/// What a child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) job: String,
    /// The manifest of the plugin.
    pub(crate) manifest: PathBuf,
    /// Manifests of all plugins that are checked, this one included.
    pub(crate) company: Vec<PathBuf>,
    /// The plugin's configuration, an object.
    pub(crate) config: serde_json::Map<String, serde_json::Value>,
    /// For fuzzing: the seed and how many seconds.
    pub(crate) fuzz: Option<(u64, u64)>,
}

/// An order that is carried out.
pub(crate) struct Task {
    pub(crate) order: Order,
    /// The configuration as the plugin gets it.
    pub(crate) config: String,
}

impl Task {
    pub(crate) fn new(order: Order) -> Self {
        let config = serde_json::Value::Object(order.config.clone()).to_string();
        Self { order, config }
    }

    /// The manifest and the library's path.
    pub(crate) fn candidate(&self) -> Result<Candidate, Blocked> {
        Candidate::read(&self.order.manifest).map_err(|refusal| refusal.to_string())
    }

    pub(crate) fn manifest(&self) -> Result<Manifest, Blocked> {
        Ok(self.candidate()?.manifest().clone())
    }

    /// Maps the library and calls `init`, once.
    pub(crate) fn library(&self) -> Result<Library, Blocked> {
        self.library_or(&LIF_015)
    }

    /// The same where an `init` that fails breaks another rule than its own.
    pub(crate) fn library_or(&self, rule: &'static Rule) -> Result<Library, Blocked> {
        let path = self.candidate()?.library_path();
        let library =
            Library::open(&path).map_err(|why| format!("PKG-005: the library cannot be loaded: {why}"))?;
        let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.insert(path) {
            begin(&library, rule)?;
        }
        Ok(library)
    }

    /// A table that the manifest names.
    ///
    /// # Safety
    /// `T` is the struct published under `id`.
    pub(crate) unsafe fn table<T>(&self, library: &Library, id: &str) -> Result<&'static T, Blocked> {
        // SAFETY: as the caller says.
        unsafe { library.table(id) }.ok_or_else(|| format!("PKG-007: there is no usable table {id}"))
    }
}

/// Libraries whose `init` was called; it is called once.
static BEGUN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

static INIT: Site = opening("lifecycle.init");
static SET_LOG_LEVEL: Site = media("lifecycle.set_log_level");

/// Calls `init` of a library that has one, as the host does; `rule` is broken when it fails.
fn begin(library: &Library, rule: &'static Rule) -> Result<(), Blocked> {
    // SAFETY: the struct published under this id.
    let table: Option<&'static abi::LifecycleV1> = unsafe { library.table(ids::LIFECYCLE_V1) };
    let Some(table) = table else { return Ok(()) };
    let context = Context::new(Role::Plain);
    if let Some(init) = table.init {
        // SAFETY: the host lives for ever.
        let answer = call::status(&INIT, &context, Duration::ZERO, || unsafe { init(context.raw()) });
        if let Err(failure) = answer {
            failure.breaks(rule, "at the start");
            return Err(format!("{}: {failure}", rule.id));
        }
    }
    if let Some(set) = table.set_log_level {
        for level in (abi::LEVEL_ERROR..=abi::LEVEL_TRACE).chain([abi::LEVEL_INFO]) {
            // SAFETY: any thread may call it after `init`.
            call::watched(&SET_LOG_LEVEL, Duration::ZERO, || unsafe { set(level) });
        }
    }
    journal::pass(&LIF_015);
    Ok(())
}

/// `create` of every table but the encoder's.
pub(crate) type Create =
    unsafe extern "C" fn(*const abi::Host, abi::Str, *mut *mut abi::Instance) -> abi::Status;
/// `destroy` of every table.
pub(crate) type Destroy = unsafe extern "C" fn(*mut abi::Instance);

/// Tables other than the encoder's whose instances are made by [`Create`].
pub(crate) const PLAIN_TABLES: [&str; 10] = [
    ids::CAPTURE_V1,
    ids::DISPLAY_V1,
    ids::CURSOR_V1,
    ids::CLIPBOARD_V1,
    ids::INPUT_V1,
    ids::GAMEPAD_V1,
    ids::TRANSPORT_V1,
    ids::RTC_CONFIG_V1,
    ids::AUDIO_CAPTURE_V1,
    ids::AUDIO_SINK_V1,
];

/// The role of a table's instances, and what makes and ends them.
pub(crate) type Maker = (Role, Option<(Create, Destroy)>);

/// What makes and ends instances of one of [`PLAIN_TABLES`], and their role; no functions where one of them is NULL. `None`
/// for another table.
pub(crate) fn maker(task: &Task, library: &Library, id: &str) -> Result<Option<Maker>, Blocked> {
    macro_rules! of {
        ($id:expr, $table:ty, $role:expr) => {
            if id == $id {
                // SAFETY: the struct published under this id.
                let table: &'static $table = unsafe { task.table(library, $id) }?;
                return Ok(Some(($role, table.create.zip(table.destroy))));
            }
        };
    }
    of!(ids::CAPTURE_V1, abi::CaptureV1, Role::Plain);
    of!(ids::DISPLAY_V1, abi::DisplayV1, Role::Plain);
    of!(ids::CURSOR_V1, abi::CursorV1, Role::Plain);
    of!(ids::CLIPBOARD_V1, abi::ClipboardV1, Role::Plain);
    of!(ids::INPUT_V1, abi::InputV1, Role::Plain);
    of!(ids::GAMEPAD_V1, abi::GamepadV1, Role::Plain);
    of!(ids::TRANSPORT_V1, abi::TransportV1, Role::Transport);
    of!(ids::RTC_CONFIG_V1, abi::RtcConfigV1, Role::Plain);
    of!(ids::AUDIO_CAPTURE_V1, abi::AudioCaptureV1, Role::Plain);
    of!(ids::AUDIO_SINK_V1, abi::AudioSinkV1, Role::Plain);
    Ok(None)
}

static CREATE: Site = control("create");
static DESTROY: Site = control("destroy");

/// An instance of a table other than the encoder's. Dropping it destroys it.
pub(crate) struct Instance {
    pub(crate) context: std::sync::Arc<Context>,
    pub(crate) raw: *mut abi::Instance,
    destroy: Destroy,
}

impl Instance {
    /// Calls `create`.
    pub(crate) fn create(
        role: Role,
        (create, destroy): (Create, Destroy),
        config: &str,
    ) -> Result<Self, call::Failure> {
        let context = Context::new(role);
        let raw = call::create(&CREATE, &context, |out| {
            // SAFETY: the configuration lives for the call, the host for ever.
            unsafe { create(context.raw(), abi::Str::new(config), out) }
        })?;
        Ok(Self { context, raw, destroy })
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by `create` of the same table; the last use.
        call::watched(&DESTROY, Duration::ZERO, || unsafe { (self.destroy)(self.raw) });
        self.context.end();
    }
}
