//! Allocates on a TURN server, or asks a STUN server, and says what came of it.

use std::{
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;

use crate::{
    message::{
        ALLOCATE, BINDING, Class, LIFETIME, Message, NONCE, REALM, REFRESH, REQUESTED_TRANSPORT,
        TransactionId, USERNAME, Writer, XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS, long_term_key,
    },
    path::{Path, Roots, addresses},
    target::{IceTarget, Transport},
};

/// Longest time for one server.
pub const LIMIT: Duration = Duration::from_secs(8);

/// What a server gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The address that the server sees.
    pub own: Option<SocketAddr>,
    /// The relayed address, which was given back.
    pub relayed: Option<SocketAddr>,
    /// How long it took altogether.
    pub took: Duration,
}

/// Why a server is of no use.
#[derive(Debug, Error)]
pub enum CheckError {
    /// Nothing could be sent, or nothing came back.
    #[error("TC010 no connection: {0}; is the server running, and is the port open on the way?")]
    Connection(String),
    /// Nothing came back in time.
    #[error("TC011 no answer within {seconds} s; is the server running, and is the {transport} port open on the way?", seconds = LIMIT.as_secs())]
    Silent {
        /// How the server was asked.
        transport: Transport,
    },
    /// TLS failed.
    #[error(
        "TC012 TLS: {0}; the certificate must be for this name, and one that the system's roots vouch for"
    )]
    Tls(String),
    /// What came back cannot be used.
    #[error("TC013 the answer is not what RFC 8656 says: {0}")]
    Protocol(&'static str),
    /// The credentials are too old.
    #[error("TC014 the credentials expired {0} s ago; ask for new ones, and compare the machines' clocks")]
    Expired(u64),
    /// The credentials are wrong.
    #[error("TC015 the server refuses username and password (401 {0}); do both sides have the same secret?")]
    Credentials(String),
    /// There are no credentials.
    #[error("TC016 a TURN server needs username and credential")]
    NoCredentials,
    /// Any other refusal.
    #[error("TC017 the server refuses: {0} {1}")]
    Refused(u16, String),
}

/// Checks one server. `login` is username and password, for TURN.
///
/// # Errors
/// [`CheckError`].
pub fn check(target: &IceTarget, login: Option<(&str, &str)>, roots: &Roots) -> Result<Found, CheckError> {
    let began = Instant::now();
    if target.relays && login.is_none() {
        return Err(CheckError::NoCredentials);
    }
    let addresses = addresses(target).map_err(|error| failure(&error, target.transport))?;
    let (own, relayed) = check_at(target, &addresses, login, roots, began + LIMIT)?;
    Ok(Found { own, relayed, took: began.elapsed() })
}

/// The own and the relayed address.
type Seen = (Option<SocketAddr>, Option<SocketAddr>);

/// Checks a server by the first of its addresses that answers. They share the time, so that one that is silent, such as of an IPv6
/// that leads nowhere, leaves some for the others.
fn check_at(
    target: &IceTarget,
    addresses: &[SocketAddr],
    login: Option<(&str, &str)>,
    roots: &Roots,
    limit: Instant,
) -> Result<Seen, CheckError> {
    let mut last = CheckError::Connection("the name has no address".into());
    for (address, others) in addresses.iter().zip((1u32..=addresses.len() as u32).rev()) {
        let now = Instant::now();
        let share = now + limit.saturating_duration_since(now) / others;
        match attempt(target, *address, login, roots, share) {
            Err(error @ (CheckError::Connection(_) | CheckError::Silent { .. } | CheckError::Tls(_))) => {
                last = error
            }
            // It answers; another address would say the same.
            seen => return seen,
        }
    }
    Err(last)
}

fn attempt(
    target: &IceTarget,
    address: SocketAddr,
    login: Option<(&str, &str)>,
    roots: &Roots,
    limit: Instant,
) -> Result<Seen, CheckError> {
    let mut client = Client::open(target, address, roots, limit)?;
    if !target.relays {
        let answer = client.ask(BINDING, |request| request.finished())?;
        let message = read(&answer)?;
        if let Some((code, words)) = message.refusal() {
            return Err(CheckError::Refused(code, words));
        }
        let own = message.address(XOR_MAPPED_ADDRESS).ok_or(CheckError::Protocol("no mapped address"))?;
        return Ok((Some(own), None));
    }
    let (username, password) = login.ok_or(CheckError::NoCredentials)?;
    let (own, relayed) = client.allocate(username, password)?;
    Ok((own, Some(relayed)))
}

