//! What an error of a pipeline means to the host.

use gstreamer as gst;
use selkies_plugin_sdk::Error;

use crate::{Description, Device};

/// What sources report when an element behind them refuses caps (`GST_FLOW_NOT_NEGOTIATED`).
const NOT_NEGOTIATED: i32 = -4;

/// The class of an error on the bus.
///
/// | GStreamer says | class |
/// |---|---|
/// | caps that do not fit, a format that cannot be encoded | reconfigure |
/// | a device that is busy, gone or does not answer | device-lost, for encoders on one |
/// | all else | fatal-instance |
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
    if negotiation {
        return Error::unsupported(text);
    }
    let of_device = error.is::<gst::ResourceError>() || error.is::<gst::LibraryError>();
    if of_device && what.device != Device::Cpu { Error::device_lost(text) } else { Error::fatal(text) }
}
