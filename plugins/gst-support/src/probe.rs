//! Whether an encoder works on this machine: it is made, and a picture encoded.

use std::{sync::mpsc, time::Duration};

use gstreamer as gst;
use selkies_plugin_sdk::{Error, Result};

use crate::{
    Description, Library, Tuning,
    chain::Chain,
    exchange::{Answer, Pending},
    request::Request,
};

/// Side of the picture, in pixels: no device's smallest.
const SIDE: u32 = 256;
/// How long the first picture may take.
const FIRST: Duration = Duration::from_secs(5);

/// Hears what became of the picture.
struct Trial(mpsc::Sender<Result<bool>>);

impl Answer for Trial {
    fn packet(&self, _: &Pending, _: &[u8], is_key: bool) -> Result<()> {
        let _ = self.0.send(Ok(is_key));
        Ok(())
    }

    fn done(&self, _: &Pending, outcome: Result<()>) {
        // After a packet, nobody listens any more.
        let _ = self.0.send(outcome.map(|()| false));
    }
}

/// # Errors
/// Why it does not work.
pub(crate) fn attempt(library: Library, what: &'static Description, tuning: &Tuning) -> Result<()> {
    let (send, receive) = mpsc::channel();
    let request = Request::trial(what, SIDE);
    let mut chain = Chain::start(library, what, tuning, &request, Box::new(Trial(send)))?;
    chain.exchange().begin(Pending {
        frame_id: 1,
        width: SIDE,
        height: SIDE,
        wants_key: true,
        ..Pending::default()
    })?;
    let bytes = SIDE as usize * SIDE as usize * 4;
    chain.push(gst::Buffer::from_mut_slice(vec![0x40; bytes]))?;
    match receive.recv_timeout(FIRST) {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(Error::fatal(format!("{}: a picture made no packet", what.name))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::fatal(format!(
            "{}: a picture made no packet within {} s: the element waits for more, or its device hangs",
            what.name,
            FIRST.as_secs()
        ))),
    }
}
