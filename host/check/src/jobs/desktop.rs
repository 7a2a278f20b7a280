//! Displays, cursors and input.

use std::{collections::BTreeSet, time::Duration};

use selkies_plugin_abi::{self as abi, ids};

use super::{
    Blocked, Create, Destroy, Instance, Job, Task,
    waiting::{GRACE, Wake, timed, timeouts, wakes},
};
use crate::{
    call::{self, Failure, Site, control, media},
    host::{Role, size32, sized, text},
    journal::{fail, held},
    rules::{
        cursor::{CUR_001, CUR_002, CUR_003, CUR_004},
        display::{DSP_001, DSP_002, DSP_003},
        input::{INP_001, INP_002, INP_003, INP_004},
    },
};

pub(super) static JOBS: &[Job] = &[
    Job {
        name: "outputs",
        table: Some(ids::DISPLAY_V1),
        rules: &[&DSP_001, &DSP_002, &DSP_003],
        limit_s: 60,
        fuzz: false,
        run: display,
    },
    Job {
        name: "pointer images",
        table: Some(ids::CURSOR_V1),
        rules: &[&CUR_001, &CUR_002, &CUR_003, &CUR_004],
        limit_s: 90,
        fuzz: false,
        run: cursor,
    },
    Job {
        name: "events",
        table: Some(ids::INPUT_V1),
        rules: &[&INP_001, &INP_002, &INP_003, &INP_004],
        limit_s: 60,
        fuzz: false,
        run: input,
    },
];

static OUTPUTS: Site = control("display.outputs");
static APPLY: Site = control("display.apply");
static WAIT: Site = control("cursor.wait");
static KINDS: Site = media("input.kinds");
static INJECT: Site = media("input.inject");

/// Makes an instance of a table.
pub(super) fn instance(task: &Task, functions: Option<(Create, Destroy)>) -> Result<Instance, Blocked> {
    let functions = functions.ok_or("PKG-007: create or destroy is NULL")?;
    Instance::create(Role::Plain, functions, &task.config)
        .map_err(|failure| format!("no instance: {failure}"))
}

/// One output, copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    name: String,
    flags: u32,
    place: (i32, i32),
    pub(super) size: (u32, u32),
    pub(super) largest: (u32, u32),
    refresh_mhz: u32,
}

impl Output {
    pub(super) fn is_enabled(&self) -> bool {
        self.flags & abi::OUTPUT_ENABLED != 0
    }
}

/// Most outputs that are looked at.
const MAX_OUTPUTS: usize = 256;

unsafe extern "C" fn emit_output(ctx: *mut std::ffi::c_void, output: *const abi::DisplayOutput) {
    // SAFETY: `outputs` passes its own list.
    let found = unsafe { &mut *ctx.cast::<Vec<Output>>() };
    // SAFETY: the output lives for the call.
    let Some(output) = (unsafe { sized(output) }) else {
        return fail(&DSP_001, "an output is NULL or smaller than DisplayOutput");
    };
    // SAFETY: as above.
    let name = unsafe { text(output.name) }.map(str::to_owned).unwrap_or_else(|why| {
        fail(&DSP_001, format!("a name is {why}"));
        String::new()
    });
    if found.len() < MAX_OUTPUTS {
        found.push(Output {
            name,
            flags: output.flags,
            place: (output.x, output.y),
            size: (output.width, output.height),
            largest: (output.max_width, output.max_height),
            refresh_mhz: output.refresh_mhz,
        });
    }
}

/// The outputs, as they are told.
fn told(table: &abi::DisplayV1, instance: &Instance) -> Result<Vec<Output>, Blocked> {
    let mut found: Vec<Output> = Vec::new();
    let sink = abi::OutputSink { ctx: (&raw mut found).cast(), emit: Some(emit_output) };
    let raw = instance.raw;
    // SAFETY: the instance and the sink live for the call.
    let call = || table.outputs.map_or(abi::OK, |outputs| unsafe { outputs(raw, &raw const sink) });
    call::status(&OUTPUTS, &instance.context, Duration::ZERO, call).map_err(|failure| {
        failure.breaks(&DSP_001, "outputs");
        failure.to_string()
    })?;
    Ok(found)
}

