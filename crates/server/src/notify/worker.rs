//! The worker: one desk a channel, each with its own queue.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::notify::desk::{Desk, Sender};
use crate::notify::mail::Mailer;
use crate::notify::webhook::Webhook;
use crate::notify::{Settings, SettingsError};
use crate::store::Store;

/// Delivers what waits in the outbox.
pub struct Notifier {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    mail: Option<Mailer>,
    webhook: Option<Webhook>,
}

impl Notifier {
    /// A notifier for the channels of `settings`. It must be made where tokio runs.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, SettingsError> {
        let mail = settings.mail.as_ref().map(Mailer::new).transpose()?;
        let webhook = settings.webhook.as_ref().map(Webhook::new).transpose()?;
        Ok(Self { store, clock, mail, webhook })
    }

    /// Delivers until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { store, clock, mail, webhook } = self;
        let desk = |sender| Desk { store: store.clone(), clock: clock.clone(), sender };
        let serve = async |sender: Option<Sender>| {
            if let Some(sender) = sender {
                desk(sender).serve(&shutdown).await;
            }
        };
        tokio::join!(serve(mail.map(Sender::Mail)), serve(webhook.map(Sender::Webhook)));
    }
}
