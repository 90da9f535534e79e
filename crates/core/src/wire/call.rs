//! How an agent on another machine begins: the first line of each connection to the port for
//! agents says what it is about. Everything goes through TLS; only [`Call::Join`] is heard from
//! somebody who shows no certificate.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, MachineName};
use crate::time::Timestamp;

/// The name in the control plane's certificate. Agents dial an address and expect this name, so
/// that the address may change.
pub const CONTROL_NAME: &str = "control.toehold.internal";

/// What a connection is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    /// A new machine wants a certificate.
    Join(Join),
    /// What follows is the link, as on the Unix socket.
    Work,
    /// The bytes of an artifact that is placed on this machine.
    Fetch {
        /// Which.
        artifact: Digest,
        /// From which byte of the packed file on.
        from_byte: u64,
    },
}

/// What a new machine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The token it was given.
    pub token: String,
    /// Its public key: an uncompressed point of P-256, base64.
    pub public_key: String,
}

/// What is answered to [`Call::Join`] and [`Call::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Welcome.
    Joined(Joined),
    /// So many bytes follow.
    Bytes {
        /// How many, from the byte that was asked for to the end.
        count: u64,
        /// The size of the whole.
        of: u64,
    },
    /// No, and why.
    Refused {
        /// With what to do.
        why: String,
    },
}

/// What a machine that joined is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Its name.
    pub machine: MachineName,
    /// Its certificate.
    pub certificate: Certificate,
    /// The authority that vouches for the control plane, PEM.
    pub authority: String,
}

/// A machine's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The certificate, PEM.
    pub pem: String,
    /// When it was made, by the control plane's clock.
    pub made_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Certificate {
    /// Whether it is time for another one: two thirds of its time are over.
    #[must_use]
    pub fn is_old(&self, now: Timestamp) -> bool {
        let whole = self.ends_at.since(self.made_at);
        now.since(self.made_at) >= whole * 2 / 3
    }
}

/// A join token: `tj_<id>_<43 characters>_<SHA-256 of the authority's certificate, 64 hex digits>`.
/// The last part is for the new machine: it trusts the control plane that shows this authority,
/// and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken<'a> {
    /// What the control plane finds it by.
    pub id: &'a str,
    /// What only whoever was given it knows.
    pub proof: &'a str,
    /// Whom the new machine may trust.
    pub authority: Digest,
}

impl<'a> JoinToken<'a> {
    /// Takes a token apart; `None` where it is not one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, authority) = text.strip_prefix("tj_")?.rsplit_once('_')?;
        let (id, proof) = rest.split_once('_')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let well_formed = id.len() == 12
            && id.bytes().all(|b| b.is_ascii_hexdigit())
            && proof.len() == 43
            && proof.bytes().all(plain);
        let authority = authority.parse().ok()?;
        well_formed.then_some(Self { id, proof, authority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_apart_and_nothing_else_is() {
        let proof = "a_b-c".repeat(8) + "xyz";
        let digest = "5".repeat(64);
        let text = format!("tj_0123456789ab_{proof}_{digest}");
        let token = JoinToken::parse(&text).expect("it is one");
        assert_eq!((token.id, token.proof), ("0123456789ab", proof.as_str()));
        assert_eq!(token.authority.as_str(), digest);
        for wrong in
            ["", "tj_", "th_0123456789ab_x_y", &text[..text.len() - 1], &text.replace('a', "!")]
        {
            assert_eq!(JoinToken::parse(wrong), None, "{wrong}");
        }
    }
}
