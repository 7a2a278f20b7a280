//! The secret that clients must know, where one is configured.

use sha2::{Digest, Sha256};

/// A secret, kept as a digest: comparing digests takes the same time whatever was sent.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    /// Wants this secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self { digest: Sha256::digest(secret).into() }
    }

    /// True when the secret was sent.
    #[must_use]
    pub fn admits(&self, sent: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(sent).into();
        digest.iter().zip(self.digest).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_is_admitted() {
        let token = Token::new("correct horse");
        assert!(token.admits("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!token.admits(wrong), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(***)");
    }
}
