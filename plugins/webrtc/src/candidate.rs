//! Which ICE candidates of clients are used (RFC 8839, 5.1).
//!
//! A candidate names an address to which this machine then sends. So a client could have it knock at addresses that the
//! client itself does not reach; those that are never a browser's are refused.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Longest candidate in bytes.
const MAX_LENGTH: usize = 512;

/// Why a candidate is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not one.
    Malformed,
    /// An mDNS name: the ICE agent of 1.22 that is given one is never freed. The connection comes about without it,
    /// because the client's checks show where it is.
    Mdns,
    /// Another name; nothing is looked up for clients.
    Name,
    /// An address that no client has: unspecified, multicast, broadcast, link-local.
    Address,
    /// This machine, for a client that is not on it.
    Loopback,
    /// A TCP port to connect to; browsers connect themselves.
    PassiveTcp,
    /// Port 0.
    Port,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Addresses of this machine itself.
    pub(crate) loopback: bool,
}

impl Policy {
    /// Judges a candidate, with or without `a=` before it; answers it in plain form.
    ///
    /// # Errors
    /// Why it is not used.
    pub(crate) fn judge(self, text: &str) -> Result<String, Refusal> {
        let candidate = Candidate::parse(text)?;
        if candidate.port == 0 {
            return Err(Refusal::Port);
        }
        if candidate.is_tcp && candidate.tcp_type != Some("active") {
            return Err(Refusal::PassiveTcp);
        }
        self.judge_address(candidate.address)?;
        Ok(candidate.plain())
    }

    fn judge_address(self, address: IpAddr) -> Result<(), Refusal> {
        let strange = match address {
            IpAddr::V4(v4) => strange_v4(v4),
            IpAddr::V6(v6) => strange_v6(v6),
        };
        if strange {
            Err(Refusal::Address)
        } else if address.is_loopback() && !self.loopback {
            Err(Refusal::Loopback)
        } else {
            Ok(())
        }
    }
}

fn strange_v4(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8 reaches the machine itself on Linux.
    address.octets()[0] == 0 || address.is_multicast() || address.is_broadcast() || address.is_link_local()
}

fn strange_v6(address: Ipv6Addr) -> bool {
    // Beside the obvious, those that are IPv4 addresses in disguise: ::/96 (RFC 4291, 2.5.5.1; the loopback excepted),
    // ::ffff:0:0:0/96 (RFC 2765, 2.1), 64:ff9b::/96 (RFC 6052, 2.1), 64:ff9b:1::/48 (RFC 8215), 2002::/16 (RFC 3056).
    let segments = address.segments();
    let is_disguised = match segments {
        [0, 0, 0, 0, 0, 0, ..] => !address.is_loopback(),
        [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => true,
        [0x64, 0xff9b, 1, ..] | [0x2002, ..] => true,
        _ => false,
    };
    address.is_multicast() || address.is_unicast_link_local() || is_disguised
}

/// The parts that matter.
#[derive(Debug)]
struct Candidate<'a> {
    foundation: &'a str,
    component: u16,
    is_tcp: bool,
    priority: u32,
    address: IpAddr,
    port: u16,
    kind: &'a str,
    tcp_type: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_LENGTH || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Refusal::Malformed);
        }
        let text = text.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").ok_or(Refusal::Malformed)?;
        let mut words = text.split_ascii_whitespace();
        let mut next = || words.next().ok_or(Refusal::Malformed);
        let (foundation, component, transport, priority) = (next()?, next()?, next()?, next()?);
        let (address, port, typ, kind) = (next()?, next()?, next()?, next()?);
        let token = |text: &str| {
            text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
        };
        let known = ["host", "srflx", "prflx", "relay"].contains(&kind);
        if typ != "typ" || !known || foundation.is_empty() || !token(foundation) {
            return Err(Refusal::Malformed);
        }
        let is_tcp = match () {
            () if transport.eq_ignore_ascii_case("udp") => false,
            () if transport.eq_ignore_ascii_case("tcp") => true,
            () => return Err(Refusal::Malformed),
        };
        let rest: Vec<&str> = words.collect();
        let tcp_type = rest.chunks(2).find(|pair| pair[0] == "tcptype").and_then(|pair| pair.get(1).copied());
        Ok(Self {
            foundation,
            component: component.parse().ok().filter(|id| (1..=2).contains(id)).ok_or(Refusal::Malformed)?,
            is_tcp,
            priority: priority.parse().map_err(|_| Refusal::Malformed)?,
            address: parse_address(address)?,
            port: port.parse().map_err(|_| Refusal::Malformed)?,
            kind,
            tcp_type,
        })
    }

    /// Without the parts that are for people (related address) or for other agents.
    fn plain(&self) -> String {
        let transport = if self.is_tcp { "TCP" } else { "UDP" };
        let mut text = format!(
            "candidate:{} {} {transport} {} {} {} typ {}",
            self.foundation, self.component, self.priority, self.address, self.port, self.kind
        );
        // The ICE agent insists on a related address where there may be one.
        if self.kind != "host" {
            let nowhere = if self.address.is_ipv4() { "0.0.0.0" } else { "::" };
            let _ = write!(text, " raddr {nowhere} rport 9");
        }
        if let Some(tcp_type) = self.tcp_type.filter(|_| self.is_tcp) {
            let _ = write!(text, " tcptype {tcp_type}");
        }
        text
    }
}

