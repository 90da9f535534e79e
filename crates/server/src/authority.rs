//! Which machines may dial in: the control plane's own certificate authority, the tokens new
//! machines join with, and the certificates they were given.
//!
//! A machine is known by the SHA-256 of a certificate of ours. That is written down before the
//! certificate is handed out, and taking it back is forgetting it: the next call is refused.

mod join;
mod sign;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toehold_core::model::{Digest, MachineName};
use toehold_core::time::Timestamp;
use toehold_core::wire::call::Certificate;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::secret::FileError;
use crate::store::{CommitError, Key, ReadError, Rev, Store, Txn, Write};

pub use join::NotAdmitted;
use sign::Signer;

/// How long a machine's certificate is good for.
const CERTIFICATE: Duration = Duration::from_hours(24 * 30);

/// How many certificates of one machine are good at once: the one it has, the one it was just
/// given, and one that was lost on the way.
const KEPT: usize = 3;

/// The authority.
pub struct Authority {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signer: Signer,
    known: Mutex<BTreeMap<Digest, MachineName>>,
}

/// Why the authority cannot work.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// Its files.
    #[error("the keys for machines cannot be used")]
    File(#[from] FileError),
    /// What they hold.
    #[error("the keys for machines cannot be used: {0}")]
    Key(String),
    /// The store could not be read.
    #[error("cannot read which machines are known")]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error("cannot write down which machines are known")]
    Commit(#[from] CommitError),
    /// What a machine calls its public key is none.
    #[error("that is not a public key")]
    NoPublicKey,
}

/// The certificates of one machine, as they lie in the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    certificates: Vec<Given>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Given {
    fingerprint: Digest,
    ends_at: Timestamp,
}

impl Authority {
    /// The authority whose keys lie under `root`, made the first time.
    pub async fn open(
        root: &Path,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthorityError> {
        let signer = Signer::open(root, clock.now())?;
        let (docs, _) = store.list_as::<Known>("certificate/").await?;
        let mut known = BTreeMap::new();
        for doc in docs {
            let Ok(machine) = doc.key.last_part().parse::<MachineName>() else { continue };
            for given in doc.value.certificates {
                known.insert(given.fingerprint, machine.clone());
            }
        }
        Ok(Self { store, clock, signer, known: Mutex::new(known) })
    }

    /// What the port for agents meets its callers with.
    pub fn acceptor(&self) -> Result<TlsAcceptor, AuthorityError> {
        self.signer.acceptor(self.clock.now()).map_err(AuthorityError::Key)
    }

    /// The SHA-256 of the authority's certificate.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        self.signer.digest()
    }

    /// Whose certificate this is; `None` where it is nobody's any more.
    #[must_use]
    pub fn who(&self, fingerprint: &Digest) -> Option<MachineName> {
        self.known().get(fingerprint).cloned()
    }

    /// Gives a machine that is known already another certificate.
    pub async fn renew(
        &self,
        machine: &MachineName,
        public_key: &str,
    ) -> Result<Certificate, AuthorityError> {
        self.give(machine, public_key, Vec::new(), Vec::new()).await
    }

    /// Forgets a machine: it is not let in any more.
    pub async fn expel(&self, machine: &MachineName, actor: &str) -> Result<(), AuthorityError> {
        let txn = Txn::by(actor).write(Write::delete(key(machine)));
        self.store.commit(txn).await?;
        self.known().retain(|_, known| known != machine);
        Ok(())
    }

    /// Makes a certificate and writes it down, together with `more`.
    async fn give(
        &self,
        machine: &MachineName,
        public_key: &str,
        expect: Vec<(Key, Rev)>,
        more: Vec<Write>,
    ) -> Result<Certificate, AuthorityError> {
        let now = self.clock.now();
        let made = self.signer.sign(machine, public_key, now, now.plus(CERTIFICATE))?;
        let key = key(machine);
        let doc = self.store.get_as::<Known>(&key).await?;
        let (rev, mut known) = doc.map_or((Rev::NONE, Known::default()), |it| (it.rev, it.value));
        known.certificates.retain(|given| given.ends_at > now);
        let ends_at = made.certificate.ends_at;
        known.certificates.push(Given { fingerprint: made.fingerprint.clone(), ends_at });
        let surplus = known.certificates.len().saturating_sub(KEPT);
        known.certificates.drain(..surplus);
        let mut txn = Txn::by("toehold").expect(key.clone(), rev).write(Write::put(key, &known));
        txn.expect.extend(expect);
        txn.writes.extend(more);
        self.store.commit(txn).await?;
        let good: Vec<Digest> = known.certificates.into_iter().map(|it| it.fingerprint).collect();
        let mut all = self.known();
        all.retain(|fingerprint, of| of != machine || good.contains(fingerprint));
        all.insert(made.fingerprint, machine.clone());
        Ok(made.certificate)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Digest, MachineName>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(machine: &MachineName) -> Key {
    format!("certificate/{machine}").parse().expect("a machine's name is allowed in a key")
}

#[cfg(test)]
mod tests;