fn apply(
    table: &abi::DisplayV1,
    instance: &Instance,
    output: &Output,
    size: (u32, u32),
) -> Result<bool, Failure> {
    let request = abi::DisplayRequest {
        struct_size: size32::<abi::DisplayRequest>(),
        flags: output.flags & (abi::OUTPUT_ENABLED | abi::OUTPUT_PRIMARY),
        name: abi::Str::new(&output.name),
        x: output.place.0,
        y: output.place.1,
        width: size.0,
        height: size.1,
        refresh_mhz: 0,
        dpi: 0,
        reserved: [0; 4],
    };
    let raw = instance.raw;
    // SAFETY: the instance lives; the request lives for the call.
    let call = || table.apply.map_or(abi::OK, |apply| unsafe { apply(raw, &raw const request, 1) });
    call::status(&APPLY, &instance.context, Duration::ZERO, call)
}

/// The outputs, which are judged; at least one is enabled.
pub(super) fn outputs(table: &abi::DisplayV1, instance: &Instance) -> Result<Vec<Output>, Blocked> {
    let found = told(table, instance)?;
    let names: BTreeSet<&str> = found.iter().map(|output| output.name.as_str()).collect();
    if found.is_empty() || names.len() < found.len() || names.contains("") {
        fail(&DSP_001, format!("outputs {:?}", found.iter().map(|output| &output.name).collect::<Vec<_>>()));
        return Err("DSP-001: there are no usable outputs".into());
    }
    for output in found.iter().filter(|output| output.is_enabled()) {
        let Output { name, size, largest, .. } = output;
        if size.0 == 0 || size.1 == 0 || size.0 > largest.0 || size.1 > largest.1 {
            fail(&DSP_001, format!("{name}: {}x{}, largest {}x{}", size.0, size.1, largest.0, largest.1));
        }
    }
    if !found.iter().any(Output::is_enabled) {
        fail(&DSP_001, "no output is enabled");
        return Err("DSP-001: no output is enabled".into());
    }
    Ok(found)
}

/// Asks for a size over the limits of an output, and judges that nothing comes of it.
pub(super) fn oversize(
    table: &abi::DisplayV1,
    instance: &Instance,
    output: &Output,
    size: (u32, u32),
    before: &[Output],
) -> Result<(), Blocked> {
    let what = format!("{}x{} on {}", size.0, size.1, output.name);
    match apply(table, instance, output, size) {
        Ok(_) => fail(&DSP_002, format!("{what} was taken")),
        Err(failure) => {
            let right =
                failure.class() == abi::CLASS_RETRY && failure.detail() == abi::DETAIL_INVALID_ARGUMENT;
            if !right || failure.text.is_empty() {
                failure.breaks(&DSP_002, &what);
            }
        }
    }
    if told(table, instance)? != before {
        fail(&DSP_002, format!("{what} changed the display"));
    }
    Ok(())
}

/// Asks for what an output is now, and judges that it stays so.
pub(super) fn same_mode(table: &abi::DisplayV1, instance: &Instance, output: &Output) -> Result<(), Blocked> {
    match apply(table, instance, output, output.size) {
        Err(failure) => failure.breaks(&DSP_003, &format!("{}x{}", output.size.0, output.size.1)),
        Ok(_) => {
            let after = told(table, instance)?;
            let same = after.iter().find(|after| after.name == output.name);
            if same.is_none_or(|after| after.size != output.size) {
                fail(&DSP_003, format!("{} is now {:?}", output.name, same.map(|after| after.size)));
            }
        }
    }
    Ok(())
}

