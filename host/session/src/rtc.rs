//! Where ICE servers come from: several sources in order, the first that has an answer serves.
//!
//! Sans-IO: time is an argument. The caller asks the sources ([`RtcChain::next`] says which and when) and tells what they
//! said; [`RtcChain::serving`] is the answer for the next client, [`RtcChain::publish`] what clients that are connected
//! should get.

mod answer;
mod chain;

pub use answer::{MAX_RTC_SERVERS, RtcAnswer, RtcAnswerError};
pub use chain::{ANSWER_LIMIT, LONGEST_PAUSE, RtcChain};
