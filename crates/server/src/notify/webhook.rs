//! Delivery by `POST`, signed as Standard Webhooks has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use sha2::Sha256;
use toehold_core::time::Timestamp;

use crate::notify::links::Ways;
use crate::notify::outbox::{Undelivered, Waiting};
use crate::notify::settings::{pem_of, secret_of};
use crate::notify::taken::taken;
use crate::notify::{SettingsError, WebhookSettings};
use crate::outbound::Target;

/// Sends letters to one address.
pub(super) struct Webhook {
    target: Target,
    key: Vec<u8>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, SettingsError> {
        let pem = pem_of("webhook.ca_file", settings.ca_file.as_ref())?;
        let target = Target::new(&settings.url, pem.as_deref(), settings.allow_private)
            .map_err(|why| SettingsError::value("webhook.url", "***", &why))?;
        let secret =
            secret_of("webhook.secret", settings.secret.as_ref(), settings.secret_file.as_ref())?;
        let Some(secret) = secret.filter(|it| !it.reveal().is_empty()) else {
            let why = "the receiver checks by it that a message is ours";
            return Err(SettingsError::Missing { field: "webhook.secret", why });
        };
        Ok(Self { target, key: key_of(secret.reveal())? })
    }

    /// Whom the letters go to, for the event that says so: without the path, which may be secret.
    pub(super) fn receivers(&self) -> String {
        self.target.host().to_owned()
    }

    pub(super) async fn deliver(
        &self,
        waiting: &Waiting,
        ways: &Ways,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let body = body(waiting, ways);
        let seconds = now.as_ms() / 1_000;
        let headers: [(HeaderName, String); 3] = [
            (HeaderName::from_static("webhook-id"), waiting.id.clone()),
            (HeaderName::from_static("webhook-timestamp"), seconds.to_string()),
            (
                HeaderName::from_static("webhook-signature"),
                self.signature(&waiting.id, seconds, &body),
            ),
        ];
        let headers = headers.into_iter().map(|(name, value)| {
            (name, HeaderValue::from_str(&value).expect("digits and base64 can be in a header"))
        });
        taken(self.target.post("", headers.collect::<HeaderMap>(), body).await, &[])
    }

    fn signature(&self, id: &str, seconds: u64, body: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

fn body(waiting: &Waiting, ways: &Ways) -> String {
    let letter = &waiting.letter;
    let links: Vec<_> = ways
        .links
        .iter()
        .map(|link| json!({ "deed": link.deed, "text": link.text, "url": link.url }))
        .collect();
    json!({
        "type": letter.kind,
        "timestamp": letter.at.to_string(),
        "data": {
            "app": letter.app,
            "about": letter.about,
            "headline": letter.headline,
            "text": letter.body,
            "facts": letter.facts,
            "links": links,
            "page": ways.page,
        },
    })
    .to_string()
}

/// The bytes of a key: what follows `whsec_` is base64, anything else is taken as it is.
fn key_of(secret: &str) -> Result<Vec<u8>, SettingsError> {
    match secret.strip_prefix("whsec_") {
        None => Ok(secret.as_bytes().to_vec()),
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| {
            SettingsError::value("webhook.secret", "whsec_***", "it is not base64 after whsec_")
        }),
    }
}
