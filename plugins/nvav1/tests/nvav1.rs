//! The encoder, beside a decoder.

use selkies_gst_support::{
    HardwareConfig,
    testing::{self, Decoder},
};
use selkies_nvav1::NvAv1;

#[test]
fn it_works_or_says_what_is_missing() {
    testing::absent::<NvAv1>(Decoder {
        elements: "av1parse ! av1dec",
        caps: "video/x-av1,stream-format=obu-stream,alignment=tu",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<NvAv1>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<HardwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
