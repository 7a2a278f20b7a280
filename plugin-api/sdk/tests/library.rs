//! What `export_plugin!` exports: the entry, the tables, the log.
#![allow(unsafe_code)] // reads the exported symbols

mod support;

use core::ffi::c_void;

use selkies_plugin_sdk::{
    abi::{self, ids},
    test_host::{LogLine, TestHost},
};
use support::Example;

selkies_plugin_sdk::export_plugin! {
    manifest: "support/selkies-plugin.json",
    encoder: Example,
    encoder_rate: Example,
}

unsafe extern "C" {
    #[link_name = "selkies_plugin_entry"]
    static EXPORTED: abi::PluginEntry;
}

fn entry() -> &'static abi::PluginEntry {
    // SAFETY: exported above, with this type.
    unsafe { &EXPORTED }
}

fn query(id: abi::Str) -> *const c_void {
    // SAFETY: ids are texts, or bytes that have to be refused; all are readable.
    unsafe { entry().query.expect("query")(id) }
}

#[test]
fn the_entry_says_what_it_is() {
    assert_eq!(entry().magic, abi::PLUGIN_MAGIC);
    assert_eq!(entry().abi_epoch, abi::ABI_EPOCH);
    assert_eq!(entry().struct_size as usize, size_of::<abi::PluginEntry>());
    // SAFETY: the manifest is static text.
    let manifest =
        unsafe { std::slice::from_raw_parts(entry().manifest_json.ptr, entry().manifest_json.len) };
    assert_eq!(manifest, include_bytes!("support/selkies-plugin.json"));
}

#[test]
fn tables_begin_with_their_size_and_are_always_the_same() {
    let sizes = [
        (ids::LIFECYCLE_V1, size_of::<abi::LifecycleV1>()),
        (ids::ENCODER_V1, size_of::<abi::EncoderV1>()),
        (ids::ENCODER_RATE_V1, size_of::<abi::EncoderRateV1>()),
    ];
    for (id, size) in sizes {
        let table = query(abi::Str::new(id));
        assert!(!table.is_null(), "{id}");
        assert_eq!(table, query(abi::Str::new(id)), "{id}");
        // SAFETY: every table begins with its size and a zero.
        let head = unsafe { table.cast::<[u32; 2]>().read() };
        assert_eq!(head, [size as u32, 0], "{id}");
    }
}

#[test]
fn unknown_ids_give_null() {
    let not_utf8 = [b's', 0xff];
    for id in [
        abi::Str::EMPTY,
        abi::Str::new("selkies.encoder/2"),
        abi::Str::new("selkies.encoder/1 "),
        abi::Str::new("selkies.encoder/1\0"),
        abi::Str::new("SELKIES.encoder/1"),
        abi::Str::new(ids::CAPTURE_V1),
        abi::Str::new(ids::HOST_LOG_V1),
        abi::Str { ptr: not_utf8.as_ptr(), len: 2 },
        abi::Str { ptr: std::ptr::null(), len: 5 },
    ] {
        assert!(query(id).is_null());
    }
}

#[test]
fn events_of_the_plugin_arrive_in_the_log_of_the_host() {
    let host = TestHost::process();
    tracing::warn!(width = 1920, ratio = 0.5, ok = true, name = "a \"b\"", "frame looks {}", "odd");
    tracing::debug!(target: "deep", answer = ?Some(42_u8));
    let find = |target: &str| host.log().into_iter().find(|line| line.target == target);
    assert_eq!(
        find("library"),
        Some(LogLine {
            level: abi::LEVEL_WARN,
            target: "library".into(),
            message: "frame looks odd".into(),
            fields: serde_json::json!({"width": 1920, "ratio": 0.5, "ok": true, "name": "a \"b\""}),
        })
    );
    let deep = find("deep").expect("debug is kept");
    assert_eq!((deep.level, deep.fields), (abi::LEVEL_DEBUG, serde_json::json!({"answer": "Some(42)"})));

    let lifecycle = query(abi::Str::new(ids::LIFECYCLE_V1)).cast::<abi::LifecycleV1>();
    // SAFETY: the table of this id is a LifecycleV1.
    let set_level = |level| unsafe { (*lifecycle).set_log_level.expect("set_log_level")(level) };
    let burst = |target: &'static str| {
        set_level(abi::LEVEL_ERROR);
        tracing::warn!(target: "quiet", "{target}");
        set_level(abi::LEVEL_TRACE);
        tracing::trace!(target: "loud", "{target}");
    };
    burst("x");
    assert_eq!(find("quiet"), None, "over the host's level");
    assert!(find("loud").is_some());

    let panicked = std::thread::spawn(|| panic!("as told")).join();
    assert!(panicked.is_err());
    let told = host.log().into_iter().find(|line| line.message.contains("as told")).expect("the panic hook");
    assert_eq!(told.level, abi::LEVEL_ERROR);
    assert!(told.message.contains("library.rs:"), "{}", told.message);
    assert_eq!(host.misuse(), Vec::<String>::new());
}

#[test]
fn the_handle_reaches_the_clock() {
    let (first, second) = (TestHost::process().handle().now_ns(), TestHost::process().handle().now_ns());
    assert!(first > 0 && second >= first);
}
