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

/// A configuration to be fetched.
pub(super) struct Wish<'a> {
    pub(super) tls: bool,
    pub(super) user: &'a str,
    pub(super) protocol: &'a str,
    /// From now until the deadline.
    pub(super) limit: Duration,
}

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

/// A source of configurations.
pub(super) struct Source {
    table: &'static abi::RtcConfigV1,
    instance: Instance,
}

impl Source {
    pub(super) fn open(task: &Task) -> Result<Self, Blocked> {
        let library = task.library()?;
        // SAFETY: the struct published under this id.
        let table: &'static abi::RtcConfigV1 = unsafe { task.table(&library, ids::RTC_CONFIG_V1) }?;
        let functions = table.create.zip(table.destroy).ok_or("PKG-007: create or destroy is NULL")?;
        let instance = Instance::create(Role::Plain, functions, &task.config)
            .map_err(|failure| format!("no instance: {failure}"))?;
        Ok(Self { table, instance })
    }

    /// Fetches once; judges how long that takes and what comes, if anything does.
    pub(super) fn fetch(&self, wish: &Wish<'_>) -> Result<(), Failure> {
        let limit = wish.limit;
        let mut texts: Texts = Vec::new();
        let sink = abi::TextSink { ctx: (&raw mut texts).cast(), emit: Some(emit) };
        let request = abi::RtcConfigRequest {
            struct_size: size32::<abi::RtcConfigRequest>(),
            tls: u32::from(wish.tls),
            user: abi::Str::new(wish.user),
            protocol: abi::Str::new(wish.protocol),
            deadline_ns: now_ns() + u64::try_from(limit.as_nanos()).unwrap_or(0),
            reserved: [0; 2],
        };
        let (table, raw) = (self.table, self.instance.raw);
        let (request, sink) = (&raw const request, &raw const sink);
        // SAFETY: the instance lives; request and sink live for the call.
        let call = || table.fetch.map_or(abi::OK, |fetch| unsafe { fetch(raw, request, sink) });
        let start = Instant::now();
        let answer = call::status(&FETCH, &self.instance.context, limit, call);
        let took = start.elapsed();
        if took > limit + GRACE {
            fail(&RTC_002, format!("a fetch of {} ms took {} ms", limit.as_millis(), took.as_millis()));
        }
        answer.map(|_| judge(&texts))
    }

    pub(super) fn wait(&self, timeout: Duration) -> (Result<bool, Failure>, Duration) {
        let (table, raw) = (self.table, self.instance.raw);
        timed(&WAIT, &self.instance, timeout, |nanos| {
            // SAFETY: the instance lives.
            table.wait.map_or(abi::OK, |wait| unsafe { wait(raw, nanos) })
        })
    }

    /// What ends its waits.
    pub(super) fn wake(&self) -> Result<Wake, Blocked> {
        Wake::new(self.table.wake, &self.instance).ok_or_else(|| "PKG-007: wake is NULL".into())
    }
}

fn fetches(task: &Task) -> Result<(), Blocked> {
    let source = Source::open(task)?;
    for limit in [Duration::from_secs(5), Duration::from_millis(1)] {
        let fetched = source.fetch(&Wish { tls: false, user: "check", protocol: "udp", limit });
        if let Err(failure) = fetched
            && limit > Duration::from_secs(1)
        {
            // A server that cannot be reached from here is no fault, but then nothing could be judged.
            warn(&RTC_001, format!("nothing was fetched: {failure}"));
        }
    }
    held(&[&RTC_001, &RTC_002]);
    timeouts(&RTC_003, |timeout| source.wait(timeout))?;
    held(&[&RTC_003]);
    wakes(&RTC_004, &WAIT, source.wake()?, |timeout| source.wait(timeout))?;
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
