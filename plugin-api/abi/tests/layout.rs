//! Sizes and offsets of every published struct, locked. A published struct never changes: if this test fails, the change
//! needs a new id instead.

use std::mem::{offset_of, size_of};

use selkies_plugin_abi as abi;

#[test]
fn sizes_are_frozen() {
    let sizes = [
        ("Str", size_of::<abi::Str>()),
        ("Bytes", size_of::<abi::Bytes>()),
        ("Rect", size_of::<abi::Rect>()),
        ("TextSink", size_of::<abi::TextSink>()),
        ("CaptureInfo", size_of::<abi::CaptureInfo>()),
        ("CaptureParams", size_of::<abi::CaptureParams>()),
        ("CaptureEvent", size_of::<abi::CaptureEvent>()),
        ("CaptureV1", size_of::<abi::CaptureV1>()),
        ("CursorImage", size_of::<abi::CursorImage>()),
        ("CursorV1", size_of::<abi::CursorV1>()),
        ("DisplayOutput", size_of::<abi::DisplayOutput>()),
        ("DisplayRequest", size_of::<abi::DisplayRequest>()),
        ("OutputSink", size_of::<abi::OutputSink>()),
        ("DisplayV1", size_of::<abi::DisplayV1>()),
        ("EncoderCaps", size_of::<abi::EncoderCaps>()),
        ("CapsSink", size_of::<abi::CapsSink>()),
        ("EncoderParams", size_of::<abi::EncoderParams>()),
        ("SubmitParams", size_of::<abi::SubmitParams>()),
        ("RoiRect", size_of::<abi::RoiRect>()),
        ("FrameDone", size_of::<abi::FrameDone>()),
        ("HostEncoderV1", size_of::<abi::HostEncoderV1>()),
        ("EncoderV1", size_of::<abi::EncoderV1>()),
        ("EncoderRate", size_of::<abi::EncoderRate>()),
        ("EncoderRateV1", size_of::<abi::EncoderRateV1>()),
        ("PluginEntry", size_of::<abi::PluginEntry>()),
        ("LifecycleV1", size_of::<abi::LifecycleV1>()),
        ("Color", size_of::<abi::Color>()),
        ("Plane", size_of::<abi::Plane>()),
        ("Frame", size_of::<abi::Frame>()),
        ("FrameBuffer", size_of::<abi::FrameBuffer>()),
        ("Host", size_of::<abi::Host>()),
        ("LogV1", size_of::<abi::LogV1>()),
        ("ClockV1", size_of::<abi::ClockV1>()),
        ("MetricsV1", size_of::<abi::MetricsV1>()),
        ("MemoryV1", size_of::<abi::MemoryV1>()),
        ("InputEvent", size_of::<abi::InputEvent>()),
        ("InputV1", size_of::<abi::InputV1>()),
        ("Slab", size_of::<abi::Slab>()),
        ("Packet", size_of::<abi::Packet>()),
        ("RtcConfigRequest", size_of::<abi::RtcConfigRequest>()),
        ("RtcConfigV1", size_of::<abi::RtcConfigV1>()),
        ("TransportInfo", size_of::<abi::TransportInfo>()),
        ("Feedback", size_of::<abi::Feedback>()),
        ("HostTransportV1", size_of::<abi::HostTransportV1>()),
        ("TransportV1", size_of::<abi::TransportV1>()),
    ];
    let kept = include_str!("sizes.h");
    let mut text = String::from(SIZES_HEAD);
    for (name, size) in sizes {
        text.push_str(&format!("CHECK(sizeof(Selkies{name}) == {size});\n"));
    }
    if std::env::var_os("SELKIES_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sizes.h"), &text)
            .expect("sizes.h is writable");
    }
    assert!(kept == text, "a published struct changed its size:\n{text}");
}

#[test]
fn entry_offsets_are_frozen() {
    assert_eq!(offset_of!(abi::PluginEntry, magic), 0);
    assert_eq!(offset_of!(abi::PluginEntry, abi_epoch), 8);
    assert_eq!(offset_of!(abi::PluginEntry, struct_size), 12);
    assert_eq!(offset_of!(abi::PluginEntry, manifest_json), 16);
    assert_eq!(offset_of!(abi::PluginEntry, query), 32);
}

#[test]
fn magic_reads_selkplug() {
    assert_eq!(&abi::PLUGIN_MAGIC.to_le_bytes(), b"SELKPLUG");
    assert_eq!(abi::FOURCC_XRGB8888, abi::fourcc(*b"XR24"));
    assert_eq!(abi::FOURCC_NV12, abi::fourcc(*b"NV12"));
    assert_eq!(abi::FOURCC_P010, abi::fourcc(*b"P010"));
}

#[test]
fn status_carries_class_and_detail() {
    let status = abi::failure(abi::CLASS_DEVICE_LOST, abi::DETAIL_IO);
    assert!(status < 0);
    assert_eq!(abi::class_of(status), abi::CLASS_DEVICE_LOST);
    assert_eq!(abi::detail_of(status), abi::DETAIL_IO);
    assert_eq!(abi::class_of(abi::NOTHING), 0);
    assert_eq!(abi::class_of(i32::MIN), 1 << 23);
}

const SIZES_HEAD: &str = r"/* Sizes on LP64 platforms; the Rust side asserts the same (tests/layout.rs). */
#ifdef __cplusplus
#define CHECK(x) static_assert(x, #x)
#else
#define CHECK(x) _Static_assert(x, #x)
#endif
";
