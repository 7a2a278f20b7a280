//! Sources of RTC configurations.

use std::time::{Duration, Instant};

use selkies_plugin_abi::{self as abi, ids};
use serde_json::Value;

use super::{
    Blocked, Instance, Job, Task,
    waiting::{GRACE, Wake, timed, timeouts, wakes},
};
use crate::{
    call::{self, Failure, Site, control, now_ns},
    host::{Role, size32, text},
    journal::{fail, held, warn},
    rules::rtc_config::{RTC_001, RTC_002, RTC_003, RTC_004},
};

pub(super) static JOBS: &[Job] = &[Job {
    name: "RTC configurations",
    table: Some(ids::RTC_CONFIG_V1),
    rules: &[&RTC_001, &RTC_002, &RTC_003, &RTC_004],
    limit_s: 90,
    fuzz: false,
    run: fetches,
}];

static FETCH: Site = control("rtc_config.fetch");
static WAIT: Site = control("rtc_config.wait");

/// What came through the sink; texts that are not UTF-8 are `None`.
type Texts = Vec<Option<String>>;

unsafe extern "C" fn emit(ctx: *mut std::ffi::c_void, given: abi::Str) {
    // SAFETY: `fetch` passes its own list.
    let texts = unsafe { &mut *ctx.cast::<Texts>() };
    // SAFETY: the text lives for the call.
    texts.push(unsafe { text(given) }.ok().map(str::to_owned));
}

fn fetch(
    table: &abi::RtcConfigV1,
    instance: &Instance,
    limit: Duration,
) -> (Result<Texts, Failure>, Duration) {
    let mut texts: Texts = Vec::new();
    let sink = abi::TextSink { ctx: (&raw mut texts).cast(), emit: Some(emit) };
    let request = abi::RtcConfigRequest {
        struct_size: size32::<abi::RtcConfigRequest>(),
        tls: 0,
        user: abi::Str::new("check"),
        protocol: abi::Str::new("udp"),
        deadline_ns: now_ns() + u64::try_from(limit.as_nanos()).unwrap_or(0),
        reserved: [0; 2],
    };
    let raw = instance.raw;
    // SAFETY: the instance lives; request and sink live for the call.
    let call =
        || table.fetch.map_or(abi::OK, |fetch| unsafe { fetch(raw, &raw const request, &raw const sink) });
    let start = Instant::now();
    let answer = call::status(&FETCH, &instance.context, limit, call);
    (answer.map(|_| texts), start.elapsed())
}

fn fetches(task: &Task) -> Result<(), Blocked> {
    let library = task.library()?;
    // SAFETY: the struct published under this id.
    let table: &'static abi::RtcConfigV1 = unsafe { task.table(&library, ids::RTC_CONFIG_V1) }?;
    let functions = table.create.zip(table.destroy).ok_or("PKG-007: create or destroy is NULL")?;
    let instance = Instance::create(Role::Plain, functions, &task.config)
        .map_err(|failure| format!("no instance: {failure}"))?;
    for limit in [Duration::from_secs(5), Duration::from_millis(1)] {
        let (answer, took) = fetch(table, &instance, limit);
        if took > limit + GRACE {
            fail(&RTC_002, format!("a fetch of {} ms took {} ms", limit.as_millis(), took.as_millis()));
        }
        match answer {
            Ok(texts) => judge(&texts),
            // A server that cannot be reached from here is no fault, but then nothing could be judged.
            Err(failure) if limit > Duration::from_secs(1) => {
                warn(&RTC_001, format!("nothing was fetched: {failure}"))
            }
            Err(_) => {}
        }
    }
    held(&[&RTC_001, &RTC_002]);
    let mut wait = |timeout| {
        let raw = instance.raw;
        timed(&WAIT, &instance, timeout, |nanos| {
            // SAFETY: the instance lives.
            table.wait.map_or(abi::OK, |wait| unsafe { wait(raw, nanos) })
        })
    };
    timeouts(&RTC_003, &mut wait)?;
    held(&[&RTC_003]);
    let wake = Wake::new(table.wake, &instance).ok_or("PKG-007: wake is NULL")?;
    wakes(&RTC_004, &WAIT, wake, &mut wait)?;
    held(&[&RTC_004]);
    Ok(())
}

fn judge(texts: &Texts) {
    let [Some(text)] = &texts[..] else {
        return fail(&RTC_001, format!("{} texts, or one that is not UTF-8", texts.len()));
    };
    if text.len() > abi::MAX_RTC_CONFIG_BYTES {
        return fail(&RTC_001, format!("{} bytes", text.len()));
    }
    // Credentials stay out of the report.
    let Ok(config) = serde_json::from_str::<Value>(text) else { return fail(&RTC_001, "not JSON") };
    let urls = |server: &Value| match server.get("urls") {
        Some(Value::String(url)) => !url.is_empty(),
        Some(Value::Array(urls)) => !urls.is_empty() && urls.iter().all(Value::is_string),
        _ => false,
    };
    let servers = config.get("iceServers").and_then(Value::as_array);
    if !servers.is_some_and(|servers| servers.iter().all(urls)) {
        fail(&RTC_001, "iceServers is missing, no list, or has an entry without urls");
    }
    let lifetime =
        config.get("lifetimeDuration").and_then(Value::as_str).and_then(|text| text.strip_suffix('s'));
    if lifetime.is_none_or(|seconds| seconds.parse::<u64>().is_err()) {
        fail(&RTC_001, "lifetimeDuration is missing or not of the form \"86400s\"");
    }
}
