//! RTC configurations: what comes back is checked, what goes over is right.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;

use std::sync::LazyLock;
use std::time::Duration;

use instance_fakes::{create, destroy, fake, note, notes, say};
use selkies_plugin_abi::{self as abi, Instance, Status, Str};
use selkies_plugin_host::{
    FaultDetail, FaultOrigin, HostServices, Origin, Plugin, RtcConfigInstance, RtcConfigRequest, Tables,
};

const PLUGIN: &str = "test.rtc-config";

fn origin<'a>(services: &'a HostServices, act: &'a str) -> Origin<'a> {
    static FAKES: LazyLock<Plugin> = LazyLock::new(|| Plugin::linked(PLUGIN, Tables::default().with(&RTC)));
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

static RTC: abi::RtcConfigV1 = abi::RtcConfigV1 {
    struct_size: size_of::<abi::RtcConfigV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    fetch: Some(fetch),
    wait: Some(rtc_wait),
    wake: Some(wake),
};

unsafe extern "C" fn fetch(
    instance: *mut Instance,
    request: *const abi::RtcConfigRequest,
    sink: *const abi::TextSink,
) -> Status {
    // SAFETY: request and sink of the host.
    unsafe {
        let (ctx, emit) = ((*sink).ctx, (*sink).emit.unwrap());
        note(format!("{} {} {}", text((*request).user), text((*request).protocol), (*request).tls));
        let good = Str::new("{\"lifetimeDuration\":\"60s\",\"iceServers\":[]}");
        let long = format!("{{\"iceServers\":[],\"x\":\"{}\"}}", "x".repeat(65536));
        match act(instance) {
            "none" => {}
            "json" => emit(ctx, Str::new("{\"iceServers\":[")),
            "shape" => emit(ctx, Str::new("{\"iceServers\":{}}")),
            "long" => emit(ctx, Str::new(&long)),
            "null" => emit(ctx, Str { ptr: std::ptr::null(), len: 3 }),
            "twice" => {
                emit(ctx, good);
                emit(ctx, good);
            }
            "fails" => {
                let status = abi::failure(abi::CLASS_RETRY, abi::DETAIL_IO);
                return say(&fake(instance).view, status, "turn-rest:8008 does not answer");
            }
            _ => emit(ctx, good),
        }
    }
    0
}

unsafe extern "C" fn rtc_wait(_: *mut Instance, timeout_ns: u64) -> Status {
    if timeout_ns == 0 { abi::NOTHING } else { 0 }
}

#[test]
fn rtc_configurations_are_checked() {
    let services = HostServices::default();
    let open = |act| RtcConfigInstance::create(&origin(&services, act)).unwrap();
    let request = RtcConfigRequest { user: "ann".into(), tls: true, tcp: false, deadline_ns: 1 };
    let mut source = open("good");
    assert_eq!(source.fetch(&request).unwrap(), "{\"lifetimeDuration\":\"60s\",\"iceServers\":[]}");
    assert_eq!(notes(), ["ann udp 1"]);
    assert!(source.wait(None).unwrap() && !source.wait(Some(Duration::ZERO)).unwrap());
    for act in ["none", "json", "shape", "long", "null"] {
        assert_eq!(open(act).fetch(&request).unwrap_err().origin, FaultOrigin::Contract, "{act}");
    }
    let before = services.misbehaviours(PLUGIN);
    assert!(open("twice").fetch(&request).is_ok());
    assert_eq!(services.misbehaviours(PLUGIN), before + 1);
    let error = open("fails").fetch(&request).unwrap_err();
    assert_eq!((error.text.as_str(), error.detail), ("turn-rest:8008 does not answer", FaultDetail::Io));
}
