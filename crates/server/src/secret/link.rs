//! Links that do one thing once: what they say is signed, so that nothing of them has to be kept
//! until they are used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;
use toehold_core::model::AppName;
use toehold_core::offer::Offer;
use toehold_core::time::Timestamp;

use crate::secret::Keys;

/// The longest text that is looked at.
const LONGEST: usize = 2_048;

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its own name: it is used up under it.
    #[serde(rename = "i")]
    pub id: String,
    /// By which channel it was sent: `mail`.
    #[serde(rename = "v")]
    pub via: String,
    /// The app.
    #[serde(rename = "a")]
    pub app: AppName,
    /// What it does.
    #[serde(rename = "o")]
    pub offer: Offer,
    /// Until when.
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
}

/// A text that is no link of ours: not signed by us, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this link was not made here, or is not whole")]
pub struct NotOurs;

impl Keys {
    /// The text of a link.
    ///
    /// # Panics
    /// Never: a ticket is JSON whatever is in it.
    #[must_use]
    pub fn seal(&self, ticket: &Ticket) -> String {
        let said = serde_json::to_vec(ticket).expect("a ticket is JSON whatever is in it");
        let said = URL_SAFE_NO_PAD.encode(said);
        let proof = self.proof(&said).finalize().into_bytes();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(proof))
    }

    /// What the text of a link says; whether it has ended is for who asks.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn unseal(&self, text: &str) -> Result<Ticket, NotOurs> {
        if text.len() > LONGEST {
            return Err(NotOurs);
        }
        let (said, proof) = text.split_once('.').ok_or(NotOurs)?;
        let proof = URL_SAFE_NO_PAD.decode(proof).map_err(|_| NotOurs)?;
        self.proof(said).verify_slice(&proof).map_err(|_| NotOurs)?;
        let said = URL_SAFE_NO_PAD.decode(said).map_err(|_| NotOurs)?;
        serde_json::from_slice(&said).map_err(|_| NotOurs)
    }

    fn proof(&self, said: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.links()).expect("HMAC takes keys of any length");
        mac.update(b"act:");
        mac.update(said.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use toehold_core::model::Number;

    use super::*;

    #[test]
    fn a_link_says_what_was_signed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(dir.path()).expect("keys");
        let ticket = Ticket {
            id: "1800000000000-0123456789ab.0".into(),
            via: "mail".into(),
            app: "shop".parse().expect("a name"),
            offer: Offer::RollBack { from: Number(43), to: Number(42) },
            expires_at: Timestamp::from_ms(1_800_000_000_000),
        };
        let text = keys.seal(&ticket);
        assert!(text.len() < 300, "{text}");
        assert_eq!(keys.unseal(&text), Ok(ticket.clone()));
        for place in [0, text.len() / 2, text.len() - 1] {
            let mut forged = text.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("text");
            assert_eq!(keys.unseal(&forged), Err(NotOurs), "{place}");
        }
        let others = tempfile::tempdir().expect("a folder");
        let theirs = Keys::open(others.path()).expect("keys").seal(&ticket);
        for bad in ["", ".", "a.b", theirs.as_str(), &"x".repeat(3_000)] {
            assert_eq!(keys.unseal(bad), Err(NotOurs));
        }
    }
}
