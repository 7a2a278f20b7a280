//! Displays, cursors, input and gamepads: what comes back is checked, what goes over is right.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;

use std::sync::LazyLock;
use std::time::Duration;

use instance_fakes::{create, destroy, fake, note, notes, say};
use selkies_plugin_abi::{self as abi, Instance, Status, Str};
use selkies_plugin_host::{
    CursorInstance, DisplayInstance, DisplayRequest, FaultDetail, FaultOrigin, GamepadInstance, HostServices,
    InputAction, InputEvent, InputInstance, Origin, Plugin, PluginError, Tables, TouchPhase,
};

const PLUGIN: &str = "test.desktop";

fn origin<'a>(services: &'a HostServices, act: &'a str) -> Origin<'a> {
    static FAKES: LazyLock<Plugin> = LazyLock::new(|| {
        let tables = Tables::default().with(&DISPLAY).with(&CURSOR).with(&INPUT).with(&PADS);
        Plugin::linked(PLUGIN, tables)
    });
    notes();
    Origin { services, plugin: &FAKES, config_json: act }
}

/// What the instance is to do.
fn act<'a>(instance: *mut Instance) -> &'a str {
    // SAFETY: an instance of these fakes.
    unsafe { fake(instance) }.act.as_str()
}

fn text(text: Str) -> String {
    // SAFETY: the host's texts are UTF-8 and valid for the call.
    unsafe { std::str::from_utf8(std::slice::from_raw_parts(text.ptr, text.len)) }.unwrap().to_owned()
}

unsafe extern "C" fn wake(_: *mut Instance) {
    note("wake");
}

static DISPLAY: abi::DisplayV1 = abi::DisplayV1 {
    struct_size: size_of::<abi::DisplayV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    outputs: Some(outputs),
    apply: Some(apply),
};

unsafe extern "C" fn outputs(instance: *mut Instance, sink: *const abi::OutputSink) -> Status {
    // SAFETY: a sink of the host.
    unsafe {
        let (ctx, emit) = ((*sink).ctx, (*sink).emit.unwrap());
        let good = abi::DisplayOutput {
            struct_size: size_of::<abi::DisplayOutput>() as u32,
            flags: abi::OUTPUT_ENABLED | abi::OUTPUT_PRIMARY,
            name: Str::new("screen"),
            x: -10,
            y: 0,
            width: 1280,
            height: 720,
            refresh_mhz: 60_000,
            dpi: 96,
            max_width: 100_000,
            max_height: 8192,
            reserved: [0; 4],
        };
        emit(ctx, &good);
        match act(instance) {
            "bad" => {
                emit(ctx, std::ptr::null());
                emit(ctx, &good);
                emit(ctx, &abi::DisplayOutput { struct_size: 4, ..good });
                emit(ctx, &abi::DisplayOutput { name: Str::EMPTY, ..good });
                emit(ctx, &abi::DisplayOutput { name: Str { ptr: b"\xff".as_ptr(), len: 1 }, ..good });
                emit(ctx, &abi::DisplayOutput { name: Str::new("zero"), width: 0, ..good });
                emit(ctx, &abi::DisplayOutput { name: Str::new("huge"), width: 20_000, ..good });
            }
            "fails" => return abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO),
            _ => emit(
                ctx,
                &abi::DisplayOutput { name: Str::new("off"), flags: 0, width: 0, height: 0, ..good },
            ),
        }
    }
    0
}

unsafe extern "C" fn apply(
    instance: *mut Instance,
    requests: *const abi::DisplayRequest,
    count: u32,
) -> Status {
    // SAFETY: requests of the host.
    unsafe {
        for request in std::slice::from_raw_parts(requests, count as usize) {
            note(format!("{} {}x{} {}", text(request.name), request.width, request.height, request.flags));
            if request.width > 5000 {
                let status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT);
                return say(&fake(instance).view, status, "5000 pixels are the most");
            }
        }
    }
    0
}

#[test]
fn displays_report_and_take_sizes() {
    let services = HostServices::default();
    let mut display = DisplayInstance::create(&origin(&services, "good")).unwrap();
    let outputs = display.outputs().unwrap();
    assert_eq!(outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(), ["screen", "off"]);
    let screen = &outputs[0];
    assert_eq!(
        (screen.x, screen.refresh_mhz, screen.max_width, screen.primary),
        (-10, Some(60_000), 16384, true)
    );
    let request = DisplayRequest { enabled: true, width: 800, height: 600, ..Default::default() };
    let named = DisplayRequest { name: "off".into(), ..Default::default() };
    display.apply(&[request.clone(), named]).unwrap();
    assert_eq!(notes(), [" 800x600 1", "off 0x0 0"]);
    let error = display.apply(&[DisplayRequest { width: 6000, ..request.clone() }]).unwrap_err();
    assert_eq!(
        (error.detail, error.text.as_str()),
        (FaultDetail::InvalidArgument, "5000 pixels are the most")
    );
    notes();
    for size in [0, 16385] {
        let error = display.apply(&[DisplayRequest { height: size, ..request.clone() }]).unwrap_err();
        assert_eq!(error.origin, FaultOrigin::Caller);
    }
    assert!(display.apply(&vec![request; 65]).is_err());
    assert_eq!(notes().len(), 0, "the plugin was not asked");
    assert_eq!(services.misbehaviours(PLUGIN), 0);
}

