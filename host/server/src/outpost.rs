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
    let is_local = options.url.is_local();
    run_node(options, move || begin(hub.clone(), is_local)).await;
}

/// A session of the hub's signaling. `loopback`: the peer may be on this machine.
fn begin(hub: Arc<Hub>, loopback: bool) -> HostSession {
    let (say, mut said) = mpsc::channel::<String>(LINES);
    let (tell, hear) = mpsc::channel(LINES);
    tokio::spawn(async move {
        let socket = hub.open_signaling(loopback);
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
                            Outgoing::Binary(_) | Outgoing::Mark(_) => true,
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
