//! Encoders: packets come back whole, and nothing that a misbehaving one does gets through.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;
#[path = "support/sink.rs"]
mod sink;

use std::sync::Arc;

use instance_fakes::encoder::{HOSTS, RATE, SIZE, TABLE, memory, slab};
use instance_fakes::notes;
use selkies_plugin_abi::{self as abi, Str};
use selkies_plugin_host::{
    Damage, EncoderInstance, EncoderOffer, EncoderSettings, FaultClass, FaultDetail, FaultOrigin,
    HostServices, Origin, Plugin, PluginError, RateChange, SharedBuffer, SlabPool, SubmitOptions, Tables,
    VideoFrame, probe_encoder,
};
use sink::Sink;

const PLUGIN: &str = "test.encoder";

struct Bench {
    services: HostServices,
    sink: Arc<Sink>,
    buffer: Arc<SharedBuffer>,
    encoder: EncoderInstance,
}

/// The plugin of the fakes.
fn plugin() -> Plugin {
    Plugin::linked(PLUGIN, Tables::default().with(&TABLE).with(&RATE))
}

fn offer(services: &HostServices) -> EncoderOffer {
    let plugin = plugin();
    probe_encoder(&Origin { services, plugin: &plugin, config_json: "" }).unwrap().remove(0)
}

fn open(services: &HostServices, act: &str, sink: &Arc<Sink>) -> Result<EncoderInstance, PluginError> {
    let plugin = plugin();
    let origin = Origin { services, plugin: &plugin, config_json: act };
    let offer = offer(services);
    let settings = EncoderSettings::new(&offer, SIZE.0, SIZE.1);
    EncoderInstance::create(&origin, &offer, settings, Arc::clone(sink) as _)
}

fn bench(act: &str) -> Bench {
    let services = HostServices::default();
    let sink = Arc::new(Sink::default());
    let buffer = SharedBuffer::new(SIZE.0, SIZE.1, abi::FOURCC_XRGB8888, 64).unwrap();
    let encoder = open(&services, act, &sink).unwrap();
    Bench { services, sink, buffer, encoder }
}

impl Bench {
    fn frame(&self) -> VideoFrame {
        let color = self.encoder.settings().color;
        VideoFrame::in_buffer(self.buffer.lend(), color, 1234, Damage::Full)
    }

    fn submit(&mut self, frame_id: u64) -> Result<(), PluginError> {
        let frame = self.frame();
        self.encoder.submit(&frame, frame_id, &SubmitOptions { keyframe: true, ..Default::default() })
    }

    fn misbehaviours(&self) -> u64 {
        self.services.misbehaviours(PLUGIN)
    }
}

#[test]
fn a_frame_becomes_a_packet() {
    let mut bench = bench("good");
    bench.submit(1).unwrap();
    bench.submit(2).unwrap();
    assert_eq!(bench.encoder.in_flight(), 0);
    assert!(!bench.buffer.is_lent());
    let packets = bench.sink.packets.lock().unwrap();
    assert_eq!(packets.len(), 2);
    assert_eq!(packets[1].data.payload(), [0; 5]);
    assert!(packets[0].info.is_key());
    assert_eq!((packets[1].info.frame_id, packets[1].info.timestamp_ns), (2, 1234));
    let message = packets[0].data.with_header(b"head");
    assert_eq!(message[4..].as_ptr(), packets[0].data.payload().as_ptr());
    let done = bench.sink.done.lock().unwrap();
    assert_eq!(
        done.iter().map(|d| (d.frame_id, d.outcome.is_ok())).collect::<Vec<_>>(),
        [(1, true), (2, true)]
    );
    assert_eq!(bench.services.misbehaviours(PLUGIN), 0);
}

#[test]
fn slabs_are_used_again() {
    let mut bench = bench("good");
    let mut addresses = std::collections::BTreeSet::new();
    for frame_id in 1..=50 {
        bench.submit(frame_id).unwrap();
        let packet = bench.sink.packets.lock().unwrap().pop().unwrap();
        addresses.insert(packet.data.payload().as_ptr() as usize);
    }
    assert_eq!(addresses.len(), 1);
    assert_eq!(bench.services.pool().used_bytes(), 0);
}

