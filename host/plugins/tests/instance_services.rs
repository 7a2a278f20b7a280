//! Log, failures, clock and metrics of the host, as a plugin sees them.
#![allow(unsafe_code)] // fake plugins speak the bare ABI

mod instance_fakes;

use instance_fakes::{View, lines::Lines};
use selkies_plugin_abi::{self as abi, Str, ids};
use selkies_plugin_host::{
    HISTOGRAM_BOUNDS, HostServices, LOG_LINES_PER_SECOND, MetricValue, PluginLifecycle,
};

fn view(services: &HostServices) -> View {
    View(*services.process_host("test.plugin"))
}

fn log(view: &View, level: u32, message: &str, fields: &str) {
    let table: &abi::LogV1 = view.table(ids::HOST_LOG_V1).unwrap();
    let (target, message, fields) = (Str::new("its::module"), Str::new(message), Str::new(fields));
    // SAFETY: the texts are valid for the call.
    unsafe { table.log.unwrap()(view.ctx(), level, target, message, fields) };
}

#[test]
fn the_process_host_lives_on() {
    let services = HostServices::default();
    let host = services.process_host("test.plugin");
    assert!(std::ptr::eq(host, services.process_host("test.plugin")));
    assert!(!std::ptr::eq(host, services.process_host("test.other")));
    assert_eq!(host.struct_size as usize, size_of::<abi::Host>());
    let view = View(*host);
    assert!(view.table::<abi::LogV1>(ids::HOST_LOG_V1).is_some());
    assert!(view.table::<abi::MetricsV1>(ids::HOST_METRICS_V1).is_some());
    for absent in
        [ids::HOST_MEMORY_V1, ids::HOST_ENCODER_V1, ids::HOST_TRANSPORT_V1, "selkies.host.log/2", ""]
    {
        assert!(view.table::<u32>(absent).is_none(), "{absent}");
    }
    let bad = Str { ptr: b"\xff".as_ptr(), len: 1 };
    // SAFETY: the text is readable, only not UTF-8.
    assert!(unsafe { host.query.unwrap()(host.ctx, bad) }.is_null());
    drop(services);
    assert!(view.table::<abi::ClockV1>(ids::HOST_CLOCK_V1).is_some());
}

#[test]
fn lines_reach_the_log_with_their_plugin() {
    let (lines, _guard) = Lines::capture();
    let services = HostServices::default();
    let view = view(&services);
    log(&view, abi::LEVEL_INFO, "hello\nworld", "{\"width\":64}");
    log(&view, abi::LEVEL_WARN, "broken fields", "{\"width\":");
    log(&view, abi::LEVEL_DEBUG, "too verbose", "");
    log(&view, abi::LEVEL_HOST_MISBEHAVING, "NULL out", "");
    let text = lines.text();
    let first = text.lines().next().unwrap();
    for part in ["INFO", "hello\\nworld", "test.plugin", "its::module", "64"] {
        assert!(first.contains(part), "{part} in {first}");
    }
    assert_eq!((lines.count("too verbose"), lines.count("fields=\"{\\\"width\\\":\"")), (0, 0));
    assert_eq!(lines.count("host misbehaving, says the plugin: NULL out"), 1);
    services.set_log_level(abi::LEVEL_DEBUG);
    log(&view, abi::LEVEL_DEBUG, "now it is kept", "");
    assert_eq!(lines.count("now it is kept"), 1);
    let table: &abi::LogV1 = view.table(ids::HOST_LOG_V1).unwrap();
    // SAFETY: a host function.
    assert_eq!(unsafe { table.max_level.unwrap()(view.ctx()) }, abi::LEVEL_DEBUG);
    assert_eq!(services.misbehaviours("test.plugin"), 0);
    log(&view, 99, "no such level", "");
    assert_eq!(services.misbehaviours("test.plugin"), 1);
    assert_eq!(lines.count("plugin misbehaving: there is no log level 99"), 1);
}

#[test]
fn long_and_strange_texts_are_cut_and_repaired() {
    let (lines, _guard) = Lines::capture();
    let services = HostServices::default();
    let view = view(&services);
    log(&view, abi::LEVEL_INFO, &"x".repeat(100_000), "");
    assert!(lines.text().len() < 8 * 1024 + 500);
    let table: &abi::LogV1 = view.table(ids::HOST_LOG_V1).unwrap();
    let (null, bad) = (Str { ptr: std::ptr::null(), len: 5 }, Str { ptr: b"a\xffb".as_ptr(), len: 3 });
    // SAFETY: NULL is refused, the other text is readable.
    unsafe { table.log.unwrap()(view.ctx(), abi::LEVEL_INFO, null, bad, null) };
    assert_eq!(lines.count("a\u{fffd}b"), 1);
}

