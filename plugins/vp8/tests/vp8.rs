//! The encoder, beside a decoder.

use selkies_gst_support::{
    SoftwareConfig,
    testing::{self, Decoder},
};
use selkies_vp8::Vp8;

#[test]
fn pictures_decode_and_follow_the_hosts_orders() {
    testing::encodes::<Vp8>(Decoder { elements: "vp8dec", caps: "video/x-vp8" });
}

#[test]
fn a_dropped_picture_is_an_error() {
    testing::drops::<Vp8>(r#"{"properties": {"dropframe-threshold": "100"}}"#);
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<Vp8>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<SoftwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