fn parse_address(text: &str) -> Result<IpAddr, Refusal> {
    match text.parse::<IpAddr>() {
        // ::ffff:a.b.c.d is an IPv4 address for every purpose, so for this one, too.
        Ok(address) => Ok(address.to_canonical()),
        Err(_) if text.trim_end_matches('.').to_ascii_lowercase().ends_with(".local") => Err(Refusal::Mdns),
        Err(_) => Err(Refusal::Name),
    }
}

/// The same candidate with another address, for clients beyond a NAT that maps `public` to this machine. `None` where that
/// makes no sense: another family, a relay's address, this machine's loopback.
pub(crate) fn mapped(text: &str, public: IpAddr) -> Option<String> {
    let mut candidate = Candidate::parse(text).ok()?;
    let fits = candidate.kind == "host"
        && candidate.address.is_ipv4() == public.is_ipv4()
        && !candidate.address.is_loopback()
        && candidate.address != public;
    let foundation = format!("{}n", candidate.foundation);
    candidate.address = public;
    candidate.foundation = &foundation;
    fits.then(|| candidate.plain())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Policy = Policy { loopback: false };
    const LOCAL: Policy = Policy { loopback: true };

    fn at(address: &str) -> String {
        format!("candidate:1 1 UDP 2122260223 {address} 50000 typ host")
    }

    #[test]
    fn what_browsers_send_is_used() {
        let text = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.7 rport 46154 generation 0 ufrag 8hhY network-cost 999";
        assert_eq!(
            STRICT.judge(text).as_deref(),
            Ok("candidate:842163049 1 UDP 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 9")
        );
        let tcp = "a=candidate:1 1 tcp 1518280447 10.0.0.7 9 typ host tcptype active generation 0";
        assert_eq!(
            STRICT.judge(tcp).as_deref(),
            Ok("candidate:1 1 TCP 1518280447 10.0.0.7 9 typ host tcptype active")
        );
        for address in ["2001:db8::7", "64:ff9b:2::7", "2003::7", "fd00::ffff:0:7:7"] {
            assert!(STRICT.judge(&at(address)).is_ok(), "{address}");
        }
        assert!(STRICT.judge(&at("192.168.1.5")).is_ok());
    }

    #[test]
    fn places_that_no_client_has_are_refused() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "::ffff:0:169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2002:7f00:1::",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.251",
            "239.1.1.1",
            "255.255.255.255",
            "ff02::fb",
            "fe80::1",
        ] {
            assert_eq!(LOCAL.judge(&at(address)), Err(Refusal::Address), "{address}");
        }
    }

    #[test]
    fn loopback_is_for_clients_on_this_machine() {
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(STRICT.judge(&at(address)), Err(Refusal::Loopback), "{address}");
            assert!(LOCAL.judge(&at(address)).is_ok(), "{address}");
        }
        assert!(LOCAL.judge(&at("::ffff:127.0.0.1")).is_ok_and(|text| text.contains(" 127.0.0.1 ")));
    }

    #[test]
    fn names_are_not_looked_up() {
        assert_eq!(LOCAL.judge(&at("0b1c7cd8-1b1d-4f2e.local")), Err(Refusal::Mdns));
        assert_eq!(LOCAL.judge(&at("X.LOCAL.")), Err(Refusal::Mdns));
        assert_eq!(LOCAL.judge(&at("metadata.google.internal")), Err(Refusal::Name));
        assert_eq!(LOCAL.judge(&at("0x7f000001")), Err(Refusal::Name));
        assert_eq!(LOCAL.judge(&at("2130706433")), Err(Refusal::Name));
    }

    #[test]
    fn nothing_is_connected_to_over_tcp() {
        let tcp = |rest: &str| STRICT.judge(&format!("candidate:1 1 tcp 1 10.0.0.7 22 typ host{rest}"));
        assert_eq!(tcp(" tcptype passive"), Err(Refusal::PassiveTcp));
        assert_eq!(tcp(" tcptype so"), Err(Refusal::PassiveTcp));
        assert_eq!(tcp(""), Err(Refusal::PassiveTcp));
        assert_eq!(STRICT.judge("candidate:1 1 udp 1 10.0.0.7 0 typ host"), Err(Refusal::Port));
    }

    #[test]
    fn noise_is_refused() {
        let long = format!("candidate:1 1 UDP 1 10.0.0.7 5 typ host {}", "x ".repeat(600));
        for text in [
            "",
            "candidate:",
            "candidate:1 1 UDP 1 10.0.0.7 5 typ",
            "candidate:1 1 UDP 1 10.0.0.7 5 type host",
            "candidate:1 1 UDP 1 10.0.0.7 5 typ sky",
            "candidate:1 9 UDP 1 10.0.0.7 5 typ host",
            "candidate:1 1 SCTP 1 10.0.0.7 5 typ host",
            "candidate:1 1 UDP -1 10.0.0.7 5 typ host",
            "candidate:1 1 UDP 1 10.0.0.7 99999 typ host",
            "candidate:1\r\na=x 1 UDP 1 10.0.0.7 5 typ host",
            "candidate:ä 1 UDP 1 10.0.0.7 5 typ host",
            long.as_str(),
        ] {
            assert_eq!(STRICT.judge(text), Err(Refusal::Malformed), "{text}");
        }
    }

    #[test]
    fn a_public_address_stands_beside_the_own() {
        let public = IpAddr::from([203, 0, 113, 7]);
        assert_eq!(
            mapped("candidate:3 1 UDP 2015363327 10.0.0.5 50001 typ host", public).as_deref(),
            Some("candidate:3n 1 UDP 2015363327 203.0.113.7 50001 typ host")
        );
        assert_eq!(
            mapped("candidate:4 1 TCP 1015021823 10.0.0.5 50002 typ host tcptype passive", public).as_deref(),
            Some("candidate:4n 1 TCP 1015021823 203.0.113.7 50002 typ host tcptype passive")
        );
        assert_eq!(mapped("candidate:3 1 UDP 2015363327 fd00::5 50001 typ host", public), None);
        assert_eq!(mapped("candidate:3 1 UDP 2015363327 127.0.0.1 50001 typ host", public), None);
        assert_eq!(
            mapped("candidate:3 1 UDP 1 198.51.100.1 50001 typ relay raddr 0.0.0.0 rport 9", public),
            None
        );
    }
}
