//! The encoder, beside a decoder.

use selkies_gst_support::{
    SoftwareConfig,
    testing::{self, Decoder},
};
use selkies_x265::X265;

#[test]
fn pictures_decode_and_follow_the_hosts_orders() {
    testing::encodes::<X265>(Decoder {
        elements: "h265parse ! libde265dec",
        caps: "video/x-h265,stream-format=byte-stream,alignment=au",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<X265>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<SoftwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
