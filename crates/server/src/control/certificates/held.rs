//! What is known of each host, behind one short lock; and what the proxies are told of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use toehold_core::certificates::{Ask, Directories, Kept, Origin, Told, Which};
use toehold_core::model::{AppName, Digest};
use toehold_core::time::Timestamp;
use toehold_core::wire::certificates::{Certificates, Pair};
use tracing::{error, warn};

use super::{Control, ControlError, Keeper};
use crate::acme::Proof;
use crate::store::{Key, Rev};

/// Where the documents of hosts lie.
pub(super) const PREFIX: &str = "tls/";

/// At most so many orders are begun within [`WINDOW`]: Let's Encrypt takes 300 of an account.
const ORDERS: usize = 200;
const WINDOW: Duration = Duration::from_hours(3);

/// The most bytes of pairs in one message, which a link takes.
const MOST_BYTES: usize = 7 * 1024 * 1024;

/// How many serials an epoch has.
const SERIALS: u64 = 1_000_000_000;

/// All that is held.
#[derive(Default)]
pub(super) struct Held(Mutex<All>);

#[derive(Default)]
struct All {
    hosts: BTreeMap<String, Host>,
    proofs: BTreeMap<String, Proof>,
    shown: u64,
    begun: VecDeque<Timestamp>,
}

/// A host.
#[derive(Default)]
struct Host {
    rev: Rev,
    kept: Kept,
    pair: Option<Pair>,
    /// The app it leads to; `None` where it leads to none any more.
    app: Option<AppName>,
    ordered: bool,
    /// When its CA is asked for its wish again.
    wish_at: Option<Timestamp>,
}

/// The document of a host.
pub(super) fn key(host: &str) -> Key {
    format!("{PREFIX}{host}").parse().expect("a public name is a part a key may have")
}

/// The serial of what is told as the `n`th in an epoch.
pub(super) const fn serial(epoch: u64, n: u64) -> u64 {
    epoch.saturating_mul(SERIALS).saturating_add(n)
}

impl Keeper {
    /// Reads what is kept. A certificate whose key is lost is asked for again.
    pub(super) async fn load(&self, control: &Control) -> Result<(), ControlError> {
        let (docs, _) = control.store().list_as::<Kept>(PREFIX).await?;
        for doc in docs {
            let (host, mut kept) = (doc.key.last_part().to_owned(), doc.value);
            let pair = kept.pair.as_ref().and_then(|digest| match self.shelf.get(&host, digest) {
                Ok(pair) => pair,
                Err(error) => {
                    error!(%host, %error, "a certificate cannot be read");
                    None
                }
            });
            if kept.certificate.is_some() && pair.is_none() {
                warn!(%host, "the certificate's file is gone or damaged: another one is asked for");
                (kept.certificate, kept.pair) = (None, None);
            }
            let host_held = Host { rev: doc.rev, kept, pair, ..Host::default() };
            self.held.all().hosts.insert(host, host_held);
        }
        self.held.want(&control.hosts().await);
        self.show(control);
        Ok(())
    }
}

impl Held {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in which hosts there are. Says whether that changed.
    pub(super) fn want(&self, wanted: &BTreeMap<String, AppName>) -> bool {
        let mut all = self.all();
        let mut changed = false;
        for (host, app) in wanted {
            let held = all.hosts.entry(host.clone()).or_default();
            changed |= held.app.as_ref() != Some(app);
            held.app = Some(app.clone());
        }
        for (host, held) in &mut all.hosts {
            if !wanted.contains_key(host) {
                changed |= held.app.take().is_some();
            }
        }
        changed
    }

    /// The hosts a certificate is to be asked for now, at most `free`: those that have none first,
    /// then those whose ends first.
    pub(super) fn begin(
        &self,
        of: Directories<'_>,
        now: Timestamp,
        free: usize,
    ) -> Vec<(String, Which)> {
        let mut all = self.all();
        // Also those that a clock put into the future which was set back since.
        all.begun.retain(|at| *at <= now && at.plus(WINDOW) > now);
        let free = free.min(ORDERS.saturating_sub(all.begun.len()));
        let mut due: Vec<(Timestamp, String, Which)> = Vec::new();
        for (host, held) in all.hosts.iter().filter(|(_, it)| it.app.is_some() && !it.ordered) {
            let ends_at = held.kept.certificate.as_ref().map(|it| it.not_after);
            let ends_at = ends_at.unwrap_or_default();
            if let Ask::Now(which) = held.kept.ask(now, chance(host, ends_at), of) {
                due.push((ends_at, host.clone(), which));
            }
        }
        due.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        due.truncate(free);
        for (_, host, _) in &due {
            all.begun.push_back(now);
            all.hosts.entry(host.clone()).or_default().ordered = true;
        }
        due.into_iter().map(|(_, host, which)| (host, which)).collect()
    }

    /// What is kept of a host, the revision of its document, and its app.
    pub(super) fn get(&self, host: &str) -> (Kept, Rev, Option<AppName>) {
        let all = self.all();
        all.hosts
            .get(host)
            .map_or_else(Default::default, |it| (it.kept.clone(), it.rev, it.app.clone()))
    }

