//! The worker: one desk a channel, each with its own queue.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::notify::chat::Chat;
use crate::notify::desk::Desk;
use crate::notify::links::Links;
use crate::notify::mail::Mailer;
use crate::notify::sender::Sender;
use crate::notify::webhook::Webhook;
use crate::notify::{Channel, Settings, SettingsError};
use crate::secret::Keys;
use crate::store::Store;

/// Delivers what waits in the outbox.
pub struct Notifier {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    senders: Vec<Sender>,
    links: Option<Links>,
}

impl Notifier {
    /// A notifier for the channels of `settings`; its links are signed with `keys`. It must be made
    /// where tokio runs.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        keys: &Keys,
    ) -> Result<Self, SettingsError> {
        let base = settings.dashboard_url.as_deref();
        let links = base.map(|base| Links::new(base, keys.clone())).transpose()?;
        let mut senders = Vec::new();
        if let Some(mail) = &settings.mail {
            senders.push(Sender::Mail(Mailer::new(mail)?));
        }
        if let Some(webhook) = &settings.webhook {
            senders.push(Sender::Webhook(Webhook::new(webhook)?));
        }
        for (channel, chat) in [
            (Channel::Slack, &settings.slack),
            (Channel::Discord, &settings.discord),
            (Channel::Teams, &settings.teams),
        ] {
            if let Some(chat) = chat {
                senders.push(Sender::Chat(Chat::new(channel, chat)?));
            }
        }
        if let Some(ntfy) = &settings.ntfy {
            senders.push(Sender::Chat(Chat::ntfy(ntfy)?));
        }
        Ok(Self { store, clock, senders, links })
    }

    /// Delivers until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { store, clock, senders, links } = self;
        let desk = |sender| Desk {
            store: store.clone(),
            clock: clock.clone(),
            links: links.clone(),
            sender,
        };
        let desks: Vec<Desk> = senders.into_iter().map(desk).collect();
        join_all(desks.iter().map(|desk| desk.serve(&shutdown))).await;
    }
}