#[test]
fn misuse_of_slabs_is_refused() {
    let wrong = abi::failure(abi::CLASS_RETRY, abi::DETAIL_INVALID_ARGUMENT).to_string();
    for (act, statuses, packets, complaints) in [
        ("double-commit", vec!["0", &wrong], 1, 1),
        ("foreign-slab", vec![&wrong, "0"], 1, 1),
        ("forged-pointer", vec![&wrong], 0, 1),
        ("null", vec![&wrong, &wrong, &wrong], 0, 5),
    ] {
        let mut bench = bench(act);
        notes();
        bench.submit(1).unwrap();
        assert_eq!(notes(), statuses, "{act}");
        assert_eq!(bench.sink.packets.lock().unwrap().len(), packets, "{act}");
        assert_eq!(bench.misbehaviours(), complaints, "{act}");
        assert_eq!(bench.sink.done.lock().unwrap().len(), 1, "{act}");
        bench.sink.packets.lock().unwrap().clear();
        assert_eq!(bench.services.pool().used_bytes(), 0, "{act}: every slab went back");
    }
}

#[test]
fn misbehaviour_is_logged_with_the_plugin() {
    let (lines, _guard) = instance_fakes::lines::Lines::capture();
    bench("double-commit").submit(1).unwrap();
    let line = lines.text();
    assert_eq!(lines.count("plugin misbehaving"), 1, "{line}");
    assert!(
        line.contains("test.encoder") && line.contains("memory.commit") && line.contains("twice"),
        "{line}"
    );
}

#[test]
fn bad_packets_are_refused() {
    let mut bench = bench("bad-packets");
    notes();
    bench.submit(1).unwrap();
    let statuses = notes();
    assert_eq!(statuses.len(), 10);
    assert!(statuses.iter().all(|status| status.starts_with('-')), "{statuses:?}");
    assert_eq!(bench.sink.packets.lock().unwrap().len(), 0);
    assert_eq!(bench.misbehaviours(), 10);
    assert_eq!(bench.services.pool().used_bytes(), 0);
    let done = bench.sink.done.lock().unwrap()[0].clone();
    let error = done.outcome.expect_err("a frame with such packets is not done");
    assert_eq!((error.origin, error.function), (FaultOrigin::Contract, "memory.commit"));
    assert!(error.is_final(), "{error}");
}

#[test]
fn memory_is_bounded() {
    let exhausted = abi::failure(abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES).to_string();
    let mut by_count = bench("exhaust");
    notes();
    by_count.submit(1).unwrap();
    assert_eq!(notes(), [exhausted.as_str(), "256", "0"]);

    let services = HostServices::new(SlabPool::new(1 << 20, 10 * 4096));
    let sink = Arc::new(Sink::default());
    let encoder = open(&services, "exhaust", &sink).unwrap();
    let buffer = SharedBuffer::new(SIZE.0, SIZE.1, abi::FOURCC_XRGB8888, 64).unwrap();
    let mut by_bytes = Bench { services, sink, buffer, encoder };
    by_bytes.submit(1).unwrap();
    assert_eq!(notes(), [exhausted.as_str(), "10", "0"]);
}

#[test]
fn frames_stay_unchanged_while_retained() {
    let mut bench = bench("later");
    notes();
    bench.submit(1).unwrap();
    let (full, stranger) = (
        abi::failure(abi::CLASS_RETRY, abi::DETAIL_OUT_OF_RESOURCES),
        abi::failure(abi::CLASS_RETRY, abi::DETAIL_WRONG_STATE),
    );
    assert_eq!(notes(), ["0".to_owned(), full.to_string(), stranger.to_string()]);
    assert!(bench.buffer.is_lent());
    assert_eq!(bench.encoder.in_flight(), 1);
    assert_eq!(bench.encoder.oldest_in_flight().map(|(frame, _)| frame), Some(1));
    bench.submit(2).unwrap();
    let error = bench.submit(3).unwrap_err();
    assert_eq!((error.origin, error.detail), (FaultOrigin::Caller, FaultDetail::WrongState));
    bench.encoder.drain().unwrap();
    assert_eq!(bench.encoder.in_flight(), 0);
    assert_eq!(bench.sink.done.lock().unwrap().len(), 2);
    let Bench { encoder, buffer, .. } = bench;
    assert!(buffer.is_lent());
    drop(encoder);
    assert!(!buffer.is_lent(), "the memory of a dropped encoder is free");
}

