//! The functions that errors name.

/// Every function that a [`PluginError`](crate::PluginError) can name.
const FUNCTIONS: &[&str] = &[
    "audio-capture",
    "audio-capture.create",
    "audio-capture.destroy",
    "audio-capture.info",
    "audio-capture.read",
    "audio-capture.start",
    "audio-capture.stop",
    "audio-capture.wake",
    "audio-encoder",
    "audio-encoder.adjust",
    "audio-encoder.create",
    "audio-encoder.destroy",
    "audio-encoder.encode",
    "audio-encoder.info",
    "audio-encoder.probe",
    "audio-sink",
    "audio-sink.create",
    "audio-sink.destroy",
    "audio-sink.info",
    "audio-sink.start",
    "audio-sink.stop",
    "audio-sink.wait",
    "audio-sink.wake",
    "audio-sink.write",
    "capture",
    "capture.create",
    "capture.destroy",
    "capture.done_with",
    "capture.grab",
    "capture.info",
    "capture.start",
    "capture.stop",
    "capture.wait",
    "capture.wake",
    "clipboard",
    "clipboard.create",
    "clipboard.destroy",
    "clipboard.formats",
    "clipboard.offer",
    "clipboard.read",
    "clipboard.wait",
    "clipboard.wake",
    "cursor",
    "cursor.create",
    "cursor.destroy",
    "cursor.wait",
    "cursor.wake",
    "display",
    "display.apply",
    "display.create",
    "display.destroy",
    "display.outputs",
    "encoder",
    "encoder.configure",
    "encoder.create",
    "encoder.destroy",
    "encoder.done",
    "encoder.drain",
    "encoder.probe",
    "encoder.rate",
    "encoder.rate.set",
    "encoder.submit",
    "gamepad",
    "gamepad.create",
    "gamepad.destroy",
    "gamepad.inject",
    "gamepad.plug",
    "gamepad.unplug",
    "gamepad.wait",
    "gamepad.wake",
    "input",
    "input.create",
    "input.destroy",
    "input.inject",
    "input.kinds",
    "lifecycle",
    "lifecycle.init",
    "memory.commit",
    "rtc-config",
    "rtc-config.create",
    "rtc-config.destroy",
    "rtc-config.fetch",
    "rtc-config.wait",
    "rtc-config.wake",
];

/// The name with its static life.
pub fn known_function(name: &str) -> Option<&'static str> {
    FUNCTIONS.binary_search(&name).ok().map(|at| FUNCTIONS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(FUNCTIONS.is_sorted());
        assert!(FUNCTIONS.iter().all(|name| known_function(name) == Some(name)));
        assert_eq!(known_function("encoder.subm"), None);
    }
}
