//! The pipeline: `appsrc ! converters ! encoder ! appsink`.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use selkies_plugin_sdk::{Error, Result};

use crate::{
    Description, Library, Property, Tuning,
    exchange::{Answer, Exchange},
    fault, library, picture, properties,
    request::Request,
    tether::{Leash, Tether},
};

/// How long a device may take to start.
const START: Duration = Duration::from_secs(6);
/// How long it may take to end, before it is left behind if it has no frame.
const END: Duration = Duration::from_secs(2);

/// For converters; each takes what it has. Eight bits stay eight bits: there is nothing to dither.
const CONVERTING: &[Property] =
    &[Property::new("n-threads", &["{threads|1}"]), Property::new("dither", &["none"])];

/// A pipeline that runs.
#[derive(Debug)]
pub(crate) struct Chain {
    what: &'static Description,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    exchange: Arc<Exchange>,
    /// Time from one frame to the next.
    step: gst::ClockTime,
    frames: u64,
    /// The last field: the elements go before it, with whatever they keep until they are dropped.
    leash: Leash,
}

impl Chain {
    /// Builds the pipeline and starts it.
    ///
    /// # Errors
    /// [`Error::device_lost`] when an element or its device is missing, and whatever the elements say.
    pub(crate) fn start(
        library: Library,
        what: &'static Description,
        tuning: &Tuning,
        request: &Request,
        answer: Box<dyn Answer>,
    ) -> Result<Self> {
        Self::build(library, what, tuning, request, answer).map_err(|error| fault::lasting(what, error))
    }

    fn build(
        library: Library,
        what: &'static Description,
        tuning: &Tuning,
        request: &Request,
        answer: Box<dyn Answer>,
    ) -> Result<Self> {
        let lacking = |missing: crate::Missing| Error::device_lost(missing.to_string());
        let factory = library.encoder(what, tuning).map_err(lacking)?;
        let encoder = library::build(&factory, what)?;
        properties::prepare(&encoder, what, request, tuning)?;
        let exchange = Arc::new(Exchange::new(what.name, answer));
        let source = source(what, request, &exchange)?;
        let mut elements = vec![source.clone().upcast::<gst::Element>()];
        for name in what.converters {
            let converter = library.element(what, name).map_err(lacking)?;
            properties::apply(&converter, CONVERTING, request)?;
            elements.push(converter);
        }
        let filter = library.element(what, "capsfilter").map_err(lacking)?;
        filter.set_property("caps", raw_caps(what)?);
        elements.extend([filter, encoder.clone(), sink(what, &exchange)?.upcast()]);

        if let Some(pad) = encoder.static_pad("sink") {
            let exchange = exchange.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                exchange.converted();
                gst::PadProbeReturn::Ok
            });
        }
        let pipeline = gst::Pipeline::new();
        let joined = pipeline.add_many(&elements).and_then(|()| gst::Element::link_many(&elements));
        joined.map_err(|error| {
            Error::unsupported(format!("{}: the pipeline cannot be built: {error}", what.name))
        })?;
        // No clock: nothing is played.
        pipeline.use_clock(None::<&gst::Clock>);
        if let Some(bus) = pipeline.bus() {
            let exchange = exchange.clone();
            bus.set_sync_handler(move |_, message| {
                if let gst::MessageView::Error(error) = message.view() {
                    exchange.fail(fault::classed(what, error));
                }
                gst::BusSyncReply::Drop
            });
        }
        let step = gst::ClockTime::SECOND.mul_div_round(request.fps.1.into(), request.fps.0.into());
        let step = step.unwrap_or(gst::ClockTime::from_mseconds(16));
        let leash = Leash::new(what.name, END);
        let chain = Self { what, pipeline, source, encoder, exchange, step, frames: 0, leash };
        chain.run()?;
        Ok(chain)
    }

    fn run(&self) -> Result<()> {
        let started = self.pipeline.set_state(gst::State::Playing).is_ok()
            && matches!(
                self.pipeline.state(gst::ClockTime::try_from(START).ok()),
                (Ok(_), gst::State::Playing, _)
            );
        match self.exchange.broken() {
            Some(error) => Err(error),
            None if started => Ok(()),
            None => Err(Error::device_lost(format!(
                "{}: the element {} does not start, and does not say why; GST_DEBUG=3 shows more",
                self.what.name,
                properties::factory_name(&self.encoder)
            ))),
        }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn tether(&self) -> &Tether {
        self.leash.tether()
    }

    /// True until a picture was sent in: that one becomes a keyframe anyway.
    pub(crate) fn is_fresh(&self) -> bool {
        self.frames == 0
    }

    /// Makes the next frame a keyframe.
    pub(crate) fn force_key(&self) {
        if !self.is_fresh() {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            let taken = self.encoder.static_pad("src").is_some_and(|pad| pad.send_event(event));
            if !taken {
                tracing::debug!(encoder = self.what.name, "the element took no order for a keyframe");
            }
        }
    }

    /// Sends a picture in.
    ///
    /// # Errors
    /// When the pipeline takes none.
    pub(crate) fn push(&mut self, mut buffer: gst::Buffer) -> Result<()> {
        if let Some(buffer) = buffer.get_mut() {
            // Frames are counted, not timed: times of their own would collide in the codecs' coarse clocks.
            buffer.set_pts(self.step * self.frames);
            buffer.set_duration(self.step);
        }
        self.frames += 1;
        self.source.push_buffer(buffer).map(drop).map_err(|flow| {
            let said = self.exchange.broken();
            said.unwrap_or_else(|| {
                Error::fatal(format!("{}: the pipeline takes no frames: {flow}", self.what.name))
            })
        })
    }

    /// Sets what a request's rate control asks for.
    ///
    /// # Errors
    /// [`Error::unsupported`] when the element lacks a property.
    pub(crate) fn control(&self, request: &Request) -> Result<()> {
        properties::control(&self.encoder, self.what, request)
    }
}

