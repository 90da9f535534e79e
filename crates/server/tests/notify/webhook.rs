//! Letters by webhook.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use sha2::Sha256;
use toehold_core::model::EventKind;
use toehold_server::clock::Clock;
use toehold_server::notify::{
    Channel, Notifier, Security, Settings, SettingsError, WebhookSettings,
};
use toehold_server::secret::Secret;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::mail_server::{Certificate, MailServer, Setup, free_port};
use crate::parts::{Stage, is_sent, soon};

const WEBHOOK: &[Channel] = &[Channel::Webhook];

/// A receiver that answers as it is told.
struct Receiver {
    addr: SocketAddr,
    answer: Arc<AtomicU16>,
    got: mpsc::UnboundedReceiver<(HeaderMap, String)>,
}

#[derive(Clone)]
struct Answering {
    answer: Arc<AtomicU16>,
    got: mpsc::UnboundedSender<(HeaderMap, String)>,
}

async fn take(State(answering): State<Answering>, headers: HeaderMap, body: String) -> Response {
    let status = answering.answer.load(Ordering::SeqCst);
    if status == 307 {
        return Redirect::temporary("/elsewhere").into_response();
    }
    // Nobody may be left to look at it.
    let _ = answering.got.send((headers, body));
    (StatusCode::from_u16(status).expect("a status"), "said the receiver").into_response()
}

impl Receiver {
    async fn start(tls: Option<&Certificate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = listener.local_addr().expect("it is bound");
        let answer = Arc::new(AtomicU16::new(200));
        let (says, got) = mpsc::unbounded_channel();
        let answering = Answering { answer: answer.clone(), got: says };
        let router = Router::new()
            .route("/hook", post(take))
            .route("/elsewhere", post(|| async { StatusCode::OK }))
            .with_state(answering);
        tokio::spawn(serve(listener, tls.map(acceptor), router));
        Self { addr, answer, got }
    }

    fn settings(&self) -> Settings {
        to(&format!("http://{}/hook", self.addr))
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    async fn letter(&mut self) -> (HeaderMap, String) {
        soon("a letter arrives", self.got.recv()).await.expect("it runs")
    }
}

fn acceptor(pair: &Certificate) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(&pair.certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&pair.key).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        let http = hyper::server::conn::http1::Builder::new();
        match &tls {
            None => drop(tokio::spawn(http.serve_connection(TokioIo::new(stream), service))),
            Some(tls) => {
                let Ok(stream) = tls.accept(stream).await else { continue };
                drop(tokio::spawn(http.serve_connection(TokioIo::new(stream), service)));
            }
        }
    }
}

fn to(url: &str) -> Settings {
    let webhook = WebhookSettings {
        url: url.into(),
        secret: Some(Secret::new("whsec_aHVudGVyMg==")),
        secret_file: None,
        ca_file: None,
        allow_private: false,
    };
    Settings { webhook: Some(webhook), ..Settings::default() }
}

#[tokio::test]
async fn a_letter_is_signed_so_that_its_receiver_can_check_it() {
    let mut stage = Stage::new();
    let mut receiver = Receiver::start(None).await;
    stage.run(&receiver.settings());
    stage.tell("[shop] hello", WEBHOOK).await;

    let (headers, body) = receiver.letter().await;
    let header = |name: &str| headers[name].to_str().expect("a text").to_owned();
    let seconds = header("webhook-timestamp");
    assert_eq!(seconds, (stage.clock.now().as_ms() / 1_000).to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hunter2").expect("a key");
    mac.update(format!("{}.{seconds}.{body}", header("webhook-id")).as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("host"), receiver.addr.to_string());

    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["type"], "message.sent");
    assert_eq!(body["timestamp"], "2027-01-15T08:00:00.000Z");
    assert_eq!(body["data"]["headline"], "[shop] hello");
    let event = stage.event().await;
    assert!(is_sent(&event) && event.text.starts_with("webhook to 127.0.0.1:"), "{event:?}");
}

/// Whether another hand, which follows the published standard, believes it.
fn is_believed(headers: &HeaderMap, body: &str, now_s: u64) -> bool {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("a text").into()))
        .collect();
    let given = serde_json::json!({
        "secret": "whsec_aHVudGVyMg==", "headers": headers, "body": body, "now_s": now_s,
    });
    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notify/verify.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python runs");
    let mut stdin = python.stdin.take().expect("it listens");
    stdin.write_all(given.to_string().as_bytes()).expect("it listens");
    drop(stdin);
    python.wait().expect("it ends").success()
}

