//! API tokens: `th_<id>_<43 characters>`. The store knows the id and a hash of the whole, so a
//! token is found by one look and told by nobody.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq;
use thiserror::Error;
use toehold_core::model::{Digest, Event, EventKind, Subject};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::TokenView;

use crate::clock::Clock;
use crate::secret::{Apps, Keys, Principal, Scope, Secret, random_id, random_text};
use crate::store::{CommitError, Doc, Key, ReadError, Rev, Store, Txn, Write};

/// Makes, knows and takes back API tokens.
#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keys: Keys,
}

/// A token as it lies in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    name: String,
    hash: Digest,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

/// A token that is not accepted.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is none, or not this one.
    #[error("the token is not known here: make one with `toehold tokens create`")]
    Unknown,
    /// It was good once.
    #[error("the token {name:?} ended at {at}: make another with `toehold tokens create`")]
    Expired {
        /// Its name.
        name: String,
        /// When it ended.
        at: Timestamp,
    },
    /// It could not be looked up.
    #[error("cannot look the token up")]
    Store(#[from] ReadError),
}

/// A token that could not be made or taken back.
#[derive(Debug, Error)]
pub enum TokenError {
    /// There is none of this id.
    #[error("there is no token {id:?}: `toehold tokens ls` shows them")]
    NotFound {
        /// The id asked for.
        id: String,
    },
    /// It could not be written.
    #[error("cannot write the token")]
    Commit(#[from] CommitError),
    /// It could not be read.
    #[error("cannot read the token")]
    Read(#[from] ReadError),
}

impl Tokens {
    /// How often a token's last use is written down at most.
    const USE_NOTED: Duration = Duration::from_mins(1);

    /// Tokens in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keys: Keys) -> Self {
        Self { store, clock, keys }
    }

    /// Makes a token for `name`. Its text is given here once and never again.
    pub async fn create(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        expires_at: Option<Timestamp>,
        actor: &str,
    ) -> Result<(TokenView, Secret), TokenError> {
        let id = random_id();
        let text = Secret::new(format!("th_{id}_{}", random_text()));
        let token = Token {
            name: name.chars().filter(|c| !c.is_control()).take(80).collect(),
            hash: Digest::of(text.reveal().as_bytes()),
            scopes,
            created_at: self.clock.now(),
            expires_at,
            last_used_at: None,
        };
        let view = token.view(&id);
        let said = format!("{actor} made the token {:?} ({})", view.name, view.scopes.join(", "));
        let event = self.event(EventKind::TokenCreated, actor, said, &view);
        let key = key(&id).ok_or_else(|| TokenError::NotFound { id: id.clone() })?;
        let txn = Txn::by(actor)
            .expect(key.clone(), Rev::NONE)
            .write(Write::put(key, &token))
            .write(Write::event(&event));
        self.store.commit(txn).await?;
        Ok((view, text))
    }

    /// Who has this token, if it is good.
    pub async fn verify(&self, text: &str) -> Result<Principal, Refused> {
        let id = id_of(text).ok_or(Refused::Unknown)?;
        if id == Keys::LOCAL_ID {
            return verify_fixed(text, self.keys.local_token(), id, Scope::Admin);
        }
        if let Some(app) = id.strip_prefix("app.") {
            let app = app.parse().map_err(|_| Refused::Unknown)?;
            let token = self.keys.app_token(&app);
            return verify_fixed(text, &token, id, Scope::Evaluate(Apps::One(app)));
        }
        let key = key(id).ok_or(Refused::Unknown)?;
        let doc = self.store.get_as::<Token>(&key).await?.ok_or(Refused::Unknown)?;
        let hash = Digest::of(text.as_bytes());
        if !bool::from(hash.as_str().as_bytes().ct_eq(doc.value.hash.as_str().as_bytes())) {
            return Err(Refused::Unknown);
        }
        let now = self.clock.now();
        match doc.value.expires_at {
            Some(at) if at <= now => Err(Refused::Expired { name: doc.value.name, at }),
            _ => {
                let (name, scopes) = (doc.value.name.clone(), doc.value.scopes.clone());
                self.note_use(doc, now).await;
                Ok(Principal { name, scopes, token: Some(id.to_owned()) })
            }
        }
    }

    /// Writes down that a token was used. It is only for people to look at: where it cannot be
    /// written, or the token is changed meanwhile, nothing is lost.
    async fn note_use(&self, doc: Doc<Token>, now: Timestamp) {
        let noted = doc.value.last_used_at;
        if noted.is_some_and(|at| at <= now && now.since(at) < Self::USE_NOTED) {
            return;
        }
        let token = Token { last_used_at: Some(now), ..doc.value };
        let txn =
            Txn::by("toehold").expect(doc.key.clone(), doc.rev).write(Write::put(doc.key, &token));
        let _ = self.store.commit(txn).await;
    }

    /// Takes a token back; the next request with it is refused.
    pub async fn revoke(&self, id: &str, actor: &str) -> Result<TokenView, TokenError> {
        let not_found = || TokenError::NotFound { id: id.to_owned() };
        let key = key(id).ok_or_else(not_found)?;
        let view = self.store.get_as::<Token>(&key).await?.ok_or_else(not_found)?.value.view(id);
        let said = format!("{actor} took back the token {:?}", view.name);
        let event = self.event(EventKind::TokenRevoked, actor, said, &view);
        let txn = Txn::by(actor).write(Write::delete(key)).write(Write::event(&event));
        self.store.commit(txn).await?;
        Ok(view)
    }

    /// Every token that was made and not taken back, oldest first.
    pub async fn list(&self) -> Result<Vec<TokenView>, ReadError> {
        let (docs, _) = self.store.list_as::<Token>("token/").await?;
        let mut views: Vec<_> =
            docs.iter().map(|doc| doc.value.view(doc.key.last_part())).collect();
        views.sort_by_key(|view| view.created_at);
        Ok(views)
    }

    fn event(&self, kind: EventKind, actor: &str, text: String, view: &TokenView) -> Event {
        Event {
            rev: 0,
            at: self.clock.now(),
            app: None,
            kind,
            subject: Subject::Toehold,
            cause: None,
            actor: actor.to_owned(),
            text,
            facts: json!({ "token": view.id, "scopes": view.scopes }),
        }
    }
}

impl Token {
    fn view(&self, id: &str) -> TokenView {
        TokenView {
            id: id.to_owned(),
            name: self.name.clone(),
            scopes: self.scopes.iter().map(Scope::to_string).collect(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        }
    }
}

/// Refuses what was begun with a token that was taken back or has ended since.
pub(super) async fn still_stands(
    store: &Arc<dyn Store>,
    id: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let key = key(id).ok_or(Refused::Unknown)?;
    let token = store.get_as::<Token>(&key).await?.ok_or(Refused::Unknown)?.value;
    match token.expires_at {
        Some(at) if at <= now => Err(Refused::Expired { name: token.name, at }),
        Some(_) | None => Ok(()),
    }
}

/// A token that is known without the store.
fn verify_fixed(
    text: &str,
    token: &Secret,
    name: &str,
    scope: Scope,
) -> Result<Principal, Refused> {
    if Secret::new(text) == *token {
        return Ok(Principal { name: name.to_owned(), scopes: vec![scope], token: None });
    }
    Err(Refused::Unknown)
}

/// The public part of a token that is well-formed.
fn id_of(text: &str) -> Option<&str> {
    let (id, rest) = text.strip_prefix("th_")?.split_once('_')?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (rest.len() == 43 && rest.bytes().all(plain)).then_some(id)
}

fn key(id: &str) -> Option<Key> {
    let well_formed = id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit());
    well_formed.then(|| format!("token/{id}").parse().ok()).flatten()
}
