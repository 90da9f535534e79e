//! A visitor stays on the track first drawn: a cookie that says which, signed so that nobody can
//! choose for themselves.

use std::fmt::{self, Write as _};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use toehold_core::model::{AppName, Number, Track};

/// Signs cookies. Prints without its bytes.
#[derive(Clone, Default)]
pub(crate) struct Key(Option<Hmac<Sha256>>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// How many bytes of the signature a cookie carries: nobody guesses 128 bits.
const SIGNATURE_BYTES: usize = 16;

impl Key {
    /// At least 16 bytes in hex.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() >= 16)?;
        Some(Self(Some(Hmac::new_from_slice(&bytes).ok()?)))
    }

    /// The arm that the cookies of a visitor name, a line each, where one is ours for this app.
    pub(crate) fn read<'a>(
        &self,
        app: &AppName,
        cookies: impl Iterator<Item = &'a [u8]>,
    ) -> Option<(Track, Number)> {
        cookies
            .filter_map(|line| std::str::from_utf8(line).ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix("toehold_"))
            .filter_map(|pair| pair.strip_prefix(app.as_str())?.strip_prefix('='))
            .find_map(|value| self.open(app, value))
    }

    fn open(&self, app: &AppName, value: &str) -> Option<(Track, Number)> {
        let (arm, given) = value.rsplit_once('.')?;
        let (track, release) = arm.split_once('.')?;
        let mut signature = [0; SIGNATURE_BYTES];
        hex::decode_to_slice(given, &mut signature).ok()?;
        let arm = (track.parse().ok()?, Number(release.parse().ok()?));
        let ours: bool = self.sign(app, arm)?.ct_eq(&signature).into();
        ours.then_some(arm)
    }

    /// The cookie that keeps a visitor on an arm. It lasts as long as the browser's session, and
    /// goes over TLS alone where it came over TLS.
    pub(crate) fn cookie(
        &self,
        app: &AppName,
        arm: (Track, Number),
        https: bool,
    ) -> Option<String> {
        let (track, Number(release)) = arm;
        let signature = hex::encode(self.sign(app, arm)?);
        let mut text =
            format!("toehold_{app}={track}.{release}.{signature}; Path=/; HttpOnly; SameSite=Lax");
        if https {
            text.push_str("; Secure");
        }
        Some(text)
    }

    fn sign(
        &self,
        app: &AppName,
        (track, Number(release)): (Track, Number),
    ) -> Option<[u8; SIGNATURE_BYTES]> {
        let mut mac = self.0.clone()?;
        let mut said = String::with_capacity(80);
        // A name holds no dot, so two different arms are never written the same.
        write!(said, "{app}.{track}.{release}").ok()?;
        mac.update(said.as_bytes());
        mac.finalize().into_bytes().first_chunk().copied()
    }
}

#[cfg(test)]
mod tests;
