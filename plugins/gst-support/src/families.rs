//! Properties that the elements over one library have in common.

pub mod nvcodec;
pub mod va;
pub mod vpx;
