//! What the media threads tell.

use selkies_config::encoder_wire_name;
use selkies_media::{FaultVerdict, Observer, PluginFault};
use selkies_session::{ClipboardContent, Codec, Codecs, CursorShape, Event};

use super::Hub;

impl Observer for Hub {
    fn cursor(&self, shape: CursorShape) {
        self.handle(Event::CursorChanged(shape));
    }

    fn clipboard(&self, content: Option<ClipboardContent>) {
        self.handle(Event::ClipboardChanged(content));
    }

    fn display(&self, width: u32, height: u32) {
        self.handle(Event::DisplayChanged { width, height });
    }

    fn video_failed(&self, reason: &str) {
        self.handle(Event::CaptureFailed { reason: reason.to_owned() });
    }

    fn video_recovered(&self) {
        self.handle(Event::CaptureRecovered);
    }

    fn plugin_fault(&self, fault: &PluginFault) -> FaultVerdict {
        self.faults.judge(fault)
    }

    fn encoder_used(&self, encoder: &str, codec: Option<Codec>, striped: bool, among: Option<Codecs>) {
        self.offers.uses(codec.filter(|_| !striped));
        let encoder = encoder_wire_name(encoder).to_owned();
        self.handle(Event::EncoderUsed { encoder, codec, striped, among });
    }

    fn rumble(&self, slot: u8, strong: u16, weak: u16, duration_ms: u32) {
        self.handle(Event::Rumble { slot, strong, weak, duration_ms });
    }

    fn encoder_replaced(&self, encoder: &str, reason: &str) {
        self.handle(Event::EncoderReplaced { encoder: encoder.to_owned(), reason: reason.to_owned() });
    }
}
