//! Sessions of the dashboard: a one-time code from the command line becomes a session in the
//! browser.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toehold_core::model::Digest;
use toehold_core::time::Timestamp;

use crate::clock::Clock;
use crate::secret::{Principal, Refused, Secret, random_text, token};
use crate::store::{CommitError, Fault, Key, ReadError, Store, Txn, Write};

/// Who is logged in.
#[derive(Clone)]
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// A session or a code as it lies in the store, under the hash of its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    principal: Principal,
    expires_at: Timestamp,
}

impl Sessions {
    /// How long a session lasts.
    pub const LASTS: Duration = Duration::from_hours(12);

    /// How long a code is good.
    pub const CODE_LASTS: Duration = Duration::from_mins(10);

    /// Sessions in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// A code that becomes one session for `principal`.
    pub async fn code(&self, principal: Principal) -> Result<Secret, CommitError> {
        let code = Secret::new(random_text());
        let entry = Entry { principal, expires_at: self.clock.now().plus(Self::CODE_LASTS) };
        let write = put("login", &code, &entry);
        self.store.commit(Txn::by(&entry.principal.name).write(write)).await?;
        Ok(code)
    }

    /// Makes a session of a code, which is then used up.
    pub async fn redeem(&self, code: &str) -> Result<(Secret, Principal), Refused> {
        let login = key("login", code);
        let found = self.store.get_as::<Entry>(&login).await?.ok_or(Refused::Unknown)?;
        let principal = self.still_good(found.value).await?;
        let session = Secret::new(random_text());
        let entry = Entry { principal, expires_at: self.clock.now().plus(Self::LASTS) };
        let txn = Txn::by(&entry.principal.name)
            .expect(login.clone(), found.rev)
            .write(Write::delete(login))
            .write(put("session", &session, &entry));
        match self.store.commit(txn).await {
            Ok(_) => Ok((session, entry.principal)),
            Err(
                CommitError::Unavailable { reason, source }
                | CommitError::Unknown { reason, source },
            ) => Err(ReadError::Fault(Fault { reason, source }).into()),
            // Somebody else was faster with it.
            Err(_) => Err(Refused::Unknown),
        }
    }

    /// Who has this session, if it is good.
    pub async fn verify(&self, session: &str) -> Result<Principal, Refused> {
        let found = self.store.get_as::<Entry>(&key("session", session)).await?;
        self.still_good(found.ok_or(Refused::Unknown)?.value).await
    }

    /// Ends a session.
    pub async fn end(&self, session: &str) -> Result<(), CommitError> {
        let delete = Write::delete(key("session", session));
        self.store.commit(Txn::by("toehold").write(delete)).await?;
        Ok(())
    }

    /// Takes away sessions and codes that have ended: called now and then.
    pub async fn sweep(&self) -> Result<usize, CommitError> {
        let now = self.clock.now();
        let mut swept = 0;
        for prefix in ["session/", "login/"] {
            let docs = self.store.list(prefix).await?.0;
            for doc in docs {
                let ended =
                    doc.clone().read::<Entry>().is_ok_and(|doc| doc.value.expires_at <= now);
                if ended {
                    let delete = Write::delete(doc.key);
                    self.store.commit(Txn::by("toehold").write(delete)).await?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    async fn still_good(&self, entry: Entry) -> Result<Principal, Refused> {
        let Entry { principal, expires_at } = entry;
        let now = self.clock.now();
        if expires_at <= now {
            return Err(Refused::Expired { name: principal.name, at: expires_at });
        }
        if let Some(token) = &principal.token {
            token::still_stands(&self.store, token, now).await?;
        }
        Ok(principal)
    }
}

fn put(kind: &str, secret: &Secret, entry: &Entry) -> Write {
    Write::put(key(kind, secret.reveal()), entry)
}

/// Under the hash: what is looked up says nothing about its neighbours, whatever was given.
fn key(kind: &str, text: &str) -> Key {
    let hash = Digest::of(text.as_bytes());
    format!("{kind}/{}", hash.as_str()).parse().expect("a word and hex digits are a key")
}
