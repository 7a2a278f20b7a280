//! The control socket between the host and a child: whole messages, each with descriptors.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg,
        socketpair, sockopt,
    },
};

/// Longest message in bytes. Anything larger travels as a memfd.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Most descriptors of one message.
pub const MAX_DESCRIPTORS: usize = 16;

/// How long a full socket may refuse a message before [`Channel::send`] gives up: whoever does not read is broken.
pub const SEND_DEADLINE: Duration = Duration::from_secs(1);

/// Room for a few of the longest messages; the kernel counts its own overhead too.
const SEND_BUFFER: usize = 4 * MAX_MESSAGE;

const CONTROL_SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// Why a message was not sent or received.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other side is gone.
    #[error("the other process has closed its end")]
    Closed,
    /// The deadline passed; nothing was sent or received.
    #[error("the other process did not answer in time")]
    Timeout,
    /// Empty or longer than [`MAX_MESSAGE`]. Received: it is lost, its descriptors are closed.
    #[error("a message must have 1 to {MAX_MESSAGE} bytes")]
    TooLong,
    /// More than [`MAX_DESCRIPTORS`]. Received: the message is lost, its descriptors are closed.
    #[error("a message has too many descriptors, at most {MAX_DESCRIPTORS}")]
    TooManyDescriptors,
    /// Anything else that the system says; `EMFILE` for a message whose descriptors are more than this process may have.
    /// Such a message is lost, its descriptors are closed.
    #[error("the control socket failed: {0}")]
    Io(#[from] io::Error),
}

/// One end of a `SOCK_SEQPACKET` socket. Any thread may send and receive; a message goes to one receiver.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    /// Messages arrive here first, so that a caller's buffer need not be cleared to 64 KiB for each.
    inbox: Mutex<Box<[u8]>>,
}

