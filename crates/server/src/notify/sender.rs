//! The ways out.

use std::collections::BTreeMap;

use toehold_core::time::Timestamp;

use crate::notify::Channel;
use crate::notify::chat::Chat;
use crate::notify::links::Ways;
use crate::notify::mail::Mailer;
use crate::notify::outbox::{Delivered, Undelivered, Waiting};
use crate::notify::webhook::Webhook;

/// A way out.
pub(super) enum Sender {
    Mail(Mailer),
    Webhook(Webhook),
    Chat(Chat),
}

impl Sender {
    pub(super) const fn channel(&self) -> Channel {
        match self {
            Self::Mail(_) => Channel::Mail,
            Self::Webhook(_) => Channel::Webhook,
            Self::Chat(chat) => chat.channel(),
        }
    }

    /// Whom a letter has reached.
    pub(super) fn reached(&self, waiting: &Waiting) -> String {
        match self {
            Self::Mail(mailer) => mailer.receivers(waiting, true),
            Self::Webhook(webhook) => webhook.receivers(),
            Self::Chat(chat) => chat.receivers(),
        }
    }

    /// Whom it has not reached.
    pub(super) fn missed(&self, waiting: &Waiting) -> String {
        match self {
            Self::Mail(mailer) => mailer.receivers(waiting, false),
            Self::Webhook(webhook) => webhook.receivers(),
            Self::Chat(chat) => chat.receivers(),
        }
    }

    /// Sends a letter; by mail, one step of it. `put_off` are those who were asked in this try and
    /// did not take it now, and why.
    pub(super) async fn deliver(
        &self,
        waiting: &mut Waiting,
        ways: &Ways,
        put_off: &mut BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Delivered, Undelivered> {
        let whole = |()| Delivered::Whole;
        match self {
            Self::Mail(mailer) => mailer.deliver(waiting, ways, put_off).await,
            Self::Webhook(webhook) => webhook.deliver(waiting, ways, now).await.map(whole),
            Self::Chat(chat) => chat.deliver(waiting, ways).await.map(whole),
        }
    }
}
