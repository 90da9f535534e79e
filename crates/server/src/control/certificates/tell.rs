//! What is written down of certificates, and what is said of them to whoever asks.

use serde_json::Value;
use toehold_core::certificates::{self, Kept};
use toehold_core::model::{AppName, Event, EventKind, Subject};
use toehold_core::tell;
use toehold_core::time::Timestamp;
use tracing::error;

use super::held::{PREFIX, key};
use super::{Control, Keeper};
use crate::control::{ControlError, Finding};
use crate::metrics::Text;
use crate::notify::{Letter, outbox_write};
use crate::store::{Txn, Write};

/// An event about a host of an app.
pub(super) fn event(
    control: &Control,
    app: Option<AppName>,
    kind: EventKind,
    text: String,
    facts: Value,
) -> Event {
    let subject = if app.is_some() { Subject::App } else { Subject::Toehold };
    let at = control.clock().now();
    Event { rev: 0, at, app, kind, subject, cause: None, actor: "toehold".into(), text, facts }
}

impl Keeper {
    /// Writes down what is kept of a host, together with an event. Where the store cannot take it,
    /// it is so in memory alone: nothing is asked for again because of that.
    pub(super) async fn keep(
        &self,
        control: &Control,
        host: &str,
        kept: Kept,
        event: Option<Event>,
    ) {
        let (_, rev, _) = self.held.get(host);
        let put = Write::put(key(host), &kept);
        let mut txn = Txn::by("toehold").expect(key(host), rev).write(put);
        txn.writes.extend(event.as_ref().map(Write::event));
        let letter = event.as_ref().filter(|it| it.kind == EventKind::CertificateExpiring);
        if let Some(letter) = letter.map(Letter::certificate) {
            txn.writes.extend(outbox_write(&letter, &control.channels()));
        }
        let rev = match control.store().commit(txn).await {
            Ok(committed) => committed.revs.first().copied().unwrap_or(rev),
            Err(error) => {
                let said = event.map_or_else(String::new, |event| event.text);
                error!(%host, %error, said, "what is known of a certificate could not be written down");
                // Where it is another one than we know of, the next time is after that.
                let found = control.store().get(&key(host)).await.ok().flatten();
                found.map_or(rev, |doc| doc.rev)
            }
        };
        self.held.keep(host, kept, rev);
    }

    /// Forgets hosts that lead to no app any more and of which nothing is of use.
    pub(super) async fn forget(&self, control: &Control, now: Timestamp) {
        for host in self.held.over(now) {
            let _writing = self.writing.lock().await;
            let txn = Txn::by("toehold").write(Write::delete(key(&host)));
            if let Err(error) = control.store().commit(txn).await {
                error!(%host, %error, "what is known of a host that is gone could not be removed");
                return;
            }
            self.held.forget(&host);
            self.shelf.tidy(&host, None);
        }
    }

    /// Says which certificates end soon and could not be renewed.
    pub(super) async fn tell_ends(&self, control: &Control, now: Timestamp) {
        for (host, told) in self.held.ends(now, self.settings.enabled) {
            let _writing = self.writing.lock().await;
            let (kept, _, app) = self.held.get(&host);
            let Some(certificate) = &kept.certificate else { continue };
            let why = kept.trouble.as_ref().map(|it| it.why.as_str());
            let text = certificates::expiring(&host, certificate, now, why);
            let facts = serde_json::json!({
                "host": host, "not_after": certificate.not_after, "from": certificate.from,
                "failures": kept.trouble.as_ref().map_or(0, |it| it.count), "why": why,
            });
            let event = event(control, app, EventKind::CertificateExpiring, text, facts);
            self.keep(control, &host, Kept { told, ..kept }, Some(event)).await;
        }
    }
}

/// How the certificates of all public hosts are.
#[derive(Default)]
struct Standing {
    /// How many hosts want one.
    wanted: usize,
    /// How many have one that is good for a while.
    good: usize,
    /// What is wrong with those that do not, where it is known.
    wrong: Vec<String>,
    /// When the first of them ends.
    first_end: Option<Timestamp>,
}

impl Control {
    /// `None` where none are asked for.
    async fn certificates(&self) -> Result<Option<Standing>, ControlError> {
        if self.settings().acme.is_none() {
            return Ok(None);
        }
        let (docs, _) = self.store().list_as::<Kept>(PREFIX).await?;
        let hosts = self.hosts().await;
        let now = self.clock().now();
        let mut standing = Standing { wanted: hosts.len(), ..Standing::default() };
        for doc in docs.iter().filter(|doc| hosts.contains_key(doc.key.last_part())) {
            let (host, kept) = (doc.key.last_part(), &doc.value);
            let why = kept.trouble.as_ref().map(|it| it.why.as_str());
            let ends_at = kept.certificate.as_ref().map(|it| it.not_after);
            standing.first_end = standing.first_end.into_iter().chain(ends_at).min();
            match (&kept.certificate, why) {
                (Some(it), why) if kept.is_expiring(now) => {
                    standing.wrong.push(certificates::expiring(host, it, now, why));
                }
                (Some(_), _) => standing.good += 1,
                (None, Some(why)) => {
                    standing.wrong.push(format!("no certificate for {host}: {why}"));
                }
                (None, None) => {}
            }
        }
        Ok(Some(standing))
    }

    /// What `doctor` shows of certificates; nothing where none are asked for.
    pub(in crate::control) async fn certificate_finding(&self) -> Option<Finding> {
        let (ok, says) = match self.certificates().await {
            Ok(None) => return None,
            Ok(Some(_)) if self.settings().listen_tls.is_none() => {
                let says = "[acme] is set, and visitors are met by TLS nowhere".to_owned();
                let hint = "set listen_tls in server.toml, or give toehold up --listen-tls".into();
                return Some(Finding { what: "certificates".into(), ok: false, says, hint });
            }
            Ok(Some(Standing { wanted, good, wrong, .. })) => {
                let of = tell::count(wanted as u64, "public host");
                let says = match wrong.as_slice() {
                    [] => format!("good for a while: {good} of {of}"),
                    [one] => one.clone(),
                    [first, more @ ..] => format!("{first} (and {} more)", more.len()),
                };
                (wrong.is_empty(), says)
            }
            Err(error) => (false, tell::chain(&error)),
        };
        let hint = "see docs/tls.md; toehold events shows each try".into();
        Some(Finding { what: "certificates".into(), ok, says, hint })
    }

    /// The numbers of certificates; none where none are asked for.
    pub(in crate::control) async fn expose_certificates(
        &self,
        text: &mut Text,
    ) -> Result<(), ControlError> {
        let Some(standing) = self.certificates().await? else { return Ok(()) };
        let lacking = standing.wanted.saturating_sub(standing.good);
        text.count("toehold_control_certificates", &[], standing.good as u64);
        text.count("toehold_control_certificates_lacking", &[], lacking as u64);
        if let Some(at) = standing.first_end {
            text.count(
                "toehold_control_certificate_first_end_time_seconds",
                &[],
                at.as_ms() / 1_000,
            );
        }
        Ok(())
    }
}
