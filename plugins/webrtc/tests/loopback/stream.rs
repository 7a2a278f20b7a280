//! Encoded pictures.

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use selkies_plugin_sdk::{PacketInfo, PacketRef, abi};

/// A stream of grey pictures, whose brightness says which they are.
pub(crate) struct Stream {
    codec: u32,
    packets: Vec<(bool, Vec<u8>)>,
    next: usize,
    frame_id: u64,
}

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
/// Frames from one key frame to the next, and of the whole recording.
const KEY_EVERY: usize = 30;
const FRAMES: usize = 60;

impl Stream {
    /// H.264.
    pub(crate) fn h264() -> Self {
        let encoder = format!(
            "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={KEY_EVERY} ! video/x-h264,stream-format=byte-stream,alignment=au,profile=constrained-baseline"
        );
        Self::encode(abi::CODEC_H264, &encoder)
    }

    /// VP8.
    pub(crate) fn vp8() -> Self {
        Self::encode(
            abi::CODEC_VP8,
            &format!("vp8enc deadline=1 keyframe-max-dist={KEY_EVERY} lag-in-frames=0"),
        )
    }

    fn encode(codec: u32, encoder: &str) -> Self {
        gst::init().expect("GStreamer");
        let text = format!(
            "videotestsrc num-buffers={FRAMES} pattern=smpte ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=30/1 ! {encoder} ! appsink name=out sync=false"
        );
        let pipeline = gst::parse::launch(&text).expect("an encoder");
        let sink = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("out"));
        let sink = sink.and_downcast::<gst_app::AppSink>().expect("an appsink");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let mut packets = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let buffer = sample.buffer().expect("a buffer");
            let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            packets.push((is_key, buffer.map_readable().expect("bytes").to_vec()));
        }
        pipeline.set_state(gst::State::Null).expect("it ends");
        assert!(packets.len() == FRAMES && packets[0].0 && packets[KEY_EVERY].0, "{}", packets.len());
        Self { codec, packets, next: 0, frame_id: 0 }
    }

    /// The next frame goes to somebody; `key` begins anew.
    pub(crate) fn next(&mut self, key: bool, send: impl FnOnce(PacketRef<'_>)) -> u64 {
        if key {
            self.next = 0;
        }
        let (is_key, payload) = &self.packets[self.next];
        self.next = (self.next + 1) % self.packets.len();
        self.frame_id += 1;
        let clock = gst::SystemClock::obtain();
        let info = PacketInfo {
            codec: self.codec,
            flags: abi::PACKET_LAST | if *is_key { abi::PACKET_KEY } else { 0 },
            layer: 0,
            frame_id: self.frame_id,
            reference_frame_id: 0,
            timestamp_ns: clock.time().nseconds(),
            duration_ns: 0,
            area: abi::Rect { x: 0, y: 0, width: WIDTH, height: HEIGHT },
        };
        send(PacketRef { info, stream: 0, payload });
        self.frame_id
    }
}
