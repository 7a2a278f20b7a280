//! Settings that name a server of others: what they take is more than a text.

use std::net::Ipv6Addr;

use crate::{
    parse::{Problem, shown},
    table::Setting,
};

/// Longest name of a host, in bytes (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// Why a text names no server; `None` where it does, or where the setting is about something else.
pub(crate) fn mistake(setting: &Setting, text: &str) -> Option<Problem> {
    let (found, allowed) = if has_login(setting, text) {
        ("***".to_owned(), "an address without user and password; a key goes to turn_rest_api_key".to_owned())
    } else if matches!(setting.name, "turn_host" | "stun_host") && !is_host(text.trim()) {
        let port = setting.name.replace("host", "port");
        (shown(text), format!("a host name or an address; its port goes to {port}"))
    } else {
        return None;
    };
    Some(Problem { found, allowed, wrong_type: false })
}

/// `USER:PASSWORD@` before the host of a service's address: nothing that may be shown.
pub(crate) fn has_login(setting: &Setting, text: &str) -> bool {
    let place = text.split_once("://").map_or(text, |(_, place)| place);
    let authority = place.split(['/', '?', '#']).next().unwrap_or_default();
    setting.name == "turn_rest_uri" && authority.contains('@')
}

/// What can stand in a `turn:` address (RFC 7065), nothing included; an IPv6 address with or without brackets.
fn is_host(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    bracketed.unwrap_or(text).parse::<Ipv6Addr>().is_ok()
        || (text.len() <= MAX_HOST && text.bytes().all(is_named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loader;

    #[test]
    fn hosts_are_names_and_addresses() {
        for host in ["", "none", "relay.example", "10.0.0.7", "::1", "[2001:db8::7]", "turn_1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["a:1", "turn:a", "a/b", "a b", "[a]", "[::1]:3478", "a?x", "ä", "a@b", &"a".repeat(256)]
        {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn a_port_in_the_name_is_refused_with_where_it_goes() {
        for (name, port) in [("TURN_HOST", "turn_port"), ("SELKIES_STUN_HOST", "stun_port")] {
            let refused = Loader::new().env([(name, "relay.example:3478")]).load().expect_err("a port");
            let said = refused.to_string();
            assert!(
                said.contains(name) && said.contains("relay.example:3478") && said.contains(port),
                "{said}"
            );
        }
        let spaced = Loader::new().env([("TURN_HOST", " relay.example ")]).load().expect("as it was meant");
        assert_eq!(spaced.rtc_servers().turn.map(|turn| turn.host), Some("relay.example".into()));
    }

    #[test]
    fn a_turn_rest_service_needs_no_password_of_a_desktop() {
        let variables = [("SELKIES_ADDR", "0.0.0.0"), ("SELKIES_MASTER_TOKEN", "t")];
        assert!(Loader::new().env(variables).load().is_err());
        assert!(Loader::new().env(variables).for_turn_rest().load().is_ok());
        assert!(Loader::new().env([("TURN_HOST", "a b")]).for_turn_rest().load().is_err());
    }
}
