//! The encoder, beside a decoder.

use selkies_gst_support::{
    HardwareConfig,
    testing::{self, Decoder},
};
use selkies_nvh265::NvH265;

#[test]
fn it_works_or_says_what_is_missing() {
    testing::absent::<NvH265>(Decoder {
        elements: "h265parse ! libde265dec",
        caps: "video/x-h265,stream-format=byte-stream,alignment=au",
    });
}

#[test]
fn properties_are_those_of_the_element() {
    testing::properties::<NvH265>();
}

#[test]
fn the_manifest_has_the_configuration_schema_of_the_code() {
    testing::manifest::<HardwareConfig>(env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_VERSION"));
}
