//! Which codecs a client that comes by signaling is offered.

use std::sync::{Mutex, OnceLock, PoisonError};

use selkies_session::Codec;
use tracing::warn;

/// What pages receive over WebRTC that do not say what they do: those of 2.1.0, in every browser.
const STOCK: [Codec; 2] = [Codec::H264, Codec::Vp8];

/// What can be encoded in whole frames, and what is.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    encoders: OnceLock<Vec<Codec>>,
    in_use: Mutex<Option<Codec>>,
}

impl Offers {
    pub(crate) fn set(&self, codecs: Vec<Codec>) {
        if self.encoders.set(codecs).is_err() {
            warn!("a second list of codecs was ignored");
        }
    }

    /// The codec of the encoder in use, if its frames are whole.
    pub(crate) fn uses(&self, codec: Option<Codec>) {
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = codec;
    }

    /// What a page is offered, best first: of what it receives and the transport carries, what the encoders make, in their
    /// order. Where somebody watches already, what is streamed comes first, for there is one encoder for everybody.
    pub(crate) fn to(
        &self,
        page: Option<&[Codec]>,
        carried: impl Fn(Codec) -> bool,
        watched: bool,
    ) -> Vec<Codec> {
        let receives = page.unwrap_or(&STOCK);
        let fits = |codec: &Codec| receives.contains(codec) && carried(*codec);
        let made = self.encoders.get().map_or(&[][..], Vec::as_slice);
        let mut offered: Vec<Codec> = made.iter().copied().filter(fits).collect();
        if offered.is_empty() {
            // The page is told what is streamed and why it sees nothing; input works all the same.
            offered = receives.iter().copied().filter(|codec| carried(*codec)).collect();
        }
        let in_use = *self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) =
            in_use.filter(|_| watched).and_then(|used| offered.iter().position(|codec| *codec == used))
        {
            offered[..=at].rotate_right(1);
        }
        offered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoders_order_decides_among_what_the_page_receives() {
        let offers = Offers::default();
        offers.set(vec![Codec::H264, Codec::H265, Codec::Vp9, Codec::Vp8]);
        let all = |_| true;
        assert_eq!(offers.to(None, all, false), [Codec::H264, Codec::Vp8]);
        let firefox = [Codec::Vp8, Codec::Vp9];
        assert_eq!(offers.to(Some(&firefox), all, false), [Codec::Vp9, Codec::Vp8]);
        let not_vp9 = |codec| codec != Codec::Vp9;
        assert_eq!(offers.to(Some(&firefox), not_vp9, false), [Codec::Vp8]);
        assert_eq!(offers.to(Some(&[Codec::Av1]), all, false), [Codec::Av1], "nothing fits");
    }

    #[test]
    fn those_who_come_later_are_offered_first_what_is_streamed() {
        let offers = Offers::default();
        offers.set(vec![Codec::H264, Codec::Vp9, Codec::Vp8]);
        offers.uses(Some(Codec::Vp8));
        let all = |_| true;
        assert_eq!(offers.to(None, all, true), [Codec::Vp8, Codec::H264]);
        assert_eq!(offers.to(None, all, false), [Codec::H264, Codec::Vp8], "nobody else watches");
        offers.uses(None);
        assert_eq!(offers.to(None, all, true), [Codec::H264, Codec::Vp8]);
    }
}
