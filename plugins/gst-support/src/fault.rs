//! What an error of a pipeline means to the host.

use gstreamer as gst;
use selkies_plugin_sdk::{Error, abi};

use crate::{Description, Device};

/// What sources report when an element behind them refuses caps (`GST_FLOW_NOT_NEGOTIATED`).
const NOT_NEGOTIATED: i32 = -4;

/// The class of an error on the bus.
///
/// | GStreamer says | class |
/// |---|---|
/// | caps that do not fit, a format or a size that cannot be encoded | device-lost for encoders on one, else fatal-instance |
/// | a device that is busy, gone or does not answer | the same |
/// | all else | fatal-instance |
///
/// Caps are negotiated with the first picture only, when the request was accepted long ago: another instance would come to
/// the same end, so that none of this is a reason to ask for one (reconfigure).
pub(crate) fn classed(what: &Description, message: &gst::message::Error) -> Error {
    let error = message.error();
    let text = format!(
        "{}: {error}{}",
        what.name,
        message.debug().map(|debug| format!(" ({debug})")).unwrap_or_default()
    );
    let negotiation =
        matches!(error.kind::<gst::CoreError>(), Some(gst::CoreError::Negotiation | gst::CoreError::Caps))
            || matches!(
                error.kind::<gst::StreamError>(),
                Some(
                    gst::StreamError::Format | gst::StreamError::WrongType | gst::StreamError::NotImplemented
                )
            )
            || message.details().and_then(|details| details.get::<i32>("flow-return").ok())
                == Some(NOT_NEGOTIATED);
    let of_device = negotiation || error.is::<gst::ResourceError>() || error.is::<gst::LibraryError>();
    if of_device { of_encoder(what, text) } else { Error::fatal(text) }
}

/// An error of a new pipeline whose request was accepted: what the element lacks, it lacks in another instance, too.
pub(crate) fn lasting(what: &Description, error: Error) -> Error {
    let anew = abi::class_of(error.status()) == abi::CLASS_RECONFIGURE;
    if anew { of_encoder(what, error.text().to_owned()) } else { error }
}

fn of_encoder(what: &Description, text: String) -> Error {
    if what.device == Device::Cpu { Error::fatal(text) } else { Error::device_lost(text) }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use selkies_plugin_sdk::Result;

    use super::*;
    use crate::{
        Library, Property, Quality, SOFTWARE_CONVERTERS, Tuning,
        chain::Chain,
        exchange::{Answer, Pending},
        request::Request,
    };

    /// libvpx, which has pictures of at most 16383 pixels a side.
    const fn vp8(device: Device, properties: &'static [Property]) -> Description {
        Description {
            name: "vp8enc",
            codec: abi::CODEC_VP8,
            elements: &["vp8enc"],
            source: "install gstreamer1.0-plugins-good",
            device,
            converters: SOFTWARE_CONVERTERS,
            memory: "",
            raw: "I420",
            colorimetry: "bt601",
            output: "video/x-vp8",
            even: false,
            synchronous: true,
            forces_keys: true,
            common: &[],
            fixed: &[],
            quality: Quality { best: 4, worst: 63, properties, live: true },
            bitrate: properties,
            live_bitrate: true,
            max_kbps: 1000,
            max_size: (100_000, 100_000),
        }
    }

    const LACKING: &[Property] = &[Property::needed("no-such-property", &["1"])];
    static ON_CPU: Description = vp8(Device::Cpu, &[]);
    static ON_DEVICE: Description = vp8(Device::Va, &[]);
    static LACKING_ON_CPU: Description = vp8(Device::Cpu, LACKING);
    static LACKING_ON_DEVICE: Description = vp8(Device::Va, LACKING);

    struct Told(mpsc::Sender<Result<()>>);

    impl Answer for Told {
        fn packet(&self, _: &Pending, _: &[u8], _: bool) -> Result<()> {
            Ok(())
        }

        fn done(&self, _: &Pending, outcome: Result<()>) {
            let _ = self.0.send(outcome);
        }
    }

    /// What becomes of a picture.
    fn outcome(what: &'static Description, width: u32, height: u32) -> Result<()> {
        let mut request = Request::trial(what, 16);
        (request.width, request.height) = (width, height);
        let (send, receive) = mpsc::channel();
        let library = Library::start()?;
        let mut chain = Chain::start(library, what, &Tuning::default(), &request, Box::new(Told(send)))?;
        chain.exchange().begin(Pending {
            frame_id: 1,
            width,
            height,
            wants_key: true,
            ..Pending::default()
        })?;
        chain.push(gst::Buffer::from_mut_slice(vec![0x40; width as usize * height as usize * 4]))?;
        receive.recv_timeout(Duration::from_secs(30)).expect("an answer in time")
    }

    fn class(outcome: Result<()>) -> i32 {
        abi::class_of(outcome.expect_err("it is refused").status())
    }

    #[test]
    fn a_size_that_the_element_refuses_ends_the_encoder() {
        assert_eq!(outcome(&ON_CPU, 256, 16), Ok(()));
        assert_eq!(class(outcome(&ON_CPU, 16_384, 16)), abi::CLASS_FATAL_INSTANCE);
        assert_eq!(class(outcome(&ON_DEVICE, 16_384, 16)), abi::CLASS_DEVICE_LOST);
    }

    #[test]
    fn a_property_that_the_element_lacks_ends_the_encoder() {
        assert_eq!(class(outcome(&LACKING_ON_CPU, 256, 16)), abi::CLASS_FATAL_INSTANCE);
        assert_eq!(class(outcome(&LACKING_ON_DEVICE, 256, 16)), abi::CLASS_DEVICE_LOST);
    }
}