    /// Something else is kept of a host now; `rev` is that of its document.
    pub(super) fn keep(&self, host: &str, kept: Kept, rev: Rev) {
        let mut all = self.all();
        let held = all.hosts.entry(host.to_owned()).or_default();
        (held.kept, held.rev) = (kept, rev);
    }

    /// The chain of a host, where it is of this CA.
    pub(super) fn chain(&self, host: &str, directory: &str) -> Option<String> {
        let all = self.all();
        let held = all.hosts.get(host)?;
        let from = &held.kept.certificate.as_ref()?.from;
        let is_theirs = matches!(from, Origin::Acme { directory: of } if of == directory);
        held.pair.as_ref().filter(|_| is_theirs).map(|it| it.chain.clone())
    }

    /// A host whose CA is to be asked now what it wishes, with its chain; it comes again `later`.
    pub(super) fn next_to_wish(
        &self,
        directory: &str,
        now: Timestamp,
        later: Timestamp,
    ) -> Option<(String, String)> {
        let hosts: Vec<String> = {
            let all = self.all();
            let due = all.hosts.iter().filter(|(_, it)| it.has_wish(now));
            due.map(|(host, _)| host.clone()).collect()
        };
        let (host, chain) = hosts
            .into_iter()
            .find_map(|host| Some((host.clone(), self.chain(&host, directory)?)))?;
        self.wish_again(&host, later);
        Some((host, chain))
    }

    /// Whether some host's CA is to be asked what it wishes.
    pub(super) fn has_wishes(&self, now: Timestamp) -> bool {
        self.all().hosts.values().any(|it| it.has_wish(now))
    }

    /// When the CA of a host is asked for its wish again.
    pub(super) fn wish_again(&self, host: &str, at: Timestamp) {
        self.all().hosts.entry(host.to_owned()).or_default().wish_at = Some(at);
    }

    /// A host has another certificate now.
    pub(super) fn have(&self, host: &str, pair: Pair) {
        let mut all = self.all();
        let held = all.hosts.entry(host.to_owned()).or_default();
        (held.pair, held.wish_at) = (Some(pair), None);
    }

    /// An order of a host has ended.
    pub(super) fn ended(&self, host: &str) {
        let mut all = self.all();
        all.proofs.remove(host);
        all.hosts.entry(host.to_owned()).or_default().ordered = false;
    }

    /// A proof is to be shown.
    pub(super) fn prove(&self, host: &str, proof: Proof) {
        self.all().proofs.insert(host.to_owned(), proof);
    }

    /// The hosts of whose end something is to be said.
    pub(super) fn ends(&self, now: Timestamp, asked_for: bool) -> Vec<(String, Told)> {
        let all = self.all();
        let led = all.hosts.iter().filter(|(_, it)| it.app.is_some() && !it.ordered);
        led.filter_map(|(host, it)| Some((host.clone(), it.kept.to_tell(now, asked_for)?)))
            .collect()
    }

    /// The hosts that lead to no app any more and of which nothing is of use.
    pub(super) fn over(&self, now: Timestamp) -> Vec<String> {
        let all = self.all();
        let over = all.hosts.iter().filter(|(_, it)| it.app.is_none() && !it.ordered);
        over.filter(|(_, it)| it.kept.is_over(now)).map(|(host, _)| host.clone()).collect()
    }

    /// Nothing is known of a host any more.
    pub(super) fn forget(&self, host: &str) {
        self.all().hosts.remove(host);
    }

    /// Hands over all there is to be told, in the order in which it came to be.
    pub(super) fn show(&self, epoch: u64, redirect: bool, tell: impl FnOnce(Certificates)) -> u64 {
        let mut all = self.all();
        all.shown += 1;
        let mut told =
            Certificates { serial: serial(epoch, all.shown), redirect, ..Certificates::default() };
        let mut left = MOST_BYTES;
        for (host, held) in all.hosts.iter().filter(|(_, it)| it.app.is_some()) {
            let Some(pair) = &held.pair else { continue };
            let bytes = pair.chain.len() + pair.key.reveal().len() + host.len();
            let Some(rest) = left.checked_sub(bytes) else {
                error!(%host, "the certificates are too many for one message: this one is left out");
                continue;
            };
            left = rest;
            told.pairs.push(pair.clone());
        }
        for proof in all.proofs.values() {
            match proof {
                Proof::Http { token, authorization } => {
                    told.http_challenges.insert(token.clone(), authorization.clone());
                }
                Proof::Alpn(challenge) => told.alpn_challenges.push(challenge.clone()),
            }
        }
        let serial = told.serial;
        tell(told);
        serial
    }
}

impl Host {
    fn has_wish(&self, now: Timestamp) -> bool {
        let is_due = self.wish_at.is_none_or(|at| at <= now);
        is_due && self.app.is_some() && !self.ordered && self.pair.is_some()
    }
}

/// From 0 to 1, the same each time for a host and a certificate.
pub(super) fn chance(host: &str, ends_at: Timestamp) -> f64 {
    let digest = Digest::of(format!("{host} {}", ends_at.as_ms()).as_bytes());
    let drawn = u32::from_str_radix(&digest.short()[..8], 16).unwrap_or_default();
    f64::from(drawn) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