impl Drop for Chain {
    /// Ends the pipeline, or leaves it behind when a driver does not let it end: either way nothing of it calls the host
    /// afterwards. While the pipeline has a frame of the host, `leash` waits for that after this.
    fn drop(&mut self) {
        self.exchange.close();
        let (done, ended) = mpsc::channel();
        let pipeline = self.pipeline.clone();
        let end = move || {
            let _ = pipeline.set_state(gst::State::Null);
            let _ = done.send(());
        };
        let ended = match std::thread::Builder::new().name("gst-end".into()).spawn(end) {
            Ok(_) => ended.recv_timeout(END).is_ok(),
            Err(_) => self.pipeline.set_state(gst::State::Null).is_ok(),
        };
        if !ended {
            tracing::warn!(encoder = self.what.name, "the device does not end; it is left behind");
        }
    }
}

fn source(
    what: &'static Description,
    request: &Request,
    exchange: &Arc<Exchange>,
) -> Result<gst_app::AppSrc> {
    let (width, height) = picture::coded_size(request, what.even);
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    let caps = gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::Bgrx)
        .width(side(width))
        .height(side(height))
        .framerate(gst::Fraction::new(side(request.fps.0), side(request.fps.1)))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        // The screen's: sRGB, full range.
        .field("colorimetry", "sRGB")
        .build();
    let mut calls = gst_app::AppSrcCallbacks::builder();
    if what.synchronous {
        let exchange = exchange.clone();
        calls = calls.need_data(move |_, _| exchange.passed());
    }
    let source = gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(false)
        .max_bytes(0)
        .callbacks(calls.build())
        .build();
    let pad = source.static_pad("src").ok_or_else(|| Error::fatal("GStreamer's appsrc has no pad"))?;
    let exchange = exchange.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        exchange.entered();
        gst::PadProbeReturn::Ok
    });
    Ok(source)
}

fn sink(what: &'static Description, exchange: &Arc<Exchange>) -> Result<gst_app::AppSink> {
    let caps = what.output.parse::<gst::Caps>();
    let caps = caps.map_err(|_| Error::fatal(format!("{}: its output caps are not caps", what.name)))?;
    let exchange = exchange.clone();
    let calls = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some(buffer) = sample.buffer() else { return Ok(gst::FlowSuccess::Ok) };
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        match buffer.map_readable() {
            Ok(bytes) => exchange.packet(&bytes, is_key),
            Err(_) => exchange.fail(Error::fatal(format!("{}: a packet cannot be read", what.name))),
        }
        Ok(gst::FlowSuccess::Ok)
    });
    Ok(gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(calls.build())
        .build())
}

/// Caps of what the encoder reads.
fn raw_caps(what: &Description) -> Result<gst::Caps> {
    let feature = if what.memory.is_empty() { String::new() } else { format!("({})", what.memory) };
    let text = format!("video/x-raw{feature},format={},colorimetry={}", what.raw, what.colorimetry);
    text.parse().map_err(|_| Error::fatal(format!("{}: its raw caps are not caps: {text}", what.name)))
}