#[test]
fn wrong_outputs_are_left_out() {
    let services = HostServices::default();
    let mut display = DisplayInstance::create(&origin(&services, "bad")).unwrap();
    assert_eq!(display.outputs().unwrap().len(), 1);
    assert_eq!(services.misbehaviours(PLUGIN), 7);
    let mut display = DisplayInstance::create(&origin(&services, "fails")).unwrap();
    assert!(display.outputs().unwrap_err().is_final());
    assert_eq!(display.outputs().unwrap_err().origin, FaultOrigin::Poisoned);
}

static CURSOR: abi::CursorV1 = abi::CursorV1 {
    struct_size: size_of::<abi::CursorV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    wait: Some(cursor_wait),
    wake: Some(wake),
};

unsafe extern "C" fn cursor_wait(
    instance: *mut Instance,
    timeout_ns: u64,
    out: *mut abi::CursorImage,
) -> Status {
    static RGBA: [u8; 2 * 3 * 4] = [7; 2 * 3 * 4];
    if timeout_ns == 0 {
        return abi::NOTHING;
    }
    // SAFETY: a place of the host.
    let out = unsafe { &mut *out };
    (out.visible, out.width, out.height, out.hot_x, out.hot_y, out.serial) = (1, 2, 3, 1, 2, 42);
    out.rgba = RGBA.as_ptr();
    match act(instance) {
        "hidden" => (out.visible, out.width, out.height, out.rgba) = (0, 0, 0, std::ptr::null()),
        "huge" => (out.width, out.height) = (513, 1),
        "null" => out.rgba = std::ptr::null(),
        "hot" => out.hot_x = 2,
        "size" => out.struct_size = 7,
        "visible" => out.visible = 2,
        "half" => out.height = 0,
        "empty" => (out.width, out.height) = (0, 0),
        _ => {}
    }
    0
}

#[test]
fn cursors_are_copied_and_checked() {
    let services = HostServices::default();
    let open = |act| CursorInstance::create(&origin(&services, act)).unwrap();
    let mut cursor = open("good");
    let shape = cursor.wait(None).unwrap().unwrap();
    assert_eq!((shape.visible, shape.width, shape.height, shape.serial), (true, 2, 3, 42));
    assert_eq!(shape.rgba, [7; 24]);
    assert_eq!(cursor.wait(Some(Duration::ZERO)).unwrap(), None);
    let waker = cursor.waker();
    waker.wake();
    drop(cursor);
    waker.wake();
    assert_eq!(notes(), ["wake", "destroy"]);
    let hidden = open("hidden").wait(None).unwrap().unwrap();
    assert_eq!((hidden.visible, hidden.rgba.len()), (false, 0));
    for act in ["huge", "null", "hot", "size", "visible", "half", "empty"] {
        assert_eq!(open(act).wait(None).unwrap_err().origin, FaultOrigin::Contract, "{act}");
    }
}

static INPUT: abi::InputV1 = abi::InputV1 {
    struct_size: size_of::<abi::InputV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    kinds: Some(kinds),
    inject: Some(inject),
};

unsafe extern "C" fn kinds(_: *mut Instance) -> u64 {
    1 << abi::INPUT_KEYSYM | 1 << abi::INPUT_TEXT
}

unsafe extern "C" fn inject(instance: *mut Instance, events: *const abi::InputEvent, count: u32) -> Status {
    if act(instance) == "fails" {
        return abi::failure(abi::CLASS_FATAL_INSTANCE, abi::DETAIL_PERMISSION);
    }
    if act(instance) == "count" {
        note(count);
        return 0;
    }
    // SAFETY: events of the host.
    for event in unsafe { std::slice::from_raw_parts(events, count as usize) } {
        assert_eq!(event.struct_size as usize, size_of::<abi::InputEvent>());
        let text = if event.text.len == 0 { String::new() } else { text(event.text) };
        let abi::InputEvent { kind, code, value, x, y, timestamp_ns, .. } = event;
        note(format!("{kind} {code} {value} {x} {y} {text} {timestamp_ns}"));
    }
    0
}

