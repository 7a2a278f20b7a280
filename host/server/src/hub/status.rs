//! What the hub knows, for `/api/status`.

use super::Hub;
use crate::modes::StreamMode;

impl Hub {
    /// What `/api/status` answers.
    pub(crate) fn status(&self) -> serde_json::Value {
        let (clients, counters) = {
            let session = self.session();
            (session.clients(), session.counters())
        };
        let mut figures = selkies_media::Snapshot::default();
        self.with_studio(|studio| figures = studio.figures().snapshot());
        serde_json::json!({
            "name": "selkies-host",
            "version": env!("CARGO_PKG_VERSION"),
            // As Selkies 2.1.0 answers.
            "current_mode": self.modes.current().name(),
            "available_modes": self.available_modes().into_iter().map(StreamMode::name).collect::<Vec<_>>(),
            "enable_dual_mode": self.modes.dual(),
            "clients": clients,
            "watching": self.stream.active(),
            "video": {
                "encoder": figures.encoder,
                "encoders_used": figures.encoders,
                "frames": figures.frames,
                "keyframes": figures.keyframes,
                "refinements": figures.refinements,
                "packets": figures.packets,
                "bytes": figures.bytes,
                "bitrate_kbps": figures.bitrate_kbps,
                "quality": figures.quality,
                "grab_seconds": seconds(figures.grab_ns),
                "encode_seconds": seconds(figures.encode_ns),
            },
            "sound": self.sound.status(),
            "latency": self.latency(),
            "faults": self.faults.to_json(),
            "signaling": self.signaling_status(),
            "queued_bytes": self.post.queued(),
            "sent_bytes": self.post.sent(),
            "messages": {
                "received": counters.messages,
                "unknown": counters.unknown,
                "malformed": counters.malformed,
                "denied": counters.denied,
            },
        })
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
