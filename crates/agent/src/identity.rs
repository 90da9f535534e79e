//! Who this machine is to its control plane: a key of its own, the certificate it was given, and
//! whom it may trust. Kept in the agent's folder; an agent that has none works for the control
//! plane of its own machine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use toehold_core::model::{Digest, MachineName};
use toehold_core::time::Timestamp;
use toehold_core::wire::call::Certificate;
use toehold_host::durable::{self, DurableError};
use toehold_host::tls::{fingerprint, first_certificate, known_connector};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::renewal::Renewal;

/// Who this machine is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// Where the control plane listens for agents: `host:port`.
    pub control: String,
    /// The name of this machine.
    pub machine: MachineName,
    /// The key of the certificate.
    pub(crate) key: Key,
    /// The certificate.
    pub(crate) certificate: Certificate,
    /// The authority that vouches for the control plane, PEM.
    pub(crate) authority: String,
}

impl Identity {
    /// Who the machine is whose agent has its state in `dir`; `None` where it never joined.
    pub fn read(dir: &Path) -> Result<Option<Self>, DurableError> {
        durable::load(&file(dir))
    }

    /// Keeps it; readable by its owner alone. Whose it is stands beside it as well, for whoever
    /// brings the agent.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), DurableError> {
        durable::save(&file(dir), self)?;
        let authority = self.authority_digest().map(|it| it.as_str().to_owned());
        let line = format!("{}\n", authority.unwrap_or_default());
        durable::write(&dir.join("joined"), line.as_bytes())?;
        self.write_fingerprint(dir)
    }

    /// Says which certificate it has: a control plane that does not know it lets the machine join
    /// again.
    fn write_fingerprint(&self, dir: &Path) -> Result<(), DurableError> {
        let certificate = first_certificate(self.certificate.pem.as_bytes()).ok();
        let digest = certificate.map(|it| fingerprint(&it).as_str().to_owned());
        let line = format!("{}\n", digest.unwrap_or_default());
        durable::write(&dir.join("certificate"), line.as_bytes())
    }

    /// The SHA-256 of the authority's certificate; `None` where that is damaged.
    pub(crate) fn authority_digest(&self) -> Option<Digest> {
        let certificate = first_certificate(self.authority.as_bytes()).ok()?;
        Some(fingerprint(&certificate))
    }

    /// What this machine dials with. An error says what is wrong with what was kept.
    fn connector(&self) -> Result<TlsConnector, String> {
        let certificate = self.certificate.pem.as_bytes();
        known_connector(certificate, self.key.pem().as_bytes(), self.authority.as_bytes())
    }
}

/// What a machine that joined lives by: its identity, in which only the certificate changes.
pub struct Membership {
    dir: PathBuf,
    identity: Mutex<Identity>,
    renewal: Mutex<Renewal>,
}

impl Membership {
    /// What was kept in the agent's folder `dir`; `None` where this machine never joined.
    pub fn open(dir: &Path) -> Result<Option<Arc<Self>>, DurableError> {
        let identity = Identity::read(dir)?;
        if let Some(identity) = &identity {
            // An agent of an earlier time did not; the agent itself does not need it.
            let _ = identity.write_fingerprint(dir);
        }
        let of = |identity| {
            let (identity, renewal) = (Mutex::new(identity), Mutex::default());
            Arc::new(Self { dir: dir.to_owned(), identity, renewal })
        };
        Ok(identity.map(of))
    }

    /// The name of this machine.
    #[must_use]
    pub fn machine(&self) -> MachineName {
        self.identity().machine.clone()
    }

    /// Where the control plane listens, and what to dial it with.
    pub(crate) fn way(&self) -> Result<(String, TlsConnector), String> {
        let identity = self.identity();
        Ok((identity.control.clone(), identity.connector()?))
    }

    /// The public key to ask another certificate for, where it is time for one and none was asked
    /// for just now.
    pub(crate) fn wants_another(&self, now: Timestamp) -> Option<String> {
        let identity = self.identity();
        let asks = identity.certificate.is_old(now) && self.renewal().asks(Instant::now());
        asks.then(|| identity.key.public()).flatten()
    }

    /// Takes another certificate; it is used from the next call on. One that is old already, by a
    /// clock that is wrong here or there, is no reason to ask again at once.
    pub(crate) fn renew(
        &self,
        certificate: Certificate,
        now: Timestamp,
    ) -> Result<(), DurableError> {
        let mut identity = self.identity();
        let is_old = certificate.is_old(now);
        let renewed = Identity { certificate, ..identity.clone() };
        renewed.write(&self.dir)?;
        *identity = renewed;
        if !is_old {
            self.renewal().is_done();
        }
        Ok(())
    }

    fn renewal(&self) -> MutexGuard<'_, Renewal> {
        // Each change is whole.
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        // It is replaced whole.
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file(dir: &Path) -> PathBuf {
    dir.join("identity")
}

/// A key of P-256 that never leaves this machine: PKCS#8, base64.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    /// A new one; `None` where the system has no chance to give.
    pub(crate) fn make() -> Option<Self> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).ok()?;
        Some(Self(STANDARD.encode(key)))
    }

    /// The public half, as it is said: an uncompressed point, base64; `None` where the key is
    /// damaged.
    pub(crate) fn public(&self) -> Option<String> {
        let key = STANDARD.decode(&self.0).ok()?;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key, &SystemRandom::new()).ok()?;
        Some(STANDARD.encode(pair.public_key()))
    }

    fn pem(&self) -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_public_half_and_another_key_has_another() {
        let key = Key::make().expect("the system has chance");
        let public = key.public().expect("it is whole");
        assert_eq!(Some(&public), key.public().as_ref());
        assert_eq!(STANDARD.decode(&public).expect("base64").len(), 65);
        assert_ne!(Key::make().and_then(|it| it.public()), Some(public));
        assert_eq!(Key("nonsense".into()).public(), None);
    }
}
