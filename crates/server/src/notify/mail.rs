//! Delivery by SMTP.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::notify::links::Ways;
use crate::notify::outbox::{Delivered, Undelivered, Waiting};
use crate::notify::settings::{pem_of, secret_of};
use toehold_core::model::Subject;

use crate::notify::{MailSettings, Security, SettingsError};

/// The longest a single answer of the server may take.
const ANSWER: Duration = Duration::from_secs(10);

/// The longest a whole delivery to one receiver may take.
const DELIVERY: Duration = Duration::from_secs(45);

/// Sends letters as mail.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    pub(super) fn new(settings: &MailSettings) -> Result<Self, SettingsError> {
        let password = secret_of(
            "mail.password",
            settings.password.as_ref(),
            settings.password_file.as_ref(),
        )?;
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
                .port(settings.port.unwrap_or(settings.security.port()))
                .timeout(Some(ANSWER))
                .pool_config(PoolConfig::new().max_size(1).idle_timeout(Duration::from_secs(20)))
                .tls(tls(settings)?);
        if let Some(username) = &settings.username {
            let Some(password) = password else {
                let why = "a username is given, and a server asks for both";
                return Err(SettingsError::Missing { field: "mail.password", why });
            };
            if settings.security == Security::Plain && !is_this_machine(&settings.host) {
                let why = "the password would be readable on its way: use starttls or tls";
                return Err(SettingsError::value("mail.security", "plain", why));
            }
            let credentials = Credentials::new(username.clone(), password.reveal().to_owned());
            builder = builder.credentials(credentials);
        }
        let from = mailbox("mail.from", &settings.from)?;
        let to: Vec<_> =
            settings.to.iter().map(|to| mailbox("mail.to", to)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            let why = "somebody must get the mails";
            return Err(SettingsError::Missing { field: "mail.to", why });
        }
        Ok(Self { transport: builder.build(), from, to })
    }

    /// Those of them that a letter has reached, or that it has not.
    pub(super) fn receivers(&self, waiting: &Waiting, reached: bool) -> String {
        let all = self.to.iter().map(|to| to.email.to_string());
        let some: Vec<_> = all.filter(|to| waiting.reached.contains(to) == reached).collect();
        some.join(", ")
    }

    /// Sends a letter to the next who is still to be reached, each in an envelope of their own: what
    /// a server says of one of them is nothing to the others. Notes in `waiting` what came of it, and
    /// in `put_off` who did not take it now, and why.
    pub(super) async fn deliver(
        &self,
        waiting: &mut Waiting,
        ways: &Ways,
        put_off: &mut BTreeMap<String, String>,
    ) -> Result<Delivered, Undelivered> {
        let text = self.compose(waiting, ways)?.formatted();
        while let Some(to) = self.next(waiting, put_off) {
            let name = to.email.to_string();
            match self.send(to, &text).await {
                Ok(()) => {
                    waiting.reached.insert(name);
                }
                Err(Undelivered::Never(why)) => {
                    waiting.refused.insert(name, why);
                }
                Err(Undelivered::Later(why)) => {
                    put_off.insert(name, why);
                    continue;
                }
                // The server is away: the others would fare alike.
                Err(away @ (Undelivered::Away(_) | Undelivered::Busy(..))) => return Err(away),
            }
            if self.next(waiting, put_off).is_some() {
                return Ok(Delivered::Partly);
            }
        }
        match put_off.pop_last() {
            Some((_, why)) => Err(Undelivered::Later(why)),
            None if waiting.reached.is_empty() => Err(Undelivered::Never(whys(waiting))),
            None => Ok(Delivered::Whole),
        }
    }

    /// The next who is to be asked in this try.
    fn next(&self, waiting: &Waiting, put_off: &BTreeMap<String, String>) -> Option<&Mailbox> {
        self.to.iter().find(|to| {
            let name = to.email.to_string();
            !waiting.reached.contains(&name)
                && !waiting.refused.contains_key(&name)
                && !put_off.contains_key(&name)
        })
    }

    async fn send(&self, to: &Mailbox, text: &[u8]) -> Result<(), Undelivered> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()])
            .map_err(|error| Undelivered::Never(in_words(&error)))?;
        match tokio::time::timeout(DELIVERY, self.transport.send_raw(&envelope, text)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(undelivered(&error)),
            Err(_) => Err(Undelivered::Away("the mail server took too long".to_owned())),
        }
    }

    fn compose(&self, waiting: &Waiting, ways: &Ways) -> Result<Message, Undelivered> {
        let letter = &waiting.letter;
        // The same at each try: a mail that was taken but whose answer got lost is recognised.
        let message_id = format!("<{}@{}>", waiting.id, self.from.email.domain());
        let composed = self
            .to
            .iter()
            .cloned()
            .fold(Message::builder(), MessageBuilder::to)
            .from(self.from.clone())
            .date(UNIX_EPOCH + Duration::from_millis(letter.at.as_ms()))
            .message_id(Some(message_id))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .subject(letter.headline.as_str())
            .header(ContentType::TEXT_PLAIN);
        // What a mail program shows together: an alert that was raised, and its end.
        let composed = match self.thread(waiting) {
            Some(thread) => composed.references(thread),
            None => composed,
        };
        let composed = composed.body(format!("{}{}", letter.body, in_text(ways)));
        composed.map_err(|error| Undelivered::Never(in_words(&error)))
    }
}