struct Client {
    path: Path,
    limit: Instant,
    transport: Transport,
}

impl Client {
    fn open(
        target: &IceTarget,
        address: SocketAddr,
        roots: &Roots,
        limit: Instant,
    ) -> Result<Self, CheckError> {
        let transport = target.transport;
        let path = Path::open(target, address, roots, limit).map_err(|error| failure(&error, transport))?;
        Ok(Self { path, limit, transport })
    }

    fn ask(&mut self, method: u16, build: impl FnOnce(Writer) -> Vec<u8>) -> Result<Vec<u8>, CheckError> {
        let id = transaction()?;
        let request = build(Writer::request(method, &id));
        let answer = self.path.exchange(&request, &id, self.limit);
        answer.map_err(|error| failure(&error, self.transport))
    }

    /// Allocates, and gives back; answers the own and the relayed address.
    fn allocate(
        &mut self,
        username: &str,
        password: &str,
    ) -> Result<(Option<SocketAddr>, SocketAddr), CheckError> {
        // 17 is UDP, what browsers relay (RFC 8656, section 18.8).
        let udp = [17, 0, 0, 0];
        let answer = self.ask(ALLOCATE, |request| request.attribute(REQUESTED_TRANSPORT, &udp).finished())?;
        let mut challenge = Challenge::of(&read(&answer)?)?;
        // A nonce may be too old the moment it is used.
        for _ in 0..3 {
            let key = long_term_key(username, &challenge.realm, password);
            let answer = self.ask(ALLOCATE, |request| {
                let request = request.attribute(REQUESTED_TRANSPORT, &udp);
                challenge.sign(request, username, &key)
            })?;
            let message = read(&answer)?;
            match message.refusal() {
                Some((438, _)) => challenge = Challenge::of(&message)?,
                Some((401, words)) => return Err(refused_login(username, words)),
                Some((code, words)) => return Err(CheckError::Refused(code, words)),
                None => {
                    if !message.is_signed(&key) {
                        return Err(CheckError::Protocol("the answer is not signed with the password"));
                    }
                    let relayed = message.address(XOR_RELAYED_ADDRESS);
                    let relayed = relayed.ok_or(CheckError::Protocol("no relayed address"))?;
                    let own = message.address(XOR_MAPPED_ADDRESS);
                    // It ends by itself, too, should this be lost.
                    let nothing = 0u32.to_be_bytes();
                    let _ = self.ask(REFRESH, |request| {
                        challenge.sign(request.attribute(LIFETIME, &nothing), username, &key)
                    });
                    return Ok((own, relayed));
                }
            }
        }
        Err(CheckError::Protocol("every nonce is too old"))
    }
}

/// What a server wants signed.
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
}

impl Challenge {
    fn of(message: &Message<'_>) -> Result<Self, CheckError> {
        match message.refusal() {
            Some((401 | 438, _)) => {}
            Some((code, words)) => return Err(CheckError::Refused(code, words)),
            // Whoever knows the address could relay through it.
            None => return Err(CheckError::Protocol("it relays for everybody, without credentials")),
        }
        let realm = message.text(REALM).ok_or(CheckError::Protocol("no realm"))?.to_owned();
        let nonce = message.attribute(NONCE).ok_or(CheckError::Protocol("no nonce"))?.to_vec();
        Ok(Self { realm, nonce })
    }

    fn sign(&self, request: Writer, username: &str, key: &[u8]) -> Vec<u8> {
        request
            .attribute(USERNAME, username.as_bytes())
            .attribute(REALM, self.realm.as_bytes())
            .attribute(NONCE, &self.nonce)
            .signed(key)
    }
}

