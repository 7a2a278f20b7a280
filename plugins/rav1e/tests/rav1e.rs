//! The encoder, beside a decoder.

use selkies_gst_support::{
    SoftwareConfig,
    testing::{self, Decoder},
};
use selkies_rav1e::Rav1e;

#[test]
fn it_works_or_says_what_is_missing() {
    testing::absent::<Rav1e>(Decoder {
        elements: "av1parse ! av1dec",
        caps: "video/x-av1,stream-format=obu-stream,alignment=tu",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<Rav1e>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<SoftwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
