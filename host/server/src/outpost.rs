//! The host's own stream, offered to the peer behind a Socket.IO relay.

use std::sync::Arc;

use selkies_signaling::{HostSession, NodeOptions, run_node};
use tokio::sync::mpsc;

use crate::{hub::Hub, queue::Outgoing};

/// Lines that may wait in one direction; a page's limit of messages at once is of the same order.
const LINES: usize = 256;

/// Offers the stream through the relay, and again whenever the connection or the relay was lost, until it is dropped. The peer is a
/// client of the session like a page that came by the signaling address.
pub async fn offer_through_relay(hub: Arc<Hub>, options: NodeOptions) {
    run_node(options, move || begin(hub.clone())).await;
}

/// A session of the hub's signaling.
fn begin(hub: Arc<Hub>) -> HostSession {
    let (say, mut said) = mpsc::channel::<String>(LINES);
    let (tell, hear) = mpsc::channel(LINES);
    tokio::spawn(async move {
        // Whoever the relay serves may be the peer: that the relay is on this machine says nothing of where he is, and one from elsewhere
        // must not make this host send to its own loopback addresses.
        let socket = hub.open_signaling(None, false);
        'session: loop {
            tokio::select! {
                line = said.recv() => match line {
                    Some(line) => hub.signaling_text(&socket, &line),
                    None => break,
                },
                batch = socket.queue.take() => {
                    for outgoing in batch {
                        let told = match outgoing {
                            Outgoing::Text(line) => tell.send(line).await.is_ok(),
                            Outgoing::Close(..) => false,
                            Outgoing::Binary(_) | Outgoing::Sound(_) | Outgoing::Mark(_) => true,
                        };
                        if !told {
                            break 'session;
                        }
                    }
                }
            }
        }
        hub.signaling_closed(&socket, false);
    });
    HostSession { say, hear }
}
