//! A way to a client that says little until it is let in: what a message is made of is collected in memory before anybody looks at it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::Client;

/// Bytes that may come by WebSocket before its client is let in; the buffer that is read into has half of that.
const MAX_EARLY: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Fence<S> {
    stream: S,
    client: Arc<Client>,
    /// Bytes that came before it was let in; `None` from then on.
    early: Option<usize>,
}

impl<S> Fence<S> {
    pub(crate) fn new(stream: S, client: Arc<Client>) -> Self {
        Self { stream, client, early: Some(0) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Fence<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(early) = self.early {
            let early = early + buffer.filled().len() - before;
            let has_joined = self.client.peer().has_joined();
            self.early = (!has_joined).then_some(early);
            if !has_joined && early > MAX_EARLY {
                let reason = "it sent too much before it was let in";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fence<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
