//! Delivery by `POST`, signed as Standard Webhooks has it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::json;
use sha2::Sha256;
use toehold_core::time::Timestamp;
use toehold_host::tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::notify::layout::{cut, one_line};
use crate::notify::outbox::{Undelivered, Waiting};
use crate::notify::settings::{pem_of, secret_of};
use crate::notify::{SettingsError, WebhookSettings};

/// The longest a delivery may take, connecting included.
const DELIVERY: Duration = Duration::from_secs(10);

/// How much of an answer is looked at, in bytes: only for the message when it is a refusal.
const ANSWER_BYTES: usize = 4 * 1024;

/// Sends letters to one address.
pub(super) struct Webhook {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    key: Vec<u8>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, SettingsError> {
        let wrong = |why: &str| SettingsError::value("webhook.url", &settings.url, why);
        let url: Uri = settings.url.parse().map_err(|_| wrong("it is not a URL"))?;
        let authority = url.authority().ok_or_else(|| wrong("write it as https://host/path"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not hold a password: the signature proves who sends"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let pem = pem_of("webhook.ca_file", settings.ca_file.as_ref())?;
        let (tls, usual_port) = match url.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let connector = tls::connector(pem.as_deref()).map_err(|why| {
                    let given = settings.ca_file.as_deref().unwrap_or("".as_ref());
                    SettingsError::value("webhook.ca_file", &given.to_string_lossy(), &why)
                })?;
                (Some(connector), 443)
            }
            _ => return Err(wrong("it begins with neither https:// nor http://")),
        };
        let secret =
            secret_of("webhook.secret", settings.secret.as_ref(), settings.secret_file.as_ref())?;
        let Some(secret) = secret.filter(|secret| !secret.reveal().is_empty()) else {
            let why = "the receiver checks by it that a message is ours";
            return Err(SettingsError::Missing { field: "webhook.secret", why });
        };
        let port = authority.port_u16().unwrap_or(usual_port);
        Ok(Self { host, port, tls, key: key_of(secret.reveal())?, url })
    }

    /// Whom the letters go to, for the event that says so: without the path, which may be secret.
    pub(super) fn receivers(&self) -> String {
        self.host.clone()
    }

    pub(super) async fn deliver(
        &self,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let request = self.compose(waiting, now)?;
        let (status, answer) = match tokio::time::timeout(DELIVERY, self.send(request)).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(why)) => return Err(Undelivered::Away(why)),
            Err(_) => return Err(Undelivered::Away("the receiver took too long".to_owned())),
        };
        if status.is_success() {
            return Ok(());
        }
        let why = cut(&one_line(&format!("the receiver answered {status}: {answer}")), 200);
        if status == StatusCode::GONE {
            return Err(Undelivered::Never(why));
        }
        // Also a redirect: it is not followed, the address is to be mended.
        Err(Undelivered::Later(why))
    }

    fn compose(
        &self,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<Request<Full<Bytes>>, Undelivered> {
        let letter = &waiting.letter;
        let body = json!({
            "type": letter.kind,
            "timestamp": letter.at.to_string(),
            "data": {
                "app": letter.app,
                "about": letter.about,
                "headline": letter.headline,
                "text": letter.body,
                "facts": letter.facts,
            },
        })
        .to_string();
        let seconds = now.as_ms() / 1_000;
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        Request::builder()
            .method(Method::POST)
            .uri(self.url.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("toehold/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &waiting.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", self.signature(&waiting.id, seconds, &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Undelivered::Never(error.to_string()))
    }

    fn signature(&self, id: &str, seconds: u64, body: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), String> {
        let address = (self.host.as_str(), self.port);
        let cannot = |error: std::io::Error| format!("cannot reach {}: {error}", self.host);
        let stream = TcpStream::connect(address).await.map_err(cannot)?;
        match &self.tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|_| format!("{:?} cannot be in a certificate", self.host))?;
                exchange(tls.connect(name, stream).await.map_err(cannot)?, request).await
            }
        }
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, String), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let words = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(words)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            ended.map_err(words)?;
            exchange.await
        }
    }
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
