//! Chance nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` bytes from the system.
///
/// # Panics
/// Where the system has none to give, which Linux does not do to a running process.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("a running Linux system always has random bytes");
    bytes
}

/// Twelve hex digits: unique enough for a name, and short enough to be read aloud.
#[must_use]
pub fn random_id() -> String {
    hex::encode(random_bytes::<6>())
}

/// 256 bits in 43 characters of base64url.
#[must_use]
pub fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}
