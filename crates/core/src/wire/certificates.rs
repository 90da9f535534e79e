//! What a proxy meets visitors, and the CA, with: certificates, their keys, and the proofs that the
//! names are ours.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Every certificate there is, and every proof. What is not in it is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// Grows with each change, also over a restart of the control plane. A proxy refuses a smaller
    /// one than it has in force; the same one comes again on a new link, and is answered again.
    pub serial: u64,
    /// A pair for each host.
    pub pairs: Vec<Pair>,
    /// What is answered on port 80 to `GET /.well-known/acme-challenge/TOKEN`, by token, whichever
    /// host is asked for: the key authorization, as it stands (RFC 8555, 8.3).
    pub http_challenges: BTreeMap<String, String>,
    /// What is shown to a handshake that offers `acme-tls/1` alone, by the name it asks for
    /// (RFC 8737).
    pub alpn_challenges: Vec<AlpnChallenge>,
    /// Whether who comes by HTTP to a host that has a pair is sent to HTTPS. What
    /// `http_challenges` answers is not.
    pub redirect: bool,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The DNS names it is good for, in lower case.
    pub names: Vec<String>,
    /// The certificate and those above it, its own first, PEM.
    pub chain: String,
    /// Its key, PKCS#8 as PEM.
    pub key: KeyPem,
}

/// A certificate that proves to a CA that a name is ours, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlpnChallenge {
    /// The name, in lower case.
    pub name: String,
    /// A certificate of its own making, with the extension `acmeIdentifier`; PEM. That is critical
    /// and rustls does not know it: it is shown by a resolver, unchecked.
    pub chain: String,
    /// Its key, PKCS#8 as PEM.
    pub key: KeyPem,
}

/// A private key. It is sent and kept, and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyPem(String);

impl KeyPem {
    /// Takes it in.
    #[must_use]
    pub fn new(pem: impl Into<String>) -> Self {
        Self(pem.into())
    }

    /// The key itself: to be used, never logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proxy::ToProxy;

    #[test]
    fn keys_are_sent_and_not_shown() {
        let key = KeyPem::new("sesame");
        let all = Certificates {
            serial: 7,
            pairs: vec![Pair {
                names: vec!["a.example.com".into()],
                chain: "c".into(),
                key: key.clone(),
            }],
            http_challenges: BTreeMap::from([("token".into(), "token.print".into())]),
            alpn_challenges: vec![AlpnChallenge {
                name: "a.example.com".into(),
                chain: "c".into(),
                key,
            }],
            redirect: true,
        };
        let message = ToProxy::Certificates(all);
        let sent = serde_json::to_string(&message).expect("it is JSON");
        assert!(sent.starts_with("{\"say\":\"certificates\",\"serial\":7,"), "{sent}");
        assert_eq!(sent.matches("sesame").count(), 2);
        assert_eq!(serde_json::from_str::<ToProxy>(&sent).expect("it is read"), message);
        let shown = format!("{message:?} {message:#?}");
        assert!(!shown.contains("sesame") && shown.contains("***"), "{shown}");
    }
}