#[test]
fn callbacks_may_come_from_other_threads() {
    let mut bench = bench("thread");
    notes();
    bench.submit(1).unwrap();
    assert_eq!(notes(), ["0"]);
    assert_eq!(bench.sink.packets.lock().unwrap().len(), 1);
    assert_eq!(bench.encoder.in_flight(), 0);
}

#[test]
fn calls_after_destroy_find_nobody() {
    let bench = bench("good");
    let view = HOSTS.with_borrow(|hosts| *hosts.last().unwrap());
    let Bench { services, sink, encoder, .. } = bench;
    let (_, late) = slab(&view, 10);
    let memory = memory(&view);
    drop(encoder);
    let before = services.misbehaviours(PLUGIN);
    assert_eq!(before, 1, "the slab that was not given back");
    let refused = abi::failure(abi::CLASS_RETRY, abi::DETAIL_WRONG_STATE);
    // SAFETY: the plugin calls with a context that has ended, which must not hurt.
    unsafe {
        assert_eq!(memory.commit.unwrap()(view.ctx(), &late, std::ptr::null()), refused);
        memory.abandon.unwrap()(view.ctx(), &late);
        memory.release.unwrap()(view.ctx(), 1);
        assert!(view.0.query.unwrap()(view.ctx(), Str::new(abi::ids::HOST_LOG_V1)).is_null());
        assert_eq!(memory.commit.unwrap()(usize::MAX as *mut _, &late, std::ptr::null()), refused);
    }
    assert_eq!(services.misbehaviours(PLUGIN), before + 4);
    assert!(sink.packets.lock().unwrap().is_empty());
}

#[test]
fn failures_have_class_detail_and_text() {
    let mut bench = bench("fail");
    let error = bench.submit(1).unwrap_err();
    assert_eq!((error.class, error.detail, error.code()), (FaultClass::Retry, FaultDetail::Timeout, "SI001"));
    assert!(
        error.to_string().starts_with("SI001 test.encoder encoder.submit: retry, timeout: too slow."),
        "{error}"
    );
    assert_eq!(bench.encoder.in_flight(), 0);
    assert!(!error.is_final());
    assert!(bench.submit(2).is_err_and(|error| error.origin == FaultOrigin::Reported));
}

#[test]
fn a_panicked_instance_is_poisoned() {
    for act in ["panic", "no-class"] {
        let mut bench = bench(act);
        assert!(bench.submit(1).unwrap_err().is_final(), "{act}");
        notes();
        let error = bench.submit(2).unwrap_err();
        assert_eq!(error.code(), "SI004", "{act}");
        drop(bench);
        assert_eq!(notes(), ["destroy"]);
    }
}

#[test]
fn a_frame_can_fail_when_it_is_done() {
    let mut bench = bench("fail-done");
    bench.submit(1).unwrap();
    let done = bench.sink.done.lock().unwrap();
    let error = done[0].outcome.as_ref().unwrap_err();
    assert_eq!((error.class, error.text.as_str()), (FaultClass::DeviceLost, "GPU reset"));
}

#[test]
fn done_counts_once() {
    let mut twice = bench("done-twice");
    twice.submit(1).unwrap();
    assert_eq!(twice.sink.done.lock().unwrap().len(), 1);
    assert_eq!(twice.misbehaviours(), 1);
    let mut never = bench("forget");
    never.submit(1).unwrap();
    let error = never.encoder.drain().unwrap_err();
    assert_eq!(error.origin, FaultOrigin::Contract);
}

#[test]
fn probing_checks_every_entry() {
    let services = HostServices::default();
    let plugin = plugin();
    let probe = |act| probe_encoder(&Origin { services: &services, plugin: &plugin, config_json: act });
    assert_eq!(probe("nothing").unwrap(), []);
    let error = probe("broken").unwrap_err();
    assert_eq!((error.class, error.text.as_str()), (FaultClass::DeviceLost, "the GPU is gone"));
    let offers = probe("bad").unwrap();
    assert_eq!(offers.iter().map(|offer| offer.name.as_str()).collect::<Vec<_>>(), ["fake"]);
    assert_eq!(services.misbehaviours(PLUGIN), 9);
    assert_eq!(probe("flood").unwrap().len(), 64);
}

