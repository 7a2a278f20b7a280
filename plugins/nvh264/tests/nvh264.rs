//! The encoder, beside a decoder.

use selkies_gst_support::{
    HardwareConfig,
    testing::{self, Decoder},
};
use selkies_nvh264::NvH264;

#[test]
fn it_works_or_says_what_is_missing() {
    testing::absent::<NvH264>(Decoder {
        elements: "h264parse ! openh264dec",
        caps: "video/x-h264,stream-format=byte-stream,alignment=au",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<NvH264>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<HardwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