fn read(answer: &[u8]) -> Result<Message<'_>, CheckError> {
    let message = Message::parse(answer).ok_or(CheckError::Protocol("no STUN message"))?;
    match message.class {
        Class::Success => Ok(message),
        Class::Error if message.refusal().is_some() => Ok(message),
        _ => Err(CheckError::Protocol("no answer")),
    }
}

/// Servers say the same of wrong and of old credentials; the time in the username tells which.
fn refused_login(username: &str, words: String) -> CheckError {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expires = username.split_once(':').and_then(|(time, _)| time.parse::<u64>().ok());
    match expires {
        Some(expires) if expires <= now => CheckError::Expired(now - expires),
        _ => CheckError::Credentials(words),
    }
}

fn failure(error: &io::Error, transport: Transport) -> CheckError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(tls), _) => CheckError::Tls(tls.to_string()),
        (None, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => CheckError::Silent { transport },
        (None, _) => CheckError::Connection(error.to_string()),
    }
}

/// Twelve random bytes, so that nobody else can answer.
fn transaction() -> Result<TransactionId, CheckError> {
    let mut id = [0; 12];
    let read = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut id));
    read.map_err(|error| CheckError::Connection(format!("no random numbers: {error}")))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        thread::JoinHandle,
    };

    use super::*;

    fn target(text: &str) -> IceTarget {
        text.parse().expect("an address")
    }

    /// A STUN server for one question; the thread answers from where it came.
    fn stun_server() -> (SocketAddr, JoinHandle<SocketAddr>) {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let at = server.local_addr().expect("an address");
        let serving = std::thread::spawn(move || {
            let mut bytes = [0; 1500];
            let (read, from) = server.recv_from(&mut bytes).expect("a request");
            // Somebody else's answer does not count.
            server.send_to(&[0; 20], from).expect("sent");
            let mut answer = bytes[..read].to_vec();
            answer[0] = 1;
            answer[3] = 12;
            answer.extend([0, 0x20, 0, 8, 0, 1]);
            answer.extend((from.port() ^ 0x2112).to_be_bytes());
            answer.extend([127 ^ 0x21, 0x12, 0xA4, 1 ^ 0x42]);
            server.send_to(&answer, from).expect("sent");
            from
        });
        (at, serving)
    }

    #[test]
    fn an_address_that_is_silent_leaves_time_for_the_others() {
        let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let closed = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let (at, serving) = stun_server();
        let addresses = [silent.local_addr().expect("an address"), closed, at];
        let limit = Instant::now() + LIMIT;
        let seen = check_at(&target("stun:many.example"), &addresses, None, &Roots::of_system(), limit);
        let (own, _) = seen.expect("the last one answers");
        assert_eq!(own.map(|own| own.port()), Some(serving.join().expect("served").port()));
        let only = check_at(&target("stun:many.example"), &[closed], None, &Roots::of_system(), limit);
        assert!(matches!(only, Err(CheckError::Connection(_))), "{only:?}");
    }

    #[test]
    fn a_stun_server_tells_the_own_address() {
        let (at, serving) = stun_server();
        let found = check(&target(&format!("stun:{at}")), None, &Roots::of_system()).expect("found");
        assert_eq!(
            found.own,
            Some(SocketAddr::new([127, 0, 0, 1].into(), serving.join().expect("served").port()))
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let roots = Roots::of_system();
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let login = Some(("1000:u", "p"));
        let failed =
            |url: &str, login| check(&target(url), login, &roots).expect_err("no server").to_string();
        assert!(failed(&format!("turn:{closed}?transport=tcp"), login).starts_with("TC010"));
        assert!(failed(&format!("turn:{closed}"), None).starts_with("TC016"));
        assert!(matches!(refused_login("1000:u", String::new()), CheckError::Expired(_)));
        assert!(matches!(refused_login("99999999999:u", String::new()), CheckError::Credentials(_)));
        assert!(matches!(refused_login("u", String::new()), CheckError::Credentials(_)));
        // A server that speaks, but no TLS.
        let plain = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let at = plain.local_addr().expect("an address");
        let serving = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = plain.accept().expect("a client");
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent");
        });
        assert!(failed(&format!("turns:{at}"), login).starts_with("TC012"));
        serving.join().expect("served");
    }
}