#[test]
fn settings_must_fit_the_offer() {
    let bench = bench("good");
    let plugin = plugin();
    let origin = Origin { services: &bench.services, plugin: &plugin, config_json: "" };
    let offer = bench.encoder.offer().clone();
    let good = EncoderSettings::new(&offer, SIZE.0, SIZE.1);
    for bad in [
        EncoderSettings { width: 4097, ..good.clone() },
        EncoderSettings { fourcc: abi::FOURCC_NV12, ..good.clone() },
        EncoderSettings { memory: abi::MEMORY_CUDA, ..good.clone() },
        EncoderSettings { chroma: abi::CHROMA_444, ..good.clone() },
        EncoderSettings { quality: 0, ..good.clone() },
        EncoderSettings { refine_quality: 0, ..good.clone() },
        EncoderSettings { rate: abi::RATE_CBR, ..good.clone() },
        EncoderSettings { fps: (0, 1), ..good.clone() },
    ] {
        let made = EncoderInstance::create(&origin, &offer, bad, Arc::new(Sink::default()));
        assert_eq!(made.unwrap_err().class, FaultClass::Reconfigure);
    }
}

#[test]
fn configure_and_rate_reach_the_plugin() {
    let mut bench = bench("good");
    let settings = bench.encoder.settings().clone();
    let better = EncoderSettings { quality: 90, ..settings.clone() };
    bench.encoder.configure(better.clone()).unwrap();
    assert_eq!(bench.encoder.settings(), &better);
    let error = bench.encoder.configure(EncoderSettings { quality: 77, ..settings }).unwrap_err();
    assert_eq!((error.class, error.origin), (FaultClass::Reconfigure, FaultOrigin::Reported));
    assert_eq!(bench.encoder.settings(), &better);
    notes();
    let change = RateChange { quality: Some(50), fps: Some((30, 1)), ..Default::default() };
    assert!(bench.encoder.set_rate(change).unwrap());
    assert_eq!(notes(), ["rate 50 30"]);
    assert!(bench.encoder.set_rate(RateChange { quality: None, ..change }).unwrap());
    assert_eq!(notes(), [format!("rate {} 30", abi::UNSET)]);
    assert!(bench.encoder.set_rate(RateChange { quality: Some(101), ..change }).is_err());
}

#[test]
fn incomplete_tables_are_refused() {
    static SMALL: abi::EncoderV1 = abi::EncoderV1 { struct_size: 16, ..TABLE };
    static HOLE: abi::EncoderV1 = abi::EncoderV1 { submit: None, ..TABLE };
    let bench = bench("good");
    for (table, function) in [(&SMALL, "encoder"), (&HOLE, "encoder.submit")] {
        let (offer, settings) = (bench.encoder.offer(), bench.encoder.settings().clone());
        let plugin = Plugin::linked(PLUGIN, Tables::default().with(table));
        let origin = Origin { services: &bench.services, plugin: &plugin, config_json: "" };
        let error = EncoderInstance::create(&origin, offer, settings, Arc::new(Sink::default()));
        let error = error.unwrap_err();
        assert_eq!((error.code(), error.function), ("SI003", function));
    }
    let plugin = Plugin::linked(PLUGIN, Tables::default());
    let none = Origin { services: &bench.services, plugin: &plugin, config_json: "" };
    let error = probe_encoder(&none).unwrap_err();
    assert_eq!(
        (error.code(), error.text.as_str()),
        ("SI003", "selkies.encoder/1 is not offered by the plugin")
    );
    let error = open(&bench.services, "fail-create", &bench.sink).unwrap_err();
    assert_eq!((error.detail, error.text.as_str()), (FaultDetail::Config, "no such display"));
    let error = open(&bench.services, "null-instance", &bench.sink).unwrap_err();
    assert_eq!(error.origin, FaultOrigin::Contract);
}
