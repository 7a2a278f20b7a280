//! Pictures out of packets, by GStreamer's decoders.

use gst::prelude::*;
use gst_video::VideoFrameExt;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

/// An element that decodes.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    /// Elements from packets to pictures, as in `gst-launch-1.0`.
    pub elements: &'static str,
    /// Caps of the packets.
    pub caps: &'static str,
}

/// A picture of three planes.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bytes and stride.
    planes: Vec<(Vec<u8>, usize)>,
}

impl Decoded {
    pub(super) fn luma(&self, x: u32, y: u32) -> u8 {
        self.planes[0].0[y as usize * self.planes[0].1 + x as usize]
    }

    pub(super) fn chroma(&self, plane: usize, x: u32, y: u32) -> u8 {
        self.planes[plane + 1].0[y as usize * self.planes[plane + 1].1 + x as usize]
    }
}

impl Decoder {
    /// The pictures of these packets, which begin with a keyframe.
    ///
    /// # Panics
    /// When something does not decode.
    #[must_use]
    pub fn decode(&self, packets: &[Vec<u8>]) -> Vec<Decoded> {
        gst::init().expect("GStreamer");
        let text = format!(
            "appsrc name=in format=time caps=\"{}\" ! {} ! videoconvert ! video/x-raw,format=I420 ! appsink name=out sync=false",
            self.caps, self.elements
        );
        let pipeline =
            gst::parse::launch(&text).expect("a decoder").downcast::<gst::Pipeline>().expect("a pipeline");
        let part = |name: &str| pipeline.by_name(name).expect("it has a name");
        let source = part("in").downcast::<gst_app::AppSrc>().expect("an appsrc");
        let sink = part("out").downcast::<gst_app::AppSink>().expect("an appsink");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        for (index, packet) in (0..).zip(packets) {
            let mut buffer = gst::Buffer::from_slice(packet.clone());
            let time = gst::ClockTime::from_mseconds(20 * index);
            buffer.get_mut().expect("it is ours").set_pts(time);
            source.push_buffer(buffer).expect("it takes packets");
        }
        source.end_of_stream().expect("it ends");
        let mut pictures = Vec::new();
        while let Ok(sample) = sink.pull_sample() {
            let info = gst_video::VideoInfo::from_caps(sample.caps().expect("caps")).expect("of video");
            let buffer = sample.buffer_owned().expect("a buffer");
            let frame = gst_video::VideoFrame::from_buffer_readable(buffer, &info).expect("a picture");
            let plane = |index: u32| {
                let stride = usize::try_from(frame.plane_stride()[index as usize]).expect("rows go down");
                (frame.plane_data(index).expect("a plane").to_vec(), stride)
            };
            let planes = (0..3).map(plane).collect();
            pictures.push(Decoded { width: info.width(), height: info.height(), planes });
        }
        let error = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        pipeline.set_state(gst::State::Null).expect("it ends");
        assert!(error.is_none(), "{error:?}");
        pictures
    }
}
