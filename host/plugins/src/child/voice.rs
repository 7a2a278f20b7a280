//! Lines of a child in the host's log.

use std::time::{Duration, Instant};

use selkies_plugin_abi as abi;

use super::wire::Line;
use crate::{
    HostServices,
    refusal::one_line,
    services::{LineBudget, Verdict},
};

/// Lines of one child that are written in one second. Its plugins have their own, lower limits in the child.
const LINES: u32 = 400;
/// Messages in one second that nobody sends by mistake.
const FLOOD: u32 = 20_000;
/// Longest text of a line, in bytes.
const MAX_TEXT: usize = 8 << 10;
/// Longest name in a line, in bytes.
const MAX_NAME: usize = 128;

/// Writes the lines of one child.
pub(super) struct Voice {
    services: HostServices,
    /// Ids of its plugins: no child speaks for another one's.
    members: Vec<String>,
    budget: LineBudget,
    second: Instant,
    heard: u32,
}

impl Voice {
    pub(super) fn new(services: HostServices, members: Vec<String>) -> Self {
        Self { services, members, budget: LineBudget::new(LINES), second: Instant::now(), heard: 0 }
    }

    /// Writes a line, unless there are too many. False for a child that does nothing else any more.
    pub(super) fn say(&mut self, line: Line, now: Instant) -> bool {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.heard) = (now, 0);
        }
        self.heard += 1;
        if self.heard > FLOOD {
            return false;
        }
        if line.level > self.services.log_level() {
            return true;
        }
        let label = self.members.join(",");
        match self.budget.charge(now) {
            Verdict::Write => self.write(line),
            Verdict::WriteAfter(missing) => {
                tracing::warn!(target: "selkies::plugin", plugin = label, "{missing} log lines were suppressed");
                self.write(line);
            }
            Verdict::StartDropping => tracing::warn!(
                target: "selkies::plugin",
                plugin = label,
                "suppressed: more than {LINES} log lines in a second"
            ),
            Verdict::Drop => {}
        }
        true
    }

    fn write(&self, line: Line) {
        let Line { level, plugin, function, module, fields, message } = line;
        let member = plugin.filter(|plugin| self.members.contains(plugin));
        let plugin = member.unwrap_or_else(|| self.members.join(","));
        let short = |text: Option<String>| text.map(|text| cut(text, MAX_NAME));
        let (function, module) = (short(function), short(module));
        let (function, module) = (function.as_deref(), module.as_deref());
        // Only whole objects: a cut one would confuse the reader of the log.
        let fields = fields.filter(|text| {
            text.len() <= MAX_TEXT && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        });
        let (fields, message) = (fields.as_deref(), cut(message, MAX_TEXT));
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    target: "selkies::plugin",
                    tracing::Level::$level,
                    plugin,
                    module,
                    function,
                    fields,
                    "{message}"
                )
            };
        }
        match level {
            abi::LEVEL_ERROR => line!(ERROR),
            abi::LEVEL_WARN => line!(WARN),
            abi::LEVEL_INFO => line!(INFO),
            abi::LEVEL_DEBUG => line!(DEBUG),
            _ => line!(TRACE),
        }
    }
}

fn cut(mut text: String, limit: usize) -> String {
    text.truncate(text.floor_char_boundary(limit));
    one_line(&text)
}