#[tokio::test]
async fn whoever_follows_the_published_standard_believes_a_letter_and_no_forged_one() {
    let mut stage = Stage::new();
    let mut receiver = Receiver::start(None).await;
    stage.run(&receiver.settings());
    stage.tell("[shop] Gr\u{fc}\u{df}e, \u{201e}shop\u{201c}", WEBHOOK).await;
    let (headers, body) = receiver.letter().await;
    let now_s = stage.clock.now().as_ms() / 1_000;
    assert!(is_believed(&headers, &body, now_s));
    assert!(!is_believed(&headers, &body.replacen("shop", "ship", 1), now_s), "other words");
    assert!(!is_believed(&headers, &body, now_s + 301), "it is sent again later");
    for name in ["webhook-id", "webhook-timestamp"] {
        let mut forged = headers.clone();
        forged.insert(name, "1800000001".parse().expect("a value"));
        assert!(!is_believed(&forged, &body, now_s), "another {name}");
    }
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_under_the_same_id() {
    let mut stage = Stage::new();
    let mut receiver = Receiver::start(None).await;
    receiver.answers(503);
    stage.run(&receiver.settings());
    stage.tell("again", WEBHOOK).await;
    let (first, _) = receiver.letter().await;
    let tried = stage.tried(1).await;
    let why = tried["last_error"].as_str().expect("a reason");
    assert!(why.contains("503") && why.contains("said the receiver"), "{why}");

    receiver.answers(200);
    stage.clock.advance(Duration::from_secs(5));
    let (second, _) = receiver.letter().await;
    assert_eq!(first["webhook-id"], second["webhook-id"]);
    assert_ne!(first["webhook-timestamp"], second["webhook-timestamp"]);
    assert!(is_sent(&stage.event().await));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let mut stage = Stage::new();
    let receiver = Receiver::start(None).await;
    receiver.answers(410);
    stage.run(&receiver.settings());
    stage.tell("in vain", WEBHOOK).await;
    assert_eq!(stage.event().await.kind, EventKind::MessageFailed);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut stage = Stage::new();
    let receiver = Receiver::start(None).await;
    receiver.answers(307);
    stage.run(&receiver.settings());
    stage.tell("elsewhere", WEBHOOK).await;
    let tried = stage.tried(1).await;
    assert!(tried["last_error"].as_str().is_some_and(|why| why.contains("307")), "{tried}");
}

#[tokio::test]
async fn over_https_only_a_receiver_that_is_vouched_for_gets_it() {
    let mut stage = Stage::new();
    let pair = Certificate::new(stage.dir.path(), "receiver");
    let mut receiver = Receiver::start(Some(&pair)).await;
    let mut settings = to(&format!("https://localhost:{}/hook", receiver.addr.port()));
    stage.run(&settings);
    stage.tell("secret", WEBHOOK).await;
    let tried = stage.tried(1).await;
    assert!(tried["last_error"].as_str().is_some_and(|why| why.contains("certificate")), "{tried}");
    stage.stop().await;
    assert!(receiver.got.try_recv().is_err());

    if let Some(webhook) = &mut settings.webhook {
        webhook.ca_file = Some(pair.certificate);
    }
    stage.run(&settings);
    receiver.letter().await;
    assert!(is_sent(&stage.event().await));
}

#[tokio::test]
async fn a_mail_server_that_is_away_holds_up_no_webhook() {
    let mut stage = Stage::new();
    let mut receiver = Receiver::start(None).await;
    let setup = Setup { port: free_port(), ..Setup::default() };
    let mut settings = receiver.settings();
    settings.mail = Some(setup.settings(setup.port, &["ops@example.com"]));
    assert_eq!(settings.channels(), [Channel::Mail, Channel::Webhook]);
    stage.run(&settings);
    stage.tell("both", &settings.channels()).await;
    receiver.letter().await;
    assert!(is_sent(&stage.event().await));
    stage.tried(1).await;
    assert_eq!(stage.waiting().await.len(), 1, "the mail waits");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_up_no_mail() {
    let mut stage = Stage::new();
    let setup = Setup { security: Security::Plain, ..Setup::default() };
    let mut server = MailServer::start(&setup).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let mut settings = to(&format!("http://{}/", silent.local_addr().expect("bound")));
    settings.mail = Some(setup.settings(server.port, &["ops@example.com"]));
    stage.run(&settings);
    stage.tell("both", &settings.channels()).await;
    server.mail().await;
    assert!(is_sent(&stage.event().await));
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_up_no_webhook() {
    let mut stage = Stage::new();
    let mut receiver = Receiver::start(None).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let setup = Setup { security: Security::Plain, ..Setup::default() };
    let port = silent.local_addr().expect("bound").port();
    let mut settings = receiver.settings();
    settings.mail = Some(setup.settings(port, &["ops@example.com"]));
    stage.run(&settings);
    stage.tell("both", &settings.channels()).await;
    receiver.letter().await;
    assert!(is_sent(&stage.event().await));
    assert_eq!(stage.waiting().await.len(), 1, "the mail waits");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name() {
    let stage = Stage::new();
    let refused = |settings: &Settings| match Notifier::new(
        stage.store.clone(),
        stage.clock.clone(),
        settings,
        &stage.keys,
    ) {
        Err(SettingsError::Value { field, .. } | SettingsError::Missing { field, .. }) => field,
        Err(error) => panic!("{error}"),
        Ok(_) => "accepted",
    };
    for bad in ["", "x", "/x", "ftp://example.com/", "https://u:p@example.com/"] {
        assert_eq!(refused(&to(bad)), "webhook.url", "{bad:?}");
    }
    let mut settings = to("https://example.com/");
    assert_eq!(refused(&settings), "accepted");
    if let Some(webhook) = &mut settings.webhook {
        webhook.secret = None;
    }
    assert_eq!(refused(&settings), "webhook.secret");
}
