//! The way to a server: datagrams, a connection, or one with TLS, each with a deadline.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};

use crate::{
    message::{HEADER, MAX_MESSAGE, TransactionId, length},
    target::{IceTarget, Transport},
};

/// First time after which a datagram is sent again; it doubles (RFC 8489, section 6.2.1).
const FIRST_RESEND: Duration = Duration::from_millis(500);

/// Addresses of one name that are tried; each must have time for an answer.
const MAX_ADDRESSES: usize = 8;

/// The certificates that vouch for servers.
#[derive(Clone, Debug)]
pub struct Roots {
    store: Arc<RootCertStore>,
}

impl Roots {
    /// The system's; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    #[must_use]
    pub fn of_system() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self { store: Arc::new(store) }
    }

    fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(self.store.clone()).with_no_client_auth())
    }
}

/// An open way to a server.
pub(crate) enum Path {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Path {
    /// Opens a way to the server at one of its addresses.
    pub(crate) fn open(
        target: &IceTarget,
        address: SocketAddr,
        roots: &Roots,
        limit: Instant,
    ) -> io::Result<Self> {
        match target.transport {
            Transport::Udp => udp(address),
            Transport::Tcp => tcp(address, limit).map(Self::Tcp),
            Transport::Tls => tls(target, address, roots, limit),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn exchange(
        &mut self,
        request: &[u8],
        id: &TransactionId,
        limit: Instant,
    ) -> io::Result<Vec<u8>> {
        match self {
            Self::Udp(socket) => datagrams(socket, request, id, limit),
            Self::Tcp(stream) => {
                let timed = stream.try_clone()?;
                connected(stream, &timed, request, id, limit)
            }
            Self::Tls(stream) => {
                let timed = stream.sock.try_clone()?;
                connected(stream, &timed, request, id, limit)
            }
        }
    }
}

/// The addresses of a server, those that the system prefers first.
pub(crate) fn addresses(target: &IceTarget) -> io::Result<Vec<SocketAddr>> {
    Ok((target.host.as_str(), target.port).to_socket_addrs()?.take(MAX_ADDRESSES).collect())
}

fn udp(address: SocketAddr) -> io::Result<Path> {
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    // Then nobody else's datagrams arrive, and a closed port is told.
    socket.connect(address)?;
    Ok(Path::Udp(socket))
}

fn tcp(address: SocketAddr, limit: Instant) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, left(limit)?)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn tls(target: &IceTarget, address: SocketAddr, roots: &Roots, limit: Instant) -> io::Result<Path> {
    let config = roots.client().map_err(io::Error::other)?;
    let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp(address, limit)?);
    while stream.conn.is_handshaking() {
        set_timeouts(&stream.sock, limit)?;
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Path::Tls(Box::new(stream)))
}

fn left(limit: Instant) -> io::Result<Duration> {
    let left = limit.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn set_timeouts(stream: &TcpStream, limit: Instant) -> io::Result<()> {
    let left = left(limit)?;
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))
}

fn datagrams(socket: &UdpSocket, request: &[u8], id: &TransactionId, limit: Instant) -> io::Result<Vec<u8>> {
    let mut pause = FIRST_RESEND;
    let mut answer = vec![0; MAX_MESSAGE];
    loop {
        socket.send(request)?;
        let again = Instant::now() + pause;
        pause *= 2;
        loop {
            let until = again.min(limit);
            let patience = until.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(patience))?;
            match socket.recv(&mut answer) {
                Ok(read) if is_answer(&answer[..read], id) => {
                    answer.truncate(read);
                    return Ok(answer);
                }
                Ok(_) => {}
                Err(error) if is_timeout(&error) => break,
                Err(error) => return Err(error),
            }
        }
        left(limit)?;
    }
}

fn is_answer(bytes: &[u8], id: &TransactionId) -> bool {
    length(bytes) == Some(bytes.len()) && bytes[8..HEADER] == *id
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// One question on a connection, where messages stand one behind the other (RFC 8489, section 6.2.2).
fn connected(
    stream: &mut (impl Read + Write),
    timed: &TcpStream,
    request: &[u8],
    id: &TransactionId,
    limit: Instant,
) -> io::Result<Vec<u8>> {
    set_timeouts(timed, limit)?;
    stream.write_all(request)?;
    stream.flush()?;
    loop {
        let mut answer = vec![0; HEADER];
        fill(stream, timed, &mut answer, limit)?;
        let whole =
            length(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no STUN message"))?;
        answer.resize(whole, 0);
        fill(stream, timed, &mut answer[HEADER..], limit)?;
        if is_answer(&answer, id) {
            return Ok(answer);
        }
    }
}

/// Reads all of `bytes`; each part counts against one limit.
fn fill(stream: &mut impl Read, timed: &TcpStream, mut bytes: &mut [u8], limit: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        timed.set_read_timeout(Some(left(limit)?))?;
        match stream.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
