//! What a call through a plugin table costs: `cargo run --release -p selkies-plugin-host --example call_overhead`.
//!
//! Compares `kinds` of an input plugin called directly, through the table's function pointer, and through the safe
//! wrapper. The library's own cost (the dynamic linker is not involved after loading) is that of the pointer. Prints
//! nanoseconds per call: median and 99th percentile over batches. Exits with 1 when the wrapper costs over 20 ns.
#![allow(unsafe_code)] // the example is a plugin, too

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use selkies_plugin_abi::{self as abi, Host, InputV1, Instance, Status, Str};
use selkies_plugin_host::{
    HostServices, InputAction, InputEvent, InputInstance, Origin, Plugin, PluginError, Tables,
};

/// Calls that one measurement spans, so that reading the clock does not count.
const BATCH: u32 = 10_000;
const BATCHES: usize = 1_000;
/// Nanoseconds that a call through the wrapper may take.
const LIMIT: f64 = 20.0;

static TABLE: InputV1 = InputV1 {
    struct_size: size_of::<InputV1>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    kinds: Some(kinds),
    inject: Some(inject),
};

unsafe extern "C" fn create(_: *const Host, _: Str, out: *mut *mut Instance) -> Status {
    // SAFETY: the host hands a valid place over.
    unsafe { *out = Box::into_raw(Box::new(0b1110_u64)).cast() };
    abi::OK
}

unsafe extern "C" fn destroy(instance: *mut Instance) {
    // SAFETY: made by `create`, destroyed once.
    drop(unsafe { Box::from_raw(instance.cast::<u64>()) });
}

#[inline(never)]
unsafe extern "C" fn kinds(instance: *mut Instance) -> u64 {
    // SAFETY: made by `create`.
    unsafe { *instance.cast::<u64>() }
}

unsafe extern "C" fn inject(_: *mut Instance, _: *const abi::InputEvent, _: u32) -> Status {
    abi::OK
}

/// Nanoseconds per call: median and 99th percentile.
fn measure(mut call: impl FnMut() -> u64) -> (f64, f64) {
    let mut times: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..BATCH {
                black_box(call());
            }
            begin.elapsed().as_nanos() as f64 / f64::from(BATCH)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[BATCHES / 2], times[BATCHES * 99 / 100])
}

fn main() -> Result<ExitCode, PluginError> {
    let services = HostServices::default();
    let plugin = Plugin::linked("example.overhead", Tables::default().with(&TABLE));
    let origin = Origin { services: &services, plugin: &plugin, config_json: "{}" };
    let mut input = InputInstance::create(&origin)?;
    let mut mask = 0b1110_u64;
    let instance: *mut Instance = (&raw mut mask).cast();
    let table = black_box(&TABLE);
    // SAFETY: `mask` is what an instance of this plugin points to.
    let direct = measure(|| unsafe { kinds(black_box(instance)) });
    // SAFETY: as above.
    let pointer = measure(|| table.kinds.map_or(0, |kinds| unsafe { kinds(black_box(instance)) }));
    let wrapper = measure(|| black_box(&input).kinds());
    let event = [InputEvent { action: InputAction::PointerAbsolute { x: 1, y: 2 }, received_ns: 3 }];
    let inject = measure(|| u64::from(input.inject(black_box(&event)).is_ok()));
    println!("{:<22} {:>9} {:>9} {:>7}", "call", "p50 ns", "p99 ns", "ratio");
    let rows =
        [("direct", direct), ("table", pointer), ("safe wrapper", wrapper), ("inject one event", inject)];
    for (name, (p50, p99)) in rows {
        println!("{name:<22} {p50:>9.2} {p99:>9.2} {:>7.2}", p50 / direct.0);
    }
    if wrapper.0 > LIMIT {
        println!("the wrapper costs {:.2} ns, {LIMIT} ns are the target", wrapper.0);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
