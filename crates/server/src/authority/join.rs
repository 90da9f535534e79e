//! Tokens a new machine joins with: one machine, one time, fifteen minutes.

use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq;
use thiserror::Error;
use toehold_core::model::{Digest, Event, EventKind, MachineName, Subject};
use toehold_core::time::Timestamp;
use toehold_core::wire::call::{Join, JoinToken, Joined};

use super::{Authority, AuthorityError};
use crate::secret::{Secret, random_id, random_text};
use crate::store::{CommitError, Key, Rev, Txn, Write};

/// How long a token is good for.
const GOOD_FOR: Duration = Duration::from_mins(15);

/// A token as it lies in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Invitation {
    machine: MachineName,
    hash: Digest,
    ends_at: Timestamp,
}

/// Why a machine is not let in.
#[derive(Debug, Error)]
pub enum NotAdmitted {
    /// The token is not known, or was used.
    #[error(
        "the token is not known or was used already: make another with `toehold machines token`"
    )]
    Unknown,
    /// It is too old.
    #[error("the token ended at {0}: make another with `toehold machines token`")]
    Ended(Timestamp),
    /// The authority could not do it.
    #[error("a certificate could not be made")]
    Authority(#[from] AuthorityError),
}

impl Authority {
    /// A token for `machine`. Its text is given here once and never again.
    pub async fn invite(
        &self,
        machine: &MachineName,
        actor: &str,
    ) -> Result<Secret, AuthorityError> {
        let id = random_id();
        let text = format!("tj_{id}_{}_{}", random_text(), self.signer.digest().as_str());
        let invitation = Invitation {
            machine: machine.clone(),
            hash: Digest::of(text.as_bytes()),
            ends_at: self.clock.now().plus(GOOD_FOR),
        };
        let key = key(&id);
        let mut txn =
            Txn::by(actor).expect(key.clone(), Rev::NONE).write(Write::put(key, &invitation));
        txn.writes.extend(self.out_of_date().await?);
        let says = format!("{actor} asked for a token {machine} may join with");
        let facts = json!({ "machine": machine, "ends_at": invitation.ends_at });
        txn.writes.push(Write::event(&self.said(
            EventKind::MachineInvited,
            Subject::Machine(machine.clone()),
            actor,
            says,
            facts,
        )));
        self.store.commit(txn).await?;
        Ok(Secret::new(text))
    }

    /// Lets a machine in whose token is good; the token is spent by that. Who is refused is written
    /// down, but not as often as a stranger likes.
    pub async fn admit(&self, join: &Join, from: &str) -> Result<Joined, NotAdmitted> {
        let admitted = self.try_admit(join).await;
        if let Err(why @ (NotAdmitted::Unknown | NotAdmitted::Ended(_))) = &admitted {
            self.refused(why, from).await;
        }
        admitted
    }

    async fn try_admit(&self, join: &Join) -> Result<Joined, NotAdmitted> {
        // Who expels a machine waits until it is in, or it does not come in any more.
        let _writing = self.writing.lock().await;
        let token = JoinToken::parse(&join.token).ok_or(NotAdmitted::Unknown)?;
        let key = key(token.id);
        let read = self.store.get_as::<Invitation>(&key).await.map_err(AuthorityError::from)?;
        let invitation = read.ok_or(NotAdmitted::Unknown)?;
        let hash = Digest::of(join.token.as_bytes());
        let same = hash.as_str().as_bytes().ct_eq(invitation.value.hash.as_str().as_bytes());
        if !bool::from(same) {
            return Err(NotAdmitted::Unknown);
        }
        let Invitation { machine, ends_at, .. } = invitation.value;
        if ends_at <= self.clock.now() {
            return Err(NotAdmitted::Ended(ends_at));
        }
        let text = format!("{machine} joined with a token");
        let facts = json!({ "machine": machine });
        let subject = Subject::Machine(machine.clone());
        let joined = self.said(EventKind::MachineJoined, subject, machine.as_str(), text, facts);
        let spent = [(key.clone(), invitation.rev)];
        let more = [Write::delete(key.clone()), Write::event(&joined)];
        let given = self.give(&machine, &join.public_key, &spent, &more).await;
        let certificate = given.map_err(|error| match error {
            AuthorityError::Commit(CommitError::Conflict { key: of, .. }) if of == key => {
                NotAdmitted::Unknown
            }
            error => error.into(),
        })?;
        Ok(Joined { machine, certificate, authority: self.signer.authority().to_owned() })
    }

    async fn refused(&self, why: &NotAdmitted, from: &str) {
        let now = self.clock.now();
        let due = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).note(now);
        let Some(unsaid) = due else { return };
        let more = match unsaid {
            0 => String::new(),
            count => format!(" ({count} more were refused since this was said last)"),
        };
        let text = format!("somebody at {from} was not let in as a machine: {why}{more}");
        let facts = json!({ "from": from, "unsaid": unsaid });
        let event = self.said(EventKind::MachineRefused, Subject::Toehold, from, text, facts);
        let txn = Txn::by("toehold").write(Write::event(&event));
        if let Err(error) = self.store.commit(txn).await {
            tracing::warn!(%error, "that somebody was not let in could not be written down");
        }
    }

    fn said(
        &self,
        kind: EventKind,
        subject: Subject,
        actor: &str,
        text: String,
        facts: serde_json::Value,
    ) -> Event {
        let (at, actor) = (self.clock.now(), actor.to_owned());
        Event { rev: 0, at, app: None, kind, subject, cause: None, actor, text, facts }
    }

    /// What takes away the tokens of a machine.
    pub(super) async fn tokens_of(
        &self,
        machine: &MachineName,
    ) -> Result<Vec<Write>, AuthorityError> {
        let (docs, _) = self.store.list_as::<Invitation>("join/").await?;
        let its = docs.into_iter().filter(|doc| doc.value.machine == *machine);
        Ok(its.map(|doc| Write::delete(doc.key)).collect())
    }

    /// What takes away tokens nobody used in time.
    async fn out_of_date(&self) -> Result<Vec<Write>, AuthorityError> {
        let (docs, _) = self.store.list_as::<Invitation>("join/").await?;
        let now = self.clock.now();
        let old = docs.into_iter().filter(|doc| doc.value.ends_at <= now);
        Ok(old.map(|doc| Write::delete(doc.key)).collect())
    }
}

fn key(id: &str) -> Key {
    format!("join/{id}").parse().expect("an id is allowed in a key")
}
