//! Which machines may dial in: the control plane's own certificate authority, the tokens new
//! machines join with, and the certificates they were given.
//!
//! A machine is known by the SHA-256 of a certificate of ours. That is written down before the
//! certificate is handed out, and taking it back is forgetting it: the next call is refused.

mod join;
mod refusals;
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
use refusals::Refusals;
use sign::Signer;

/// How long a machine's certificate is good for.
const CERTIFICATE: Duration = Duration::from_hours(24 * 30);

/// How many certificates of one machine are good at once, beside the one it dialled in with last:
/// the one it was just given, and some that were lost on the way.
const KEPT: usize = 3;

/// How often a write is tried again because somebody else wrote meanwhile.
const TRIES: usize = 8;

/// The authority.
pub struct Authority {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signer: Signer,
    known: Mutex<BTreeMap<Digest, Holder>>,
    /// The certificate each machine dialled in with last: it goes for no other, however many are
    /// asked for, before the machine dials in with another.
    used: Mutex<BTreeMap<MachineName, Digest>>,
    /// Held while a machine's certificates are written and then taken in: memory follows the store.
    writing: tokio::sync::Mutex<()>,
    refusals: Mutex<Refusals>,
}

/// Whose a certificate is, and until when.
#[derive(Clone, Debug)]
struct Holder {
    machine: MachineName,
    ends_at: Timestamp,
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
    /// It is not known any more.
    #[error("{0} is not known here any more")]
    Expelled(MachineName),
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
                let holder = Holder { machine: machine.clone(), ends_at: given.ends_at };
                known.insert(given.fingerprint, holder);
            }
        }
        let (known, used, refusals) = (Mutex::new(known), Mutex::default(), Mutex::default());
        let writing = tokio::sync::Mutex::default();
        Ok(Self { store, clock, signer, known, used, writing, refusals })
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
        let now = self.clock.now();
        let known = self.known();
        known.get(fingerprint).filter(|it| it.ends_at > now).map(|it| it.machine.clone())
    }

    /// A machine has dialled in with this certificate.
    pub fn dialled(&self, machine: &MachineName, fingerprint: &Digest) {
        self.used().insert(machine.clone(), fingerprint.clone());
    }

    /// Gives a machine that shows a certificate which is known another one.
    pub async fn renew(
        &self,
        machine: &MachineName,
        shown: &Digest,
        public_key: &str,
    ) -> Result<Certificate, AuthorityError> {
        let _writing = self.writing.lock().await;
        // A link may outlive by a moment what it was let in for.
        if self.who(shown).as_ref() != Some(machine) {
            return Err(AuthorityError::Expelled(machine.clone()));
        }
        self.give(machine, public_key, &[], &[]).await
    }

    /// Forgets a machine: it is not let in any more, neither by a certificate nor by a token.
    pub async fn expel(&self, machine: &MachineName, actor: &str) -> Result<(), AuthorityError> {
        let _writing = self.writing.lock().await;
        let mut txn = Txn::by(actor).write(Write::delete(key(machine)));
        txn.writes.extend(self.tokens_of(machine).await?);
        self.store.commit(txn).await?;
        self.known().retain(|_, known| known.machine != *machine);
        self.used().remove(machine);
        Ok(())
    }

    /// Makes a certificate and writes it down, together with `more`. Somebody else who writes
    /// this machine's certificates meanwhile, another control plane, is no reason to fail.
    async fn give(
        &self,
        machine: &MachineName,
        public_key: &str,
        expect: &[(Key, Rev)],
        more: &[Write],
    ) -> Result<Certificate, AuthorityError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.give_once(machine, public_key, expect, more).await {
                Err(AuthorityError::Commit(CommitError::Conflict { key: of, .. }))
                    if of == key(machine) && tries < TRIES => {}
                done => return done,
            }
        }
    }

    async fn give_once(
        &self,
        machine: &MachineName,
        public_key: &str,
        expect: &[(Key, Rev)],
        more: &[Write],
    ) -> Result<Certificate, AuthorityError> {
        let now = self.clock.now();
        let made = self.signer.sign(machine, public_key, now, now.plus(CERTIFICATE))?;
        let key = key(machine);
        let doc = self.store.get_as::<Known>(&key).await?;
        let (rev, mut known) = doc.map_or((Rev::NONE, Known::default()), |it| (it.rev, it.value));
        known.certificates.retain(|given| given.ends_at > now);
        let ends_at = made.certificate.ends_at;
        known.certificates.push(Given { fingerprint: made.fingerprint.clone(), ends_at });
        let in_use = self.used().get(machine).cloned();
        known.keep(in_use.as_ref());
        let mut txn = Txn::by("toehold").expect(key.clone(), rev).write(Write::put(key, &known));
        txn.expect.extend_from_slice(expect);
        txn.writes.extend_from_slice(more);
        self.store.commit(txn).await?;
        let mut all = self.known();
        all.retain(|_, of| of.machine != *machine);
        all.extend(
            known.certificates.into_iter().map(|it| {
                (it.fingerprint, Holder { machine: machine.clone(), ends_at: it.ends_at })
            }),
        );
        Ok(made.certificate)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Digest, Holder>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<MachineName, Digest>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Keeps the newest, and the one that is in use.
    fn keep(&mut self, in_use: Option<&Digest>) {
        let newest = self.certificates.len().saturating_sub(KEPT);
        let mut at = 0;
        self.certificates.retain(|given| {
            at += 1;
            at > newest || Some(&given.fingerprint) == in_use
        });
    }
}

fn key(machine: &MachineName) -> Key {
    format!("certificate/{machine}").parse().expect("a machine's name is allowed in a key")
}

#[cfg(test)]
mod tests;
