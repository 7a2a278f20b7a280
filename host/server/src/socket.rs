//! One client's WebSocket.

use std::sync::Arc;

use poem::{Endpoint, Request, Response};
use selkies_plugin_host::MessageKind;
use selkies_session::Admission;

use crate::{
    hub::Hub,
    lane::{self, Incoming},
    modes::StreamMode,
    upgrade::{Socket, upgrade},
};

/// Largest message of a client: an upload chunk of the older protocol is 1 MiB and its opcode.
const MAX_MESSAGE: usize = 1024 * 1024 + 64;

/// `/api/websockets`.
pub(crate) struct Sockets {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for Sockets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let admission = admission(request.uri().query().unwrap_or_default());
        let hub = self.hub.clone();
        upgrade(request, &self.hub, StreamMode::Websockets, MAX_MESSAGE, move |socket| async move {
            serve(&hub, socket, admission).await;
        })
    }
}

/// What the address says of the client: `?role=viewer`, `&slot=2`.
pub(crate) fn admission(query: &str) -> Admission {
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    Admission::from_query(value("role"), value("slot"))
}

async fn serve(hub: &Arc<Hub>, socket: impl Socket, admission: Admission) {
    let client = hub.open(admission);
    let hear = |incoming: Incoming<'_>| match incoming {
        Incoming::Text(text) => hub.receive(client.id, MessageKind::Text, text.as_bytes()),
        Incoming::Binary(bytes) => hub.receive(client.id, MessageKind::Binary, bytes),
        Incoming::Pong(payload) => {
            if let Ok(frame_id) = <[u8; 2]>::try_from(payload) {
                hub.delivered(client.id, u16::from_be_bytes(frame_id));
            }
        }
    };
    let (writing, id) = (hub.clone(), client.id);
    // The bytes of files come as fast as the disk takes them.
    let ready = || hub.room_for_uploads(id);
    let ending = lane::serve(socket, client.queue.clone(), hear, ready, move || writing.drained(id)).await;
    hub.close(client.id, &ending.reason);
}

#[cfg(test)]
mod tests {
    use selkies_session::wire::RoleName;

    use super::*;

    #[test]
    fn the_address_says_who_comes() {
        assert_eq!(admission("role=viewer").role, RoleName::Viewer);
        assert_eq!(admission("").role, RoleName::Controller);
        assert_eq!(admission("a=b&role=viewer&slot=3").slots, [3]);
    }
}
