//! The encoder, beside a decoder.

use selkies_gst_support::{
    HardwareConfig,
    testing::{self, Decoder},
};
use selkies_vavp9::VaVp9;

#[test]
fn it_works_or_says_what_is_missing() {
    testing::absent::<VaVp9>(Decoder { elements: "vp9dec", caps: "video/x-vp9" });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<VaVp9>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<HardwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