fn event(action: InputAction) -> InputEvent {
    InputEvent { action, received_ns: 9 }
}

#[test]
fn input_events_arrive_as_they_are() -> Result<(), PluginError> {
    let services = HostServices::default();
    let mut input = InputInstance::create(&origin(&services, "good"))?;
    assert_ne!(input.kinds() & InputAction::Text(String::new()).mask(), 0);
    assert_eq!(input.kinds() & InputAction::Scroll { x: 0, y: 0 }.mask(), 0);
    input.inject(&[
        event(InputAction::Keysym { keysym: 0xff0d, pressed: true }),
        event(InputAction::Keycode { code: 28, pressed: false }),
        event(InputAction::PointerAbsolute { x: 5, y: 6 }),
        event(InputAction::PointerRelative { x: -1, y: 2 }),
        event(InputAction::Button { button: abi::BUTTON_RIGHT, pressed: true }),
        event(InputAction::Scroll { x: 0, y: -120 }),
        event(InputAction::Text("grün".into())),
        event(InputAction::ReleaseAll),
        event(InputAction::Touch { id: 3, phase: TouchPhase::Moved, x: 1, y: 2 }),
    ])?;
    let expected = [
        "1 65293 1 0 0  9",
        "2 28 0 0 0  9",
        "3 0 0 5 6  9",
        "4 0 0 -1 2  9",
        "5 3 1 0 0  9",
        "6 0 0 0 -120  9",
        "7 0 0 0 0 grün 9",
        "8 0 0 0 0  9",
        "9 3 2 1 2  9",
    ];
    assert_eq!(notes(), expected);
    let error = input.inject(&[event(InputAction::Text("x".repeat(4097)))]).unwrap_err();
    assert_eq!(error.origin, FaultOrigin::Caller);
    Ok(())
}

#[test]
fn long_lists_take_several_calls_and_failures_are_final() {
    let services = HostServices::default();
    let mut input = InputInstance::create(&origin(&services, "count")).unwrap();
    input.inject(&vec![event(InputAction::ReleaseAll); 130]).unwrap();
    input.inject(&[]).unwrap();
    assert_eq!(notes(), ["64", "64", "2"]);
    let mut input = InputInstance::create(&origin(&services, "fails")).unwrap();
    let error = input.inject(&[event(InputAction::ReleaseAll)]).unwrap_err();
    assert!(error.to_string().contains("Give the host's user access"), "{error}");
    assert_eq!(input.kinds(), 0, "a poisoned instance is not asked");
}

static PADS: abi::GamepadV1 = abi::GamepadV1 {
    struct_size: size_of::<abi::GamepadV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    plug: Some(plug),
    unplug: Some(unplug),
    inject: Some(play),
    wait: Some(rumble_wait),
    wake: Some(wake),
};

unsafe extern "C" fn plug(_: *mut Instance, _: u32, _: *const abi::GamepadIdentity) -> Status {
    0
}

unsafe extern "C" fn unplug(_: *mut Instance, _: u32) -> Status {
    0
}

unsafe extern "C" fn play(_: *mut Instance, _: *const abi::GamepadEvent, count: u32) -> Status {
    note(count);
    0
}

unsafe extern "C" fn rumble_wait(
    instance: *mut Instance,
    timeout_ns: u64,
    out: *mut abi::GamepadRumble,
) -> Status {
    if timeout_ns == 0 {
        return abi::NOTHING;
    }
    // SAFETY: a place of the host.
    let out = unsafe { &mut *out };
    (out.slot, out.strong, out.weak, out.duration_ms) = (1, 65535, 7, 250);
    match act(instance) {
        "slot" => out.slot = 4,
        "strong" => out.strong = 65536,
        "weak" => out.weak = u32::MAX,
        "size" => out.struct_size = 3,
        _ => {}
    }
    0
}

#[test]
fn rumbles_are_checked() {
    let services = HostServices::default();
    let open = |act| GamepadInstance::create(&origin(&services, act)).unwrap();
    let mut pads = open("good");
    let rumble = pads.wait(None).unwrap().unwrap();
    assert_eq!((rumble.slot, rumble.strong, rumble.weak, rumble.duration_ms), (1, 65535, 7, 250));
    assert_eq!(pads.wait(Some(Duration::ZERO)).unwrap(), None);
    for act in ["slot", "strong", "weak", "size"] {
        let mut pads = open(act);
        assert_eq!(pads.wait(None).unwrap_err().origin, FaultOrigin::Contract, "{act}");
        assert_eq!(pads.inject(&[]).map_err(|error| error.origin), Ok(()), "nothing is called");
        assert_eq!(pads.unplug(0).unwrap_err().origin, FaultOrigin::Poisoned, "{act}");
    }
}
