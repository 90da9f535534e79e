//! Telling people: letters wait in the store until they are delivered.
//!
//! Who decides that somebody should be told writes the letter in the same transaction as the event
//! it tells of ([`outbox_write`]), and is done. [`Notifier`] delivers: each channel by itself, so
//! that a mail server that is away holds up nothing else; again and again, so that it loses
//! nothing; under one id for each letter, so that a letter that came twice can be told.

mod backoff;
mod chat;
mod desk;
mod layout;
mod letter;
mod links;
mod mail;
mod outbox;
mod queue;
mod sender;
mod settings;
mod storm;
mod taken;
mod webhook;
mod worker;

pub use letter::Letter;
pub use outbox::{Channel, ChannelError, outbox_write};
pub use settings::{
    ChatSettings, MailSettings, NtfySettings, Security, Settings, SettingsError, WebhookSettings,
};
pub use worker::Notifier;