impl Mailer {
    fn thread(&self, waiting: &Waiting) -> Option<String> {
        let (app, about) = (waiting.letter.app.as_ref()?, &waiting.letter.about);
        let Subject::Alert(id) = about else { return None };
        Some(format!("<{app}.alert.{id}@{}>", self.from.email.domain()))
    }
}

/// Why those who will never take a letter will not, each reason once.
pub(super) fn whys(waiting: &Waiting) -> String {
    let whys: BTreeSet<&str> = waiting.refused.values().map(String::as_str).collect();
    whys.into_iter().collect::<Vec<_>>().join("; ")
}

/// Where the letter leads, below it. An address stands on a line of its own, whole.
fn in_text(ways: &Ways) -> String {
    let mut text = String::new();
    if !ways.links.is_empty() {
        text.push_str("\nEach of these works once, for a day, and asks before it does anything:\n");
    }
    let links = ways.links.iter().map(|link| (link.text.as_str(), link.url.as_str()));
    for (label, url) in links.chain(ways.page.iter().map(|page| ("Dashboard", page.as_str()))) {
        text.extend(["\n", label, "\n", url, "\n"]);
    }
    text
}

fn tls(settings: &MailSettings) -> Result<Tls, SettingsError> {
    if settings.security == Security::Plain {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = pem_of("mail.ca_file", settings.ca_file.as_ref())? {
        let given = settings.ca_file.as_deref().unwrap_or("".as_ref()).to_string_lossy();
        let wrong =
            |error: SmtpError| SettingsError::value("mail.ca_file", &given, &in_words(&error));
        let authority = Certificate::from_pem(&pem).map_err(wrong)?;
        parameters =
            parameters.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    let parameters = parameters
        .build()
        .map_err(|error| SettingsError::value("mail.host", &settings.host, &in_words(&error)))?;
    match settings.security {
        Security::Tls => Ok(Tls::Wrapper(parameters)),
        Security::Starttls | Security::Plain => Ok(Tls::Required(parameters)),
    }
}

fn mailbox(field: &'static str, text: &str) -> Result<Mailbox, SettingsError> {
    text.parse().map_err(|_| {
        let why = "write it as `ops@example.com` or `Ops <ops@example.com>`";
        SettingsError::value(field, text, why)
    })
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a failed try means for the letter.
fn undelivered(error: &SmtpError) -> Undelivered {
    let why = in_words(error);
    let status = error.status().map(u16::from);
    match status {
        // No answer, or one about who we are and not about the letter: a person mends that, and
        // the letter then goes.
        None | Some(421 | 530 | 534 | 535 | 538) => Undelivered::Away(why),
        Some(_) if error.is_permanent() => Undelivered::Never(why),
        Some(_) => Undelivered::Later(why),
    }
}

/// The error and its causes on one line.
fn in_words(error: &dyn StdError) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
