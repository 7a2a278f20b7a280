//! What the wrappers refuse before the plugin sees it.
#![allow(unsafe_code)] // the tests call the C tables with broken arguments

mod support;

use std::ptr::{null, null_mut};

use selkies_plugin_sdk::{
    abi,
    private::{EncoderRateTable, EncoderTable, LIFECYCLE, TransportTable},
    test_host::{TestEncoder, TestHost, TestPicture},
};
use support::Example;

const TABLE: &abi::EncoderV1 = EncoderTable::<Example>::TABLE;

fn invalid(status: abi::Status) -> bool {
    status < 0 && abi::detail_of(status) == abi::DETAIL_INVALID_ARGUMENT
}

fn named_params() -> abi::EncoderParams {
    abi::EncoderParams { name: abi::Str::new("example"), ..TestEncoder::params(abi::CODEC_NULL, 16, 16) }
}

/// Calls `create` with these and answers the status and whether an instance was written.
fn create(
    host: *const abi::Host,
    config: abi::Str,
    params: *const abi::EncoderParams,
) -> (abi::Status, bool) {
    let mut out = null_mut();
    // SAFETY: broken arguments are what the function has to refuse; what is not NULL is readable.
    let status = unsafe { TABLE.create.expect("create")(host, config, params, &raw mut out) };
    if !out.is_null() {
        // SAFETY: made by this table.
        unsafe { TABLE.destroy.expect("destroy")(out) }
    }
    (status, !out.is_null())
}

#[test]
fn create_refuses_broken_arguments() {
    let host = TestHost::new();
    let params = named_params();
    let good = abi::Str::new("{}");
    assert_eq!(create(host.raw(), good, &raw const params), (abi::OK, true));
    assert_eq!(
        create(host.raw(), abi::Str::EMPTY, &raw const params),
        (abi::OK, true),
        "empty stands for {{}}"
    );

    assert!(invalid(create(null(), good, &raw const params).0));
    // SAFETY: the host lives for the statement.
    let short = abi::Host { struct_size: 8, ..unsafe { *host.raw() } };
    assert!(invalid(create(&raw const short, good, &raw const params).0));
    assert!(invalid(create(host.raw(), good, null()).0));
    let short = abi::EncoderParams { struct_size: 16, ..params };
    assert!(invalid(create(host.raw(), good, &raw const short).0));
    let odd = params;
    let odd = (&raw const odd).cast::<u8>().wrapping_add(1).cast();
    assert!(invalid(create(host.raw(), good, odd).0));

    let bytes = [0xff_u8, b'{', b'}'];
    let not_utf8 = abi::Str { ptr: bytes.as_ptr(), len: bytes.len() };
    assert!(invalid(create(host.raw(), not_utf8, &raw const params).0));
    assert!(invalid(create(host.raw(), abi::Str { ptr: null(), len: 2 }, &raw const params).0));
    let name = abi::EncoderParams { name: not_utf8, ..params };
    assert!(invalid(create(host.raw(), good, &raw const name).0));
    // SAFETY: as in `create`; the place for the instance is missing.
    assert!(invalid(unsafe {
        TABLE.create.expect("create")(host.raw(), good, &raw const params, null_mut())
    }));
}

