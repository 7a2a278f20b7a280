//! A first connection to nobody. GStreamer loads libraries and makes a key for DTLS when a process makes its first offer,
//! which takes a third of a second and more; the offers after it take five milliseconds.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crate::{
    channels::Channels,
    codec::Codec,
    config::Options,
    connection::{Connection, Event},
    hello::Hello,
    ice_servers::IceServers,
    voice::Voice,
};

/// A key of RSA may take long on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes an offer on a thread of its own, and forgets it. `voice` is one that is closed.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn start(options: Options, codec: Codec, voice: Voice) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("webrtc-warm".to_owned()).spawn(move || {
        let hello =
            Hello { video: vec![codec], audio: false, sound_apart: false, displays: 1, loopback: false };
        let voice = Arc::new(voice);
        let channels = Channels::new(voice.clone());
        let (tell, told) = mpsc::channel();
        let listener = Arc::new(move |event| {
            if matches!(event, Event::Offer(_) | Event::Failed(_)) {
                let _ = tell.send(());
            }
        });
        match Connection::open(&hello, &options, &IceServers::default(), &voice, &channels, &(listener as _))
        {
            Ok(connection) => {
                let _ = told.recv_timeout(PATIENCE);
                connection.end();
            }
            Err(error) => tracing::warn!(%error, "no connection can be made"),
        }
        channels.release();
    })
}