#[test]
fn a_flood_is_cut_per_plugin() {
    let (lines, _guard) = Lines::capture();
    let services = HostServices::default();
    let (view, other) = (view(&services), View(*services.process_host("test.quiet")));
    let begin = std::time::Instant::now();
    for _ in 0..1000 {
        log(&view, abi::LEVEL_WARN, "flood", "");
    }
    log(&other, abi::LEVEL_WARN, "quiet one", "");
    assert!(begin.elapsed().as_millis() < 1000, "the machine is too slow for this test");
    assert_eq!(lines.count("flood"), LOG_LINES_PER_SECOND as usize);
    assert_eq!(lines.count("suppressed: more than 200"), 1);
    assert_eq!(lines.count("quiet one"), 1);
    std::thread::sleep(std::time::Duration::from_millis(1050));
    log(&view, abi::LEVEL_WARN, "afterwards", "");
    assert_eq!(lines.count("800 log lines were suppressed"), 1);
    assert_eq!(lines.count("afterwards"), 1);
}

#[test]
fn the_clock_is_monotonic() {
    let services = HostServices::default();
    let view = view(&services);
    let clock: &abi::ClockV1 = view.table(ids::HOST_CLOCK_V1).unwrap();
    // SAFETY: a host function.
    let times: Vec<_> = (0..100).map(|_| unsafe { clock.now_ns.unwrap()(view.ctx()) }).collect();
    assert!(times.is_sorted() && times[0] > 0);
    assert!(selkies_plugin_host::now_ns() >= times[99]);
}

#[test]
fn metrics_are_kept_per_plugin() {
    let (lines, _guard) = Lines::capture();
    let services = HostServices::default();
    let view = view(&services);
    let table: &abi::MetricsV1 = view.table(ids::HOST_METRICS_V1).unwrap();
    let ctx = view.ctx();
    // SAFETY: host functions with valid texts.
    unsafe {
        let (add, set, observe) =
            (table.counter_add.unwrap(), table.gauge_set.unwrap(), table.observe.unwrap());
        add(ctx, Str::new("frames"), 2);
        add(ctx, Str::new("frames"), 3);
        add(ctx, Str::new("full"), u64::MAX);
        add(ctx, Str::new("full"), 1);
        set(ctx, Str::new("depth"), 1.5);
        set(ctx, Str::new("depth"), f64::NAN);
        observe(ctx, Str::new("encode_seconds"), 0.002);
        observe(ctx, Str::new("encode_seconds"), 99.0);
        observe(ctx, Str::new("encode_seconds"), f64::INFINITY);
        add(ctx, Str::new("Bad-Name"), 1);
        add(ctx, Str::new("depth"), 1);
        add(ctx, Str { ptr: std::ptr::null(), len: 4 }, 1);
        let names: Vec<_> = (0..100).map(|n| format!("extra_{n}")).collect();
        names.iter().for_each(|name| add(ctx, Str::new(name), 1));
    }
    assert_eq!(lines.count("is dropped"), 1, "one warning");
    let all = services.metrics();
    assert_eq!((all.len(), &*all[0].plugin, all[0].metrics.len()), (1, "test.plugin", 64));
    let value = |name: &str| all[0].metrics.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    assert_eq!(value("frames"), Some(MetricValue::Counter(5)));
    assert_eq!(value("full"), Some(MetricValue::Counter(u64::MAX)));
    assert_eq!(value("depth"), Some(MetricValue::Gauge(1.5)));
    let Some(MetricValue::Histogram(histogram)) = value("encode_seconds") else { panic!("no histogram") };
    assert_eq!((histogram.count, histogram.sum), (2, 99.002));
    let bucket = HISTOGRAM_BOUNDS.iter().position(|bound| *bound == 0.0025).unwrap();
    assert_eq!((histogram.buckets[bucket], histogram.buckets.iter().sum::<u64>()), (1, 1));
}

unsafe extern "C" fn init(host: *const abi::Host) -> abi::Status {
    // SAFETY: the host is valid for the life of the process.
    let view = View(unsafe { *host });
    instance_fakes::note("init");
    let refused = abi::failure(abi::CLASS_FATAL_PLUGIN, abi::DETAIL_UNSUPPORTED);
    // The test leaves a note when it wants a refusal.
    let calls = instance_fakes::notes();
    if calls.len() > 1 { instance_fakes::say(&view, refused, "GStreamer is too old") } else { abi::OK }
}

unsafe extern "C" fn set_log_level(level: u32) {
    instance_fakes::note(format!("level {level}"));
}

#[test]
fn libraries_learn_their_host_and_level() {
    static TABLE: abi::LifecycleV1 = abi::LifecycleV1 {
        struct_size: size_of::<abi::LifecycleV1>() as u32,
        reserved: 0,
        init: Some(init),
        set_log_level: Some(set_log_level),
    };
    static NOTHING: abi::LifecycleV1 = abi::LifecycleV1 { init: None, set_log_level: None, ..TABLE };
    let services = HostServices::default();
    PluginLifecycle::init(&services, "test.quiet", &NOTHING).unwrap().set_log_level(abi::LEVEL_ERROR);
    let lifecycle = PluginLifecycle::init(&services, "test.plugin", &TABLE).unwrap();
    lifecycle.set_log_level(abi::LEVEL_TRACE);
    assert_eq!(instance_fakes::notes(), ["level 3", "level 5"]);
    instance_fakes::note("before");
    let error = PluginLifecycle::init(&services, "test.old", &TABLE).unwrap_err();
    assert_eq!((error.is_final(), error.text.as_str()), (true, "GStreamer is too old"));
}
