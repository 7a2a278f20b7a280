//! The child's log: every event becomes a message to the host.

use std::{
    fmt::{Debug, Write},
    sync::Arc,
};

use selkies_plugin_abi as abi;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::{
    channel::Channel,
    wire::{self, FromChild, Line},
};
use crate::HostServices;

/// Longest text of a line, in bytes; with its fields it fits into a message.
const MAX_TEXT: usize = 8 << 10;

/// Sends every line to the host. Knows no spans: plugins have none here, and the host's code uses none.
pub(super) struct Relay {
    channel: Arc<Channel>,
    services: HostServices,
}

impl Relay {
    pub(super) fn new(channel: Arc<Channel>, services: HostServices) -> Self {
        Self { channel, services }
    }
}

/// The ABI's number of a level.
fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => abi::LEVEL_ERROR,
        Level::WARN => abi::LEVEL_WARN,
        Level::INFO => abi::LEVEL_INFO,
        Level::DEBUG => abi::LEVEL_DEBUG,
        Level::TRACE => abi::LEVEL_TRACE,
    }
}

impl Subscriber for Relay {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) <= self.services.log_level()
    }

    // The level may change at any time.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = number(*event.metadata().level());
        let mut line =
            Line { level, plugin: None, function: None, module: None, fields: None, message: String::new() };
        let mut rest = String::new();
        event.record(&mut Reader { line: &mut line, rest: &mut rest });
        line.message.push_str(&rest);
        line.message.truncate(line.message.floor_char_boundary(MAX_TEXT));
        let mut message = Vec::new();
        // A line that cannot be sent has nowhere else to go.
        if wire::encode(&FromChild::Line(line), &mut message).is_ok() {
            let _ = self.channel.send(&message, &[]);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Reader<'a> {
    line: &'a mut Line,
    /// Fields that a line has no place for.
    rest: &'a mut String,
}

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "plugin" => &mut self.line.plugin,
            "function" => &mut self.line.function,
            "module" => &mut self.line.module,
            "fields" => &mut self.line.fields,
            _ => return self.record_debug(field, &value),
        };
        *place = Some(value[..value.floor_char_boundary(MAX_TEXT)].to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing into a String does not fail.
        let _ = if field.name() == "message" {
            write!(self.line.message, "{value:?}")
        } else {
            write!(self.rest, " {}={value:?}", field.name())
        };
    }
}
