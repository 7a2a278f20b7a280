//! The rules, page by page as in docs/specs/.

pub(crate) mod encoder;
pub(crate) mod lifecycle;
pub(crate) mod packaging;

use crate::rule::Rule;

/// Every page, in the order of the reports.
pub(crate) static PAGES: &[&[&Rule]] = &[packaging::ALL, lifecycle::ALL, encoder::ALL];
