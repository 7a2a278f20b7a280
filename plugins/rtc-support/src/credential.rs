//! Credentials that are made of a secret which only the TURN server knows besides
//! (draft-uberti-behave-turn-rest-00, section 2.2; coturn's `use-auth-secret`).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// How long credentials are good for unless somebody says otherwise, in seconds: what Selkies gives.
pub const DEFAULT_TTL: u64 = 86_400;

/// The least number that is taken for seconds since 1970: 2001-09-09.
const FIRST_TIME: u64 = 1_000_000_000;

/// Longest name of a user in a credential, in bytes; STUN's USERNAME has room for 508 (RFC 8489, section 14.3).
pub const MAX_USER_BYTES: usize = 256;

/// Username and credential for `user` that are good until `expires`, in seconds since 1970.
#[must_use]
pub fn ephemeral(secret: &str, user: &str, expires: u64) -> (String, String) {
    let username = format!("{expires}:{}", plain_user(user));
    // A key of any length is accepted, so that this is never `None`.
    let credential = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).map(|mut mac| {
        mac.update(username.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    });
    (username, credential.unwrap_or_default())
}

/// When credentials of this username end, in seconds since 1970, if the username tells: `TIME:USER` of TURN REST. Smaller
/// numbers are names and no times.
#[must_use]
pub fn expires(username: &str) -> Option<u64> {
    let (time, _) = username.split_once(':')?;
    let is_number = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    time.parse::<u64>().ok().filter(|seconds| is_number && *seconds >= FIRST_TIME)
}

/// A user's name as it may stand in a credential: no `:`, which ends the time, no control characters, not too long.
#[must_use]
pub fn plain_user(user: &str) -> String {
    let mut plain = String::new();
    for c in user.chars() {
        let c = if c == ':' || c.is_control() { '-' } else { c };
        if plain.len() + c.len_utf8() > MAX_USER_BYTES {
            break;
        }
        plain.push(c);
    }
    plain
}

/// Seconds since 1970, by the machine's clock.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_that_a_turn_server_computes() {
        // RFC 2202, section 3, case 2: HMAC-SHA1 of a text with the key "Jefe"; here the text is the username.
        let mut mac = Hmac::<Sha1>::new_from_slice(b"Jefe").expect("any key");
        mac.update(b"what do ya want for nothing?");
        assert_eq!(STANDARD.encode(mac.finalize().into_bytes()), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
        // As `echo -n 1893456000:ada | openssl dgst -sha1 -hmac north -binary | base64` says.
        let (username, credential) = ephemeral("north", "ada", 1_893_456_000);
        assert_eq!(username, "1893456000:ada");
        assert_eq!(credential, "A0DNf16by58KaWAwAe4TV36DNwI=");
    }

    #[test]
    fn names_cannot_change_the_time_or_break_a_message() {
        assert_eq!(ephemeral("s", "a:1999:b", 7).0, "7:a-1999-b");
        assert_eq!(plain_user("a\r\nb\0c"), "a--b-c");
        assert_eq!(plain_user(&"é".repeat(500)).len(), MAX_USER_BYTES);
    }
}
