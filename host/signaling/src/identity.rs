//! Names that nobody can guess.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// 120 random bits as 20 characters that need no escape in an address.
///
/// # Errors
/// When the system has no random numbers.
pub(crate) fn random_name() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 15];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
