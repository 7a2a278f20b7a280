//! Sockets without a session: how many there may be of one network.

use std::net::IpAddr;

/// Sockets without a session of one network at once. Pages have one for a moment each.
pub const MAX_WAITING: usize = 64;
/// Sockets on which nothing will follow, of all networks together: pages of 1.6 keep theirs for sound.
pub(super) const MAX_SILENT: usize = 64;

/// What counts as one network: an IPv4 address, or the 64 bits of IPv6 that a subscriber has for himself (RFC 6177).
pub(super) fn network(at: IpAddr) -> IpAddr {
    match at.to_canonical() {
        IpAddr::V6(at) => IpAddr::V6((u128::from(at) & !u128::from(u64::MAX)).into()),
        at => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_subscriber_are_one_network() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:0:1::7"), of("2001:db8:0:1:ffff::1"));
        assert_ne!(of("2001:db8:0:1::7"), of("2001:db8:0:2::7"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
