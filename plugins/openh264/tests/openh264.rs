//! The encoder, beside a decoder.

use selkies_gst_support::{
    SoftwareConfig,
    testing::{self, Decoder},
};
use selkies_openh264::OpenH264;

#[test]
fn pictures_decode_and_follow_the_hosts_orders() {
    testing::encodes::<OpenH264>(Decoder {
        elements: "h264parse ! openh264dec",
        caps: "video/x-h264,stream-format=byte-stream,alignment=au",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<OpenH264>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<SoftwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
