//! `tracing` into the host's log.
//!
//! Statics are per library: a plugin has its own `tracing` dispatcher, which nobody would see. `lifecycle.init`
//! installs this subscriber, which forwards events; spans are not forwarded. A panic hook does the same.

use std::{
    fmt::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tracing_core::{
    Event, Level, LevelFilter, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{abi, host::Host};

static HOST: OnceLock<Host> = OnceLock::new();
static MAX_LEVEL: AtomicU32 = AtomicU32::new(abi::LEVEL_INFO);

/// Connects this library's `tracing` and its panics with the host. A second call changes nothing.
pub(crate) fn install(host: Host) {
    if HOST.set(host).is_err() {
        return;
    }
    let level = host
        .table::<abi::LogV1>(abi::ids::HOST_LOG_V1)
        .and_then(|log| log.max_level)
        // SAFETY: the function belongs to this context.
        .map_or(abi::LEVEL_INFO, |max| unsafe { max(host.ctx()) });
    MAX_LEVEL.store(level, Ordering::Relaxed);
    // Fails only when the plugin installed a subscriber of its own, which then is its choice.
    let _ = tracing_core::dispatcher::set_global_default(tracing_core::Dispatch::new(Bridge {
        next_span: AtomicU64::new(1),
    }));
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        host.log(abi::LEVEL_ERROR, &format!("panic{place}: {}", panic_text(panic.payload())));
    }));
}

/// The most verbose level that the host keeps.
pub(crate) fn set_max_level(level: u32) {
    MAX_LEVEL.store(level.clamp(abi::LEVEL_ERROR, abi::LEVEL_TRACE), Ordering::Relaxed);
    tracing_core::callsite::rebuild_interest_cache();
}

/// The text of a panic's payload.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a text")
}

fn level_number(level: &Level) -> u32 {
    match *level {
        Level::ERROR => abi::LEVEL_ERROR,
        Level::WARN => abi::LEVEL_WARN,
        Level::INFO => abi::LEVEL_INFO,
        Level::DEBUG => abi::LEVEL_DEBUG,
        Level::TRACE => abi::LEVEL_TRACE,
    }
}

struct Bridge {
    next_span: AtomicU64,
}

impl Subscriber for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level_number(metadata.level()) <= MAX_LEVEL.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match MAX_LEVEL.load(Ordering::Relaxed) {
            abi::LEVEL_ERROR => LevelFilter::ERROR,
            abi::LEVEL_WARN => LevelFilter::WARN,
            abi::LEVEL_INFO => LevelFilter::INFO,
            abi::LEVEL_DEBUG => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.next_span.fetch_add(1, Ordering::Relaxed).max(1))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(host) = HOST.get() else { return };
        let mut text = Text { message: String::new(), fields: serde_json::Map::new() };
        event.record(&mut text);
        let fields = if text.fields.is_empty() {
            String::new()
        } else {
            serde_json::Value::Object(text.fields).to_string()
        };
        let level = level_number(event.metadata().level());
        if let Some(log) = host.table::<abi::LogV1>(abi::ids::HOST_LOG_V1).and_then(|table| table.log) {
            let (target, message) = (event.metadata().target(), text.message.as_str());
            // SAFETY: the function belongs to this context and borrows the texts for the call.
            unsafe {
                log(host.ctx(), level, abi::Str::new(target), abi::Str::new(message), abi::Str::new(&fields));
            }
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text {
    message: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.insert(field.name().to_owned(), format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}
