//! Links in messages: what one of them does is done once, and only while it is still what it was
//! offered as.

use serde::{Deserialize, Serialize};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::Done;

use super::{Control, ControlError};
use crate::secret::{NotOurs, Ticket};
use crate::store::{CommitError, Key, Rev, Txn, Write};

/// Where links that were used lie until they would have ended.
const PREFIX: &str = "act/";

/// Why a link does nothing.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It was not made here.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// It has ended.
    #[error("this link ended at {}", ticket.expires_at)]
    Ended {
        /// What it says.
        ticket: Box<Ticket>,
    },
    /// It was used.
    #[error("this link was used at {at} by {by}")]
    Used {
        /// What it says.
        ticket: Box<Ticket>,
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
    },
    /// Things have changed since it was made.
    #[error("{why}")]
    Changed {
        /// What it says.
        ticket: Box<Ticket>,
        /// What has changed, in a sentence.
        why: String,
    },
    /// Ours.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A link that was used.
#[derive(Serialize, Deserialize)]
struct Used {
    by: String,
    at: Timestamp,
    expires_at: Timestamp,
}

impl Control {
    /// What a link would do now; nothing is changed by asking.
    pub async fn offered(&self, link: &str) -> Result<Ticket, ActError> {
        let ticket = self.parts.keys.unseal(link)?;
        if ticket.expires_at <= self.clock().now() {
            return Err(ActError::Ended { ticket: Box::new(ticket) });
        }
        self.unused(&ticket).await?;
        let apps = self.apps.lock().await;
        let stands = match apps.get(&ticket.app) {
            Ok(loaded) => ticket.offer.stands(&loaded.app),
            Err(error) => Err(format!("{error}.")),
        };
        match stands {
            Ok(()) => Ok(ticket),
            Err(why) => Err(ActError::Changed { ticket: Box::new(ticket), why }),
        }
    }

    /// Does what a link offers. That it was used is written in the same step, so that of two who
    /// press at once one is told that it was done.
    pub async fn take_offer(
        &self,
        link: &str,
        who: Option<&str>,
    ) -> Result<(Ticket, Done), ActError> {
        let ticket = self.offered(link).await?;
        let via = &ticket.via;
        let by = who.map_or_else(|| format!("a link by {via}"), |who| format!("{who}, by a link"));
        let used = Used { by: by.clone(), at: self.clock().now(), expires_at: ticket.expires_at };
        let key = key_of(&ticket)?;
        let once = (vec![(key.clone(), Rev::NONE)], vec![Write::put(key, &used)]);
        let (wish, stands) = (ticket.offer.wish(), |app: &_| ticket.offer.stands(app));
        match self.wish_where(&ticket.app, &wish, &by, stands, once).await {
            Ok(done) => Ok((ticket, done)),
            Err(ControlError::TakenBefore) => {
                self.unused(&ticket).await?;
                Err(ControlError::Contended(ticket.app).into())
            }
            Err(ControlError::NoLonger(why)) => {
                Err(ActError::Changed { ticket: Box::new(ticket), why })
            }
            Err(ControlError::Refused(refusal)) => {
                let why = format!("{refusal}.");
                Err(ActError::Changed { ticket: Box::new(ticket), why })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn unused(&self, ticket: &Ticket) -> Result<(), ActError> {
        let found = self.store().get_as::<Used>(&key_of(ticket)?).await;
        match found.map_err(ControlError::from)? {
            None => Ok(()),
            Some(used) => {
                let Used { at, by, .. } = used.value;
                Err(ActError::Used { ticket: Box::new(ticket.clone()), at, by })
            }
        }
    }

    /// Forgets links that were used and have ended since.
    pub(super) async fn sweep_links(&self) -> Result<(), CommitError> {
        let now = self.clock().now();
        for doc in self.store().list(PREFIX).await?.0 {
            if doc.clone().read::<Used>().is_ok_and(|doc| doc.value.expires_at <= now) {
                let gone = Txn::by("toehold").write(Write::delete(doc.key));
                self.store().commit(gone).await?;
            }
        }
        Ok(())
    }
}

fn key_of(ticket: &Ticket) -> Result<Key, NotOurs> {
    format!("{PREFIX}{}", ticket.id).parse().map_err(|_| NotOurs)
}