impl Channel {
    /// Two connected ends, both closed on exec.
    ///
    /// # Errors
    /// When this process may not open more descriptors.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        for end in [&a, &b] {
            sockopt::set_socket_send_buffer_size(end, SEND_BUFFER)?;
        }
        Ok((Self::from_fd(a), Self::from_fd(b)))
    }

    /// The channel on a connected `SOCK_SEQPACKET` socket.
    #[must_use]
    pub fn from_fd(socket: OwnedFd) -> Self {
        Self { socket, inbox: Mutex::new(vec![0; MAX_MESSAGE].into_boxed_slice()) }
    }

    /// The socket, for polling it beside others: readable means a message or the end.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The socket.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.socket
    }

    /// Sends one message. Waits while the socket is full, at most [`SEND_DEADLINE`].
    ///
    /// # Errors
    /// Every [`ChannelError`]; after one nothing of the message was sent.
    pub fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), ChannelError> {
        // An empty message could not be told from the end.
        if message.is_empty() || message.len() > MAX_MESSAGE {
            return Err(ChannelError::TooLong);
        }
        if fds.len() > MAX_DESCRIPTORS {
            return Err(ChannelError::TooManyDescriptors);
        }
        let mut space = [MaybeUninit::uninit(); CONTROL_SPACE];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(ChannelError::TooManyDescriptors);
        }
        let mut deadline = None;
        loop {
            // Without MSG_NOSIGNAL a dead child would end the host.
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&self.socket, &[IoSlice::new(message)], &mut control, flags) {
                Ok(_) => return Ok(()), // all or nothing with this type of socket
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + SEND_DEADLINE);
                    self.ready(PollFlags::OUT, Some(deadline))?;
                }
                Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => return Err(ChannelError::Closed),
                Err(Errno::MSGSIZE) => return Err(ChannelError::TooLong),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }

    /// Waits for one message, until `deadline` or forever. `buffer` holds it afterwards and nothing else.
    ///
    /// A message that is already there is received even after the deadline.
    ///
    /// # Errors
    /// Every [`ChannelError`].
    pub fn receive(
        &self,
        buffer: &mut Vec<u8>,
        deadline: Option<Instant>,
    ) -> Result<Vec<OwnedFd>, ChannelError> {
        loop {
            if let Some(fds) = self.try_receive(buffer)? {
                return Ok(fds);
            }
            self.ready(PollFlags::IN, deadline)?;
        }
    }

    /// Like [`Self::receive`] without waiting: `None` when no message is there.
    ///
    /// # Errors
    /// Every [`ChannelError`] except [`ChannelError::Timeout`].
    pub fn try_receive(&self, buffer: &mut Vec<u8>) -> Result<Option<Vec<OwnedFd>>, ChannelError> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = [MaybeUninit::uninit(); CONTROL_SPACE];
        loop {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received =
                match recvmsg(&self.socket, &mut [IoSliceMut::new(&mut inbox)], &mut control, flags) {
                    Ok(received) => received,
                    // A reset is reported once, before the messages that came before it.
                    Err(Errno::INTR | Errno::CONNRESET) => continue,
                    Err(Errno::AGAIN) => return Ok(None),
                    Err(error) => return Err(io::Error::from(error).into()),
                };
            let mut fds = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            if received.flags.contains(ReturnFlags::TRUNC) {
                return Err(ChannelError::TooLong);
            }
            // The space is rounded up, so that one or two more may fit.
            let cut = received.flags.contains(ReturnFlags::CTRUNC);
            if cut && fds.len() < MAX_DESCRIPTORS {
                // There was room for more, and this process may not have them.
                return Err(io::Error::from(Errno::MFILE).into());
            }
            if cut || fds.len() > MAX_DESCRIPTORS {
                return Err(ChannelError::TooManyDescriptors);
            }
            let Some(message) = inbox.get(..received.bytes).filter(|message| !message.is_empty()) else {
                return Err(ChannelError::Closed);
            };
            buffer.clear();
            buffer.extend_from_slice(message);
            return Ok(Some(fds));
        }
    }

    /// Waits until the socket has room or a message, or is at its end.
    fn ready(&self, wanted: PollFlags, deadline: Option<Instant>) -> Result<(), ChannelError> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ChannelError::Timeout);
        }
        // Out of the type's range is as good as forever.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&self.socket, wanted)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(10))
    }

    #[test]
    fn messages_stay_whole_and_in_order() -> Outcome {
        let (a, b) = Channel::pair()?;
        let longest = vec![7; MAX_MESSAGE];
        a.send(b"first", &[])?;
        a.send(&longest, &[])?;
        let mut buffer = b"what was there before".to_vec();
        assert!(b.receive(&mut buffer, soon())?.is_empty());
        assert_eq!(buffer, b"first");
        b.receive(&mut buffer, soon())?;
        assert_eq!(buffer, longest);
        assert!(b.try_receive(&mut buffer)?.is_none());
        Ok(())
    }

    #[test]
    fn the_wrong_size_is_refused_by_the_sender() -> Outcome {
        let (a, b) = Channel::pair()?;
        assert!(matches!(a.send(&[], &[]), Err(ChannelError::TooLong)));
        assert!(matches!(a.send(&vec![0; MAX_MESSAGE + 1], &[]), Err(ChannelError::TooLong)));
        let fds = [a.as_fd(); MAX_DESCRIPTORS + 1];
        assert!(matches!(a.send(b"x", &fds), Err(ChannelError::TooManyDescriptors)));
        assert!(b.try_receive(&mut Vec::new())?.is_none());
        Ok(())
    }

    #[test]
    fn a_receiver_refuses_what_another_sender_would_send() -> Outcome {
        let (a, b) = Channel::pair()?;
        let mut control = SendAncillaryBuffer::default();
        let long = vec![0; MAX_MESSAGE + 1];
        sendmsg(&a.socket, &[IoSlice::new(&long)], &mut control, SendFlags::empty())?;
        assert!(matches!(b.receive(&mut Vec::new(), soon()), Err(ChannelError::TooLong)));

        for count in MAX_DESCRIPTORS + 1..MAX_DESCRIPTORS + 5 {
            let fds = vec![a.as_fd(); count];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS + 5))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
            sendmsg(&a.socket, &[IoSlice::new(b"x")], &mut control, SendFlags::empty())?;
            let refusal = b.receive(&mut Vec::new(), soon());
            assert!(matches!(refusal, Err(ChannelError::TooManyDescriptors)), "{count}: {refusal:?}");
        }

        // Had the received copies of `a` stayed open, closing it would not end the connection.
        drop(a);
        assert!(matches!(b.receive(&mut Vec::new(), soon()), Err(ChannelError::Closed)));
        Ok(())
    }

    #[test]
    fn descriptors_arrive_closed_on_exec() -> Outcome {
        let (a, b) = Channel::pair()?;
        let (reader, writer) = rustix::pipe::pipe()?;
        a.send(b"x", &[writer.as_fd(); MAX_DESCRIPTORS])?;
        let fds = b.receive(&mut Vec::new(), soon())?;
        assert_eq!(fds.len(), MAX_DESCRIPTORS);
        for fd in &fds {
            assert!(rustix::io::fcntl_getfd(fd)?.contains(rustix::io::FdFlags::CLOEXEC));
        }
        rustix::io::write(&fds[3], b"through")?;
        let mut read = [0; 16];
        let length = rustix::io::read(&reader, &mut read)?;
        assert_eq!(&read[..length], b"through");
        Ok(())
    }

    #[test]
    fn whoever_does_not_read_cannot_hold_the_sender() -> Outcome {
        let (a, _b) = Channel::pair()?;
        let begin = Instant::now();
        let refusal = loop {
            if let Err(refusal) = a.send(&[0; 1000], &[]) {
                break refusal;
            }
        };
        assert!(matches!(refusal, ChannelError::Timeout), "{refusal}");
        assert!(begin.elapsed() >= SEND_DEADLINE);
        Ok(())
    }

    #[test]
    fn the_end_and_the_deadline_are_noticed() -> Outcome {
        let (a, b) = Channel::pair()?;
        let mut buffer = Vec::new();
        let deadline = Instant::now() + Duration::from_millis(20);
        assert!(matches!(b.receive(&mut buffer, Some(deadline)), Err(ChannelError::Timeout)));
        assert!(Instant::now() >= deadline);
        // What was said before the end is still heard, also when the other side leaves something unread.
        b.send(b"unread", &[])?;
        a.send(b"last words", &[])?;
        drop(a);
        b.receive(&mut buffer, Some(deadline))?;
        assert_eq!(buffer, b"last words");
        assert!(matches!(b.receive(&mut buffer, None), Err(ChannelError::Closed)));
        assert!(matches!(b.send(b"x", &[]), Err(ChannelError::Closed)));
        Ok(())
    }
}