fn display(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::DisplayV1 = unsafe { task.table(&library, ids::DISPLAY_V1) }?;
    let instance = instance(task, table.create.zip(table.destroy))?;
    let before = outputs(table, &instance)?;
    if let Some(output) = before.iter().find(|output| output.is_enabled()) {
        // Far enough over the limit that rounding to what a codec likes cannot bring it back.
        for size in [(output.largest.0.saturating_add(64), output.size.1), (u32::MAX, u32::MAX)] {
            oversize(table, &instance, output, size, &before)?;
        }
        same_mode(table, &instance, output)?;
    }
    held(&[&DSP_001, &DSP_002, &DSP_003]);
    Ok(())
}

/// Waits for images, and judges those that come.
pub(super) struct Pointer<'a> {
    table: &'static abi::CursorV1,
    instance: &'a Instance,
    /// Serial of the newest image.
    last: Option<u64>,
}

impl<'a> Pointer<'a> {
    /// The first image is there, or the reason why not is told.
    pub(super) fn open(table: &'static abi::CursorV1, instance: &'a Instance) -> Result<Self, Blocked> {
        let mut pointer = Self { table, instance, last: None };
        match pointer.wait(GRACE) {
            (Ok(true), took) if took <= GRACE => {}
            (Ok(_), took) => fail(&CUR_001, format!("no image within {} ms", took.as_millis())),
            (Err(failure), _) => {
                failure.breaks(&CUR_001, "the first wait");
                return Err(failure.to_string());
            }
        }
        Ok(pointer)
    }

    pub(super) fn wait(&mut self, timeout: Duration) -> (Result<bool, Failure>, Duration) {
        let mut image = abi::CursorImage {
            struct_size: size32::<abi::CursorImage>(),
            visible: 0,
            width: 0,
            height: 0,
            hot_x: 0,
            hot_y: 0,
            serial: 0,
            rgba: std::ptr::null(),
            reserved: [0; 2],
        };
        let (out, raw) = (&raw mut image, self.instance.raw);
        let (answer, took) = timed(&WAIT, self.instance, timeout, |nanos| {
            // SAFETY: the instance lives and `out` is writable.
            self.table.wait.map_or(abi::OK, |wait| unsafe { wait(raw, nanos, out) })
        });
        if let Ok(true) = answer {
            sound(&image);
            let serial = image.serial;
            if self.last.replace(serial) == Some(serial) {
                fail(&CUR_003, format!("the image {serial} was reported twice in a row"));
            }
        }
        (answer, took)
    }

    /// What ends its waits.
    pub(super) fn wake(&self) -> Result<Wake, Blocked> {
        Wake::new(self.table.wake, self.instance).ok_or_else(|| "PKG-007: wake is NULL".into())
    }
}

fn cursor(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::CursorV1 = unsafe { task.table(&library, ids::CURSOR_V1) }?;
    let instance = instance(task, table.create.zip(table.destroy))?;
    let mut pointer = Pointer::open(table, &instance)?;
    timeouts(&CUR_003, |timeout| pointer.wait(timeout))?;
    held(&[&CUR_001, &CUR_002, &CUR_003]);
    let wake = pointer.wake()?;
    wakes(&CUR_004, &WAIT, wake, |timeout| pointer.wait(timeout))?;
    held(&[&CUR_004]);
    Ok(())
}

fn sound(image: &abi::CursorImage) {
    if image.visible == 0 {
        return;
    }
    let edges = 1..=abi::MAX_CURSOR_EDGE;
    let abi::CursorImage { width, height, hot_x, hot_y, rgba, .. } = *image;
    if !edges.contains(&width)
        || !edges.contains(&height)
        || hot_x >= width
        || hot_y >= height
        || rgba.is_null()
    {
        fail(&CUR_002, format!("{width}x{height}, hot spot {hot_x},{hot_y}, pixels at {rgba:p}"));
        return;
    }
    let len = width as usize * height as usize * 4;
    // SAFETY: readable by the ABI until the next call; reading it is what is judged.
    let pixels = unsafe { std::slice::from_raw_parts(rgba, len) };
    std::hint::black_box(pixels.iter().map(|&byte| u64::from(byte)).sum::<u64>());
}

