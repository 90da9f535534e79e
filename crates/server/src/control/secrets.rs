//! Secrets of apps: the next release gets them, and whoever goes back to a release gets those it
//! was made with.

use toehold_core::model::{AppName, Event, EventKind, Subject};
use toehold_core::wire::api::Done;

use super::{Control, ControlError};
use crate::notify::{Letter, outbox_write};
use crate::secret::Secret;
use crate::store::Txn;

impl Control {
    /// The names of an app's secrets.
    pub async fn secret_names(&self, name: &AppName) -> Result<Vec<String>, ControlError> {
        self.apps.lock().await.get(name)?;
        Ok(self.parts.vault.names(name)?)
    }

    /// Sets a secret.
    pub async fn set_secret(
        &self,
        name: &AppName,
        key: &str,
        value: &Secret,
        actor: &str,
    ) -> Result<Done, ControlError> {
        self.apps.lock().await.get(name)?;
        self.parts.vault.set(name, key, value)?;
        let text = format!("{actor} set the secret {key}");
        let mut done = self.secret_changed(name, text, actor).await;
        done.text.push_str("; the next release gets it");
        Ok(done)
    }

    /// Removes a secret.
    pub async fn remove_secret(
        &self,
        name: &AppName,
        key: &str,
        actor: &str,
    ) -> Result<Done, ControlError> {
        self.apps.lock().await.get(name)?;
        if !self.parts.vault.names(name)?.iter().any(|known| known == key) {
            return Ok(Done { text: format!("there is no secret {key}"), event: None });
        }
        self.parts.vault.remove(name, key)?;
        let text = format!("{actor} removed the secret {key}");
        let mut done = self.secret_changed(name, text, actor).await;
        done.text.push_str("; the next release is without it");
        Ok(done)
    }

    async fn secret_changed(&self, name: &AppName, text: String, actor: &str) -> Done {
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: Some(name.clone()),
            kind: EventKind::SecretChanged,
            subject: Subject::App,
            cause: None,
            actor: actor.to_owned(),
            text: text.clone(),
            facts: serde_json::Value::Null,
        };
        let event = self.say(event).await;
        Done { text, event }
    }

    /// Sends a message by every channel that is set up.
    pub async fn test_messages(&self, actor: &str) -> Result<Done, ControlError> {
        let channels = self.channels();
        if channels.is_empty() {
            let text = "no channel is set up: add [mail] or [webhook] to server.toml".to_owned();
            return Ok(Done { text, event: None });
        }
        let letter = Letter::test(actor, self.clock().now());
        let mut txn = Txn::by(actor);
        txn.writes = outbox_write(&letter, &channels);
        self.store().commit(txn).await?;
        let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
        Ok(Done {
            text: format!("a message is on its way by {}", names.join(" and ")),
            event: None,
        })
    }
}
