//! The rules, page by page as in docs/specs/.

pub(crate) mod capture;
pub(crate) mod cursor;
pub(crate) mod display;
pub(crate) mod encoder;
pub(crate) mod input;
pub(crate) mod lifecycle;
pub(crate) mod packaging;
pub(crate) mod rtc_config;
pub(crate) mod transport;

use crate::rule::Rule;

/// Every page, in the order of the reports.
pub(crate) static PAGES: &[&[&Rule]] = &[
    packaging::ALL,
    lifecycle::ALL,
    encoder::ALL,
    capture::ALL,
    display::ALL,
    cursor::ALL,
    input::ALL,
    transport::ALL,
    rtc_config::ALL,
];
