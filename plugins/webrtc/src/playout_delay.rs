//! The playout-delay header extension: it asks the browser for a picture at once.
//!
//! ```text
//!  0                   1                   2
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
//! |      least delay      |      most delay       |   in units of 10 ms
//! ```
//! The format is that of webrtc.googlesource.com/src, docs/native-code/rtp-hdrext/playout-delay. Zero for both lets
//! Chromium show a frame when it is decoded, instead of smoothing by a jitter buffer.

use gst::glib;
use gstreamer as gst;
use gstreamer_rtp as gst_rtp;
use gstreamer_rtp::{prelude::*, subclass::prelude::*};

/// Its name in SDP.
pub(crate) const URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// No delay at all.
const NO_DELAY: [u8; 3] = [0; 3];

mod imp {
    use super::*;

    #[derive(Debug, Default)]
    pub struct PlayoutDelay;

    #[glib::object_subclass]
    impl ObjectSubclass for PlayoutDelay {
        const NAME: &'static str = "SelkiesPlayoutDelay";
        type Type = super::PlayoutDelay;
        type ParentType = gst_rtp::RTPHeaderExtension;
    }

    impl ObjectImpl for PlayoutDelay {}
    impl GstObjectImpl for PlayoutDelay {}

    impl ElementImpl for PlayoutDelay {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: std::sync::OnceLock<gst::subclass::ElementMetadata> = std::sync::OnceLock::new();
            Some(METADATA.get_or_init(|| {
                gst::subclass::ElementMetadata::new(
                    "Playout delay",
                    "Network/Extension/RTPHeader",
                    "Asks the receiver to show frames at once",
                    "selkies-host",
                )
            }))
        }
    }

    impl RTPHeaderExtensionImpl for PlayoutDelay {
        const URI: &'static str = super::URI;

        fn supported_flags(&self) -> gst_rtp::RTPHeaderExtensionFlags {
            gst_rtp::RTPHeaderExtensionFlags::ONE_BYTE | gst_rtp::RTPHeaderExtensionFlags::TWO_BYTE
        }

        fn max_size(&self, _: &gst::BufferRef) -> usize {
            NO_DELAY.len()
        }

        fn write(
            &self,
            _: &gst::BufferRef,
            _: gst_rtp::RTPHeaderExtensionFlags,
            _: &gst::BufferRef,
            output: &mut [u8],
        ) -> Result<usize, gst::LoggableError> {
            match output.get_mut(..NO_DELAY.len()) {
                Some(place) => {
                    place.copy_from_slice(&NO_DELAY);
                    Ok(NO_DELAY.len())
                }
                None => Err(gst::loggable_error!(gst::CAT_RUST, "no place for the playout delay")),
            }
        }

        fn read(
            &self,
            _: gst_rtp::RTPHeaderExtensionFlags,
            _: &[u8],
            _: &mut gst::BufferRef,
        ) -> Result<(), gst::LoggableError> {
            Ok(())
        }
    }
}

glib::wrapper! {
    /// The extension's element.
    pub struct PlayoutDelay(ObjectSubclass<imp::PlayoutDelay>)
        @extends gst_rtp::RTPHeaderExtension, gst::Element, gst::Object;
}

/// An extension with its number in SDP, for a payloader.
pub(crate) fn extension(id: u8) -> gst_rtp::RTPHeaderExtension {
    let extension: PlayoutDelay = glib::Object::new();
    let extension: gst_rtp::RTPHeaderExtension = extension.upcast();
    extension.set_id(id.into());
    extension
}