/// An event of a kind, with nothing else in it.
pub(super) fn event(kind: u32) -> abi::InputEvent {
    abi::InputEvent {
        struct_size: size32::<abi::InputEvent>(),
        kind,
        code: 0,
        value: 0,
        x: 0,
        y: 0,
        text: abi::Str::EMPTY,
        timestamp_ns: 0,
        reserved: [0; 2],
    }
}

/// The kinds of events that an input understands, as a mask.
pub(super) fn kinds(table: &abi::InputV1, instance: &Instance) -> u64 {
    let raw = instance.raw;
    // SAFETY: the instance lives.
    let ask = || table.kinds.map_or(0, |kinds| unsafe { kinds(raw) });
    call::watched(&KINDS, Duration::ZERO, ask)
}

pub(super) fn inject(
    table: &abi::InputV1,
    instance: &Instance,
    events: &[abi::InputEvent],
) -> Result<bool, Failure> {
    let (raw, list, count) = (instance.raw, events.as_ptr(), u32::try_from(events.len()).unwrap_or(0));
    // SAFETY: the instance lives; the events live for the call.
    let call = || table.inject.map_or(abi::OK, |inject| unsafe { inject(raw, list, count) });
    call::status(&INJECT, &instance.context, Duration::ZERO, call)
}

/// Nothing here presses a key or a button: the display may be somebody's.
fn input(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::InputV1 = unsafe { task.table(&library, ids::INPUT_V1) }?;
    let instance = instance(task, table.create.zip(table.destroy))?;
    let kinds = kinds(table, &instance);
    let has = |kind: u32| kinds & (1 << kind) != 0;
    let holds = [abi::INPUT_KEYSYM, abi::INPUT_KEYCODE, abi::INPUT_BUTTON, abi::INPUT_TOUCH];
    if kinds & !1 == 0 {
        fail(&INP_001, format!("the mask is {kinds:#x}"));
    } else if holds.into_iter().any(has) && !has(abi::INPUT_RELEASE_ALL) {
        fail(&INP_001, format!("the mask is {kinds:#x}, without INPUT_RELEASE_ALL"));
    }
    let inject = |events: &[abi::InputEvent]| inject(table, &instance, events);
    let mut wrong = vec![("an event of kind 63", event(63)), ("an event of kind 0", event(0))];
    if has(abi::INPUT_BUTTON) {
        wrong.push(("button 77", abi::InputEvent { code: 77, value: 1, ..event(abi::INPUT_BUTTON) }));
    }
    for (what, event) in &wrong {
        if inject(&[*event]).is_ok() {
            fail(&INP_002, format!("{what} was taken"));
        }
    }
    let mut harmless: Vec<(&str, Vec<abi::InputEvent>)> = vec![("an empty list", Vec::new())];
    if has(abi::INPUT_RELEASE_ALL) {
        harmless.push(("release-all", vec![event(abi::INPUT_RELEASE_ALL)]));
        harmless.push(("release-all twice", vec![event(abi::INPUT_RELEASE_ALL); 2]));
    }
    for (what, events) in &harmless {
        if let Err(failure) = inject(events) {
            failure.breaks(&INP_003, what);
        }
    }
    let mut moves = Vec::new();
    if has(abi::INPUT_POINTER_RELATIVE) {
        moves.push(("a relative move by nothing", event(abi::INPUT_POINTER_RELATIVE)));
    }
    if has(abi::INPUT_POINTER_ABSOLUTE) {
        for (what, x, y) in [("a move to 0,0", 0, 0), ("a move outside", -5, 1 << 20)] {
            moves.push((what, abi::InputEvent { x, y, ..event(abi::INPUT_POINTER_ABSOLUTE) }));
        }
    }
    for (what, event) in &moves {
        if let Err(failure) = inject(&[*event]) {
            failure.breaks(&INP_004, what);
        }
    }
    held(&[&INP_001, &INP_002, &INP_003, &INP_004]);
    Ok(())
}