#[test]
fn create_refuses_configuration_that_does_not_fit() {
    let host = TestHost::new();
    let params = named_params();
    for config in
        ["{", "[]", "[\"packet\", false, false]", "3", r#"{"mode": "fly"}"#, r#"{"modus": "packet"}"#]
    {
        let (status, made) = create(host.raw(), abi::Str::new(config), &raw const params);
        assert!(!made, "{config}");
        assert_eq!(abi::detail_of(status), abi::DETAIL_CONFIG, "{config}");
        assert_eq!(abi::class_of(status), abi::CLASS_FATAL_INSTANCE, "{config}");
        let said = host.failures().pop().expect("a text");
        assert!(said.text.starts_with("configuration: "), "{}", said.text);
    }
}

#[test]
fn submit_refuses_broken_frames() {
    let host = TestHost::new();
    let encoder =
        TestEncoder::of::<Example>(&host, "{}", "example", &TestEncoder::params(abi::CODEC_NULL, 16, 16))
            .expect("created");
    let pixels = vec![0_u8; 16 * 16 * 4];
    let plane = abi::Plane { ptr: pixels.as_ptr(), handle: 0, offset: 0, len: 1024, stride: 64, fd: -1 };
    let frame = abi::Frame {
        struct_size: size_of::<abi::Frame>() as u32,
        memory: abi::MEMORY_CPU,
        width: 16,
        height: 16,
        fourcc: abi::FOURCC_XRGB8888,
        plane_count: 1,
        modifier: 0,
        color: abi::Color { primaries: 1, transfer: 13, matrix: 0, full_range: 1 },
        flags: abi::FRAME_FULL_DAMAGE,
        timestamp_ns: 1,
        frame_id: 1,
        token: 1,
        planes: [plane; 4],
        acquire_fence_fd: -1,
        damage_count: 0,
        damage: null(),
        reserved: [0; 4],
    };
    let params = abi::SubmitParams {
        struct_size: size_of::<abi::SubmitParams>() as u32,
        flags: 0,
        deadline_ns: 0,
        known_frame_id: 0,
        roi: null(),
        roi_count: 0,
        reserved32: 0,
        reserved: [0; 4],
    };
    let submit = |frame: *const abi::Frame, params: *const abi::SubmitParams| {
        // SAFETY: as in `create`.
        unsafe { TABLE.submit.expect("submit")(encoder.raw(), frame, params) }
    };
    assert_eq!(submit(&raw const frame, &raw const params), abi::OK);
    assert!(invalid(submit(null(), &raw const params)));
    assert!(invalid(submit(&raw const frame, null())));
    for broken in [
        abi::Frame { struct_size: 32, ..frame },
        abi::Frame { plane_count: 0, ..frame },
        abi::Frame { plane_count: 5, ..frame },
        abi::Frame { width: 0, ..frame },
        abi::Frame { damage_count: 3, ..frame },
        abi::Frame { damage_count: 65, damage: std::ptr::dangling(), ..frame },
    ] {
        assert!(invalid(submit(&raw const broken, &raw const params)));
    }
    for broken in [
        abi::SubmitParams { roi_count: 1, ..params },
        abi::SubmitParams { roi_count: 65, roi: std::ptr::dangling(), ..params },
        abi::SubmitParams { struct_size: 4, ..params },
    ] {
        assert!(invalid(submit(&raw const frame, &raw const broken)));
    }
    assert_eq!(host.packets().len(), 1, "only the good frame reached the encoder");
}

#[test]
fn instances_of_another_table_and_null_are_refused() {
    let host = TestHost::new();
    let encoder =
        TestEncoder::of::<Example>(&host, "{}", "example", &TestEncoder::params(abi::CODEC_NULL, 16, 16))
            .expect("created");
    let transport = TransportTable::<websocket::Plain>::TABLE;
    // SAFETY: an instance of an SDK table; that it is of another type is what has to be noticed.
    let status = unsafe { transport.signal.expect("signal")(encoder.raw(), 1, abi::Str::new("{}")) };
    assert_eq!(abi::class_of(status), abi::CLASS_FATAL_INSTANCE);
    // SAFETY: as above.
    unsafe { transport.destroy.expect("destroy")(encoder.raw()) };
    // SAFETY: NULL has to be refused.
    unsafe {
        assert!(TABLE.drain.expect("drain")(null_mut()) < 0);
        assert!(EncoderRateTable::<Example>::TABLE.set.expect("set")(null_mut(), null()) < 0);
        TABLE.destroy.expect("destroy")(null_mut());
        assert!(LIFECYCLE.init.expect("init")(null()) < 0);
    }
    let mut encoder = encoder;
    encoder.submit(&TestPicture::bgrx(16, 16)).expect("the instance still works");
}

#[test]
fn probe_refuses_a_sink_without_a_function() {
    let host = TestHost::new();
    let sink = abi::CapsSink { ctx: null_mut(), emit: None };
    let probe = TABLE.probe.expect("probe");
    // SAFETY: as in `create`.
    unsafe {
        assert!(invalid(probe(host.raw(), abi::Str::EMPTY, null())));
        assert!(invalid(probe(host.raw(), abi::Str::EMPTY, &raw const sink)));
    }
}

mod websocket {
    use selkies_plugin_sdk::{Host, Message, PacketRef, Result, Transport, TransportInfo, TransportLink};

    /// A transport that does nothing; only its type matters here.
    #[derive(Debug)]
    pub(crate) struct Plain;

    impl Transport for Plain {
        type Config = serde_json::Value;

        fn create(_: Host, _: Self::Config, _: TransportLink) -> Result<Self> {
            Ok(Self)
        }

        fn info(&self) -> TransportInfo {
            TransportInfo { flags: 0, codec_mask: 0, stripes: false, audio: false, max_message: 0 }
        }

        fn client_open(&self, _: u64, _: &str) -> Result<()> {
            Ok(())
        }

        fn client_close(&self, _: u64, _: &str) {}

        fn receive(&self, _: u64, _: Message<'_>) -> Result<()> {
            Ok(())
        }

        fn send_message(&self, _: &[u64], _: u32, _: Message<'_>) -> Result<()> {
            Ok(())
        }

        fn send_packet(&self, _: &[u64], _: PacketRef<'_>) -> Result<()> {
            Ok(())
        }
    }
}
