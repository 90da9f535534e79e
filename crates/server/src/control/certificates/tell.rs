//! What is written down of certificates, and what is said of them to whoever asks.

use serde_json::Value;
use toehold_core::certificates::{self, Kept};
use toehold_core::model::{AppName, Event, EventKind, Subject};
use toehold_core::tell;
use toehold_core::time::Timestamp;
use tracing::error;

use super::held::{PREFIX, key};
use super::{Control, Keeper};
use crate::control::Finding;
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

impl Control {
    /// What `doctor` shows of certificates; nothing where none are asked for.
    pub(in crate::control) async fn certificate_finding(&self) -> Option<Finding> {
        self.settings().acme.as_ref()?;
        let (docs, _) = self.store().list_as::<Kept>(PREFIX).await.ok()?;
        let hosts = self.hosts().await;
        let now = self.clock().now();
        let mut have = 0;
        let mut wrong = Vec::new();
        for doc in docs.iter().filter(|doc| hosts.contains_key(doc.key.last_part())) {
            let (host, kept) = (doc.key.last_part(), &doc.value);
            let why = kept.trouble.as_ref().map(|it| it.why.as_str());
            match (&kept.certificate, why) {
                (Some(it), why) if kept.is_expiring(now) => {
                    wrong.push(certificates::expiring(host, it, now, why));
                }
                (Some(_), _) => have += 1,
                (None, Some(why)) => wrong.push(format!("no certificate for {host}: {why}")),
                (None, None) => {}
            }
        }
        let of = tell::count(hosts.len() as u64, "public host");
        let ok = wrong.is_empty();
        let says = match wrong.len() {
            0 => format!("good for a while: {have} of {of}"),
            1 => wrong.remove(0),
            more => format!("{} (and {} more)", wrong.remove(0), more - 1),
        };
        let hint = "see docs/tls.md; toehold events shows each try".into();
        Some(Finding { what: "certificates".into(), ok, says, hint })
    }
}
