//! Letters by mail.

use std::time::Duration;

use toehold_core::model::EventKind;
use toehold_server::clock::Clock;
use toehold_server::notify::{Channel, MailSettings, Notifier, Security, Settings, SettingsError};
use toehold_server::secret::Secret;

use crate::mail_server::{Certificate, MailServer, Setup, free_port};
use crate::parts::{Stage, is_sent};

const MAIL: &[Channel] = &[Channel::Mail];

fn only(mail: MailSettings) -> Settings {
    Settings { mail: Some(mail), ..Settings::default() }
}

fn plain() -> Setup {
    Setup { security: Security::Plain, ..Setup::default() }
}

fn with_password(stage: &Stage, security: Security) -> Setup {
    let certificate = Some(Certificate::new(stage.dir.path(), "server"));
    Setup { port: 0, security, certificate, password: Some("hunter2".into()) }
}

#[tokio::test]
async fn a_letter_goes_by_starttls_and_login() {
    let mut stage = Stage::new();
    let setup = with_password(&stage, Security::Starttls);
    let mut server = MailServer::start(&setup).await;
    stage.run(&only(setup.settings(server.port, &["ops@example.com", "Anna <anna@example.com>"])));
    stage.tell("[shop] gebaut: größer · ok", MAIL).await;

    let mail = server.mail().await;
    assert_eq!((&mail.said["login"], &mail.said["tls"]), (&true.into(), &true.into()));
    assert_eq!(mail.said["to"], serde_json::json!(["ops@example.com"]));
    let other = server.mail().await;
    assert_eq!(other.said["to"], serde_json::json!(["anna@example.com"]));
    assert_eq!(other.text, mail.text, "each sees who else got it, under the same Message-ID");
    assert!(
        mail.header("To").contains("ops@example.com, Anna <anna@example.com>"),
        "{}",
        mail.text
    );
    assert_eq!(mail.header("Date"), "Fri, 15 Jan 2027 08:00:00 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(mail.header("Subject").contains("=?utf-8?"), "{}", mail.header("Subject"));
    assert!(mail.header("Message-ID").ends_with("@example.com>"));
    assert!(mail.text.contains("anna tried whether letters arrive."), "{}", mail.text);

    let event = stage.event().await;
    assert!(is_sent(&event), "{event:?}");
    assert!(event.text.starts_with("mail to ops@example.com, anna@example.com: [shop]"));
    assert!(stage.waiting().await.is_empty());
}

#[tokio::test]
async fn a_letter_goes_by_tls_from_the_first_byte() {
    let mut stage = Stage::new();
    let setup = with_password(&stage, Security::Tls);
    let mut server = MailServer::start(&setup).await;
    stage.run(&only(setup.settings(server.port, &["ops@example.com"])));
    stage.tell("hello", MAIL).await;
    assert_eq!(server.mail().await.header("Subject"), "hello");
}

#[tokio::test]
async fn a_server_that_is_away_loses_no_mail_and_each_goes_once() {
    let mut stage = Stage::new();
    let setup = Setup { port: free_port(), ..plain() };
    stage.run(&only(setup.settings(setup.port, &["ops@example.com"])));
    for n in 0..5 {
        stage.tell(&format!("letter {n}"), MAIL).await;
    }
    let first = stage.tried(1).await;
    assert!(first["last_error"].as_str().expect("a reason").contains("refused"), "{first}");
    stage.clock.advance(Duration::from_secs(5));
    stage.tried(2).await;

    let mut server = MailServer::start(&setup).await;
    stage.clock.advance(Duration::from_mins(5));
    let mut subjects = vec![];
    for _ in 0..5 {
        subjects.push(server.mail().await.header("Subject"));
        assert!(is_sent(&stage.event().await));
    }
    subjects.sort();
    assert_eq!(subjects, ["letter 0", "letter 1", "letter 2", "letter 3", "letter 4"]);
    assert!(stage.waiting().await.is_empty());
    assert_eq!(server.mail_so_far(), None);
}

#[tokio::test]
async fn letters_wait_through_a_restart_under_the_same_message_id() {
    let mut stage = Stage::new();
    let setup = Setup { port: free_port(), ..plain() };
    let settings = only(setup.settings(setup.port, &["ops@example.com"]));
    stage.run(&settings);
    stage.tell("patient", MAIL).await;
    let tried = stage.tried(1).await;
    stage.stop().await;

    let mut server = MailServer::start(&setup).await;
    stage.run(&settings);
    let id = tried["id"].as_str().expect("an id");
    assert_eq!(server.mail().await.header("Message-ID"), format!("<{id}@example.com>"));
    assert!(is_sent(&stage.event().await));
}

#[tokio::test]
async fn a_server_with_another_certificate_gets_nothing() {
    let mut stage = Stage::new();
    let setup = with_password(&stage, Security::Starttls);
    let mut server = MailServer::start(&setup).await;
    let other = Certificate::new(stage.dir.path(), "other");
    let trusting_another = Setup { certificate: Some(other), ..setup.clone() };
    stage.run(&only(trusting_another.settings(server.port, &["ops@example.com"])));
    stage.tell("secret", MAIL).await;
    let tried = stage.tried(1).await;
    let why = tried["last_error"].as_str().expect("a reason");
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    assert_eq!(server.mail_so_far(), None);

    stage.stop().await;
    stage.run(&only(setup.settings(server.port, &["ops@example.com"])));
    assert_eq!(server.mail().await.header("Subject"), "secret", "nothing was lost by it");
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    let asking_for_tls = Setup { security: Security::Starttls, ..plain() };
    stage.run(&only(asking_for_tls.settings(server.port, &["ops@example.com"])));
    stage.tell("secret", MAIL).await;
    let tried = stage.tried(1).await;
    assert!(tried["last_error"].as_str().is_some_and(|why| why.contains("STARTTLS")), "{tried}");
    assert_eq!(server.mail_so_far(), None);
}

#[tokio::test]
async fn a_wrong_password_is_waited_out() {
    let mut stage = Stage::new();
    let setup = with_password(&stage, Security::Starttls);
    let mut server = MailServer::start(&setup).await;
    let wrong = Setup { password: Some("wrong".into()), ..setup.clone() };
    stage.run(&only(wrong.settings(server.port, &["ops@example.com"])));
    stage.tell("kept", MAIL).await;
    let tried = stage.tried(1).await;
    assert!(tried["last_error"].as_str().is_some_and(|why| why.contains("535")), "{tried}");
    stage.stop().await;
    stage.run(&only(setup.settings(server.port, &["ops@example.com"])));
    assert_eq!(server.mail().await.header("Subject"), "kept");
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_again() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    stage.run(&only(plain().settings(server.port, &["later@example.com"])));
    stage.tell("again", MAIL).await;
    let tried = stage.tried(1).await;
    assert!(tried["last_error"].as_str().is_some_and(|why| why.contains("451")), "{tried}");
    assert_eq!(tried["next_at"], (stage.clock.now().as_ms() + 5_000));
    assert_eq!(server.mail_so_far(), None);
    stage.clock.advance(Duration::from_secs(5));
    assert_eq!(server.mail().await.header("Subject"), "again");
    let facts = stage.event().await.facts;
    assert_eq!((&facts["attempts"], &facts["waited_ms"]), (&2.into(), &5_000.into()));
}

#[tokio::test]
async fn what_is_refused_for_ever_is_said_once() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    stage.run(&only(plain().settings(server.port, &["never@example.com"])));
    stage.tell("in vain", MAIL).await;
    let event = stage.event().await;
    assert_eq!(event.kind, EventKind::MessageFailed);
    assert!(event.text.contains("550") && event.text.contains("in vain"), "{}", event.text);
    assert!(stage.waiting().await.is_empty());
    assert_eq!(server.mail_so_far(), None);
}

#[tokio::test]
async fn one_who_is_refused_costs_nobody_else_the_mail() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    let to = ["never@example.com", "ops@example.com", "later@example.com", "anna@example.com"];
    stage.run(&only(plain().settings(server.port, &to)));
    stage.tell("for all", MAIL).await;
    let (ops, anna) = (server.mail().await, server.mail().await);
    assert_eq!(ops.said["to"], serde_json::json!(["ops@example.com"]));
    assert_eq!(anna.said["to"], serde_json::json!(["anna@example.com"]));
    let tried = stage.tried(1).await;
    assert_eq!(tried["reached"], serde_json::json!(["anna@example.com", "ops@example.com"]));
    assert!(tried["refused"]["never@example.com"].as_str().is_some_and(|it| it.contains("550")));
    stage.stop().await;

    // Also over a restart, only who has it not is asked again.
    stage.run(&only(plain().settings(server.port, &to)));
    stage.clock.advance(Duration::from_secs(5));
    let later = server.mail().await;
    assert_eq!(later.said["to"], serde_json::json!(["later@example.com"]));
    assert_eq!(later.header("Message-ID"), ops.header("Message-ID"));
    let (sent, failed) = (stage.event().await, stage.event().await);
    assert!(is_sent(&sent), "{sent:?}");
    let reached = "mail to ops@example.com, later@example.com, anna@example.com: for all";
    assert_eq!(sent.text, reached);
    assert_eq!(failed.kind, EventKind::MessageFailed);
    assert!(failed.text.starts_with("mail to never@example.com could not be delivered: for all"));
    assert!(stage.waiting().await.is_empty());
    assert_eq!(server.mail_so_far(), None);
}

#[tokio::test]
async fn who_has_a_mail_gets_it_no_second_time_wherever_the_sending_was_cut_off() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    let to = ["never@example.com", "ops@example.com", "hang@example.com", "anna@example.com"];
    let settings = only(plain().settings(server.port, &to));
    stage.run(&settings);
    stage.tell("for all", MAIL).await;
    let ops = server.mail().await;
    assert_eq!(ops.said["to"], serde_json::json!(["ops@example.com"]));
    stage.until_reached("ops@example.com").await;
    // The server keeps us waiting over the next one, and we are killed.
    server.hangs().await;
    stage.kill().await;

    stage.run(&settings);
    for name in ["hang@example.com", "anna@example.com"] {
        let mail = server.mail().await;
        assert_eq!(mail.said["to"], serde_json::json!([name]));
        assert_eq!(mail.header("Message-ID"), ops.header("Message-ID"));
    }
    let (sent, failed) = (stage.event().await, stage.event().await);
    let reached = "mail to ops@example.com, hang@example.com, anna@example.com: for all";
    assert_eq!(sent.text, reached);
    assert!(failed.text.starts_with("mail to never@example.com could not"), "{}", failed.text);
    assert_eq!(failed.facts["attempts"], 1, "the try that was cut off does not count");
    assert!(stage.waiting().await.is_empty());
    assert_eq!(server.mail_so_far(), None);
}

#[tokio::test]
async fn after_three_days_a_letter_is_given_up() {
    let mut stage = Stage::new();
    stage.run(&only(plain().settings(free_port(), &["ops@example.com"])));
    stage.tell("too late", MAIL).await;
    stage.tried(1).await;
    stage.clock.advance(Duration::from_hours(72));
    let event = stage.event().await;
    assert_eq!(event.kind, EventKind::MessageFailed);
    assert!(stage.waiting().await.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name() {
    let stage = Stage::new();
    let good = || plain().settings(25, &["ops@example.com"]);
    let login = |settings: MailSettings| MailSettings {
        username: Some("u".into()),
        password: Some(Secret::new("p")),
        ..settings
    };
    let far = MailSettings { host: "mail.example.com".into(), ..good() };
    let no_ca = MailSettings { ca_file: Some("/none".into()), ..good() };
    for (settings, field) in [
        (MailSettings { from: "nobody".into(), ..good() }, "mail.from"),
        (MailSettings { from: "a@b\r\nBcc: c@d".into(), ..good() }, "mail.from"),
        (MailSettings { to: vec![], ..good() }, "mail.to"),
        (MailSettings { username: Some("u".into()), ..good() }, "mail.password"),
        (login(far), "mail.security"),
        (MailSettings { password_file: Some("/none".into()), ..good() }, "mail.password"),
        (MailSettings { security: Security::Tls, ..no_ca }, "mail.ca_file"),
    ] {
        let outcome =
            Notifier::new(stage.store.clone(), stage.clock.clone(), &only(settings), &stage.keys);
        let Err(error) = outcome else { panic!("{field} was accepted") };
        let found = match &error {
            SettingsError::Value { field, .. }
            | SettingsError::Missing { field, .. }
            | SettingsError::File { field, .. } => *field,
        };
        assert_eq!(found, field, "{error}");
    }
    let made =
        Notifier::new(stage.store.clone(), stage.clock.clone(), &only(login(good())), &stage.keys);
    assert!(made.is_ok(), "a password to this machine needs no TLS");
}

#[tokio::test]
async fn a_mail_that_was_taken_without_an_answer_comes_again_under_the_same_id() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    stage.run(&only(plain().settings(server.port, &["drop@example.com"])));
    stage.tell("twice", MAIL).await;
    let first = server.mail().await;
    stage.tried(1).await;
    stage.clock.advance(Duration::from_secs(5));
    let second = server.mail().await;
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_eq!(first.text, second.text);
    assert!(is_sent(&stage.event().await));
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    for security in [Security::Starttls, Security::Tls] {
        let mut stage = Stage::new();
        let setup = with_password(&stage, security);
        let mut server = MailServer::start(&setup).await;
        let other = Certificate::new(stage.dir.path(), "other");
        let mut settings = setup.settings(server.port, &["ops@example.com"]);
        settings.ca_file = Some(other.certificate);
        stage.run(&only(settings));
        stage.tell("secret", MAIL).await;
        let why = stage.tried(1).await["last_error"].to_string();
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(server.mail_so_far(), None);
    }
}

#[tokio::test]
async fn a_mail_carries_links_that_stay_the_same_and_a_thread() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    let mut settings = only(plain().settings(server.port, &["later@example.com"]));
    settings.dashboard_url = Some("https://toehold.example.com/".into());
    stage.run(&settings);
    stage.warn("[shop] alert", MAIL).await;
    let waiting = stage.tried(1).await;
    stage.clock.advance(Duration::from_secs(5));
    let mail = server.mail().await;
    assert_eq!(mail.header("References"), "<shop.alert.3@example.com>");
    let text = mail.text.replace("=\n", "");
    let link = text.split_whitespace().find(|word| word.contains("/act/")).expect("a link");
    let link = link.strip_prefix("https://toehold.example.com/act/").expect("it leads to us");
    let ticket = stage.keys.unseal(link).expect("it is ours");
    assert_eq!(ticket.id, format!("{}.0", waiting["id"].as_str().expect("an id")));
    assert_eq!((ticket.app.as_str(), ticket.via.as_str()), ("shop", "mail"));
    assert!(text.contains("Roll back to #42\n"), "{text}");
    assert!(!waiting.to_string().contains("/act/"), "nothing of it lies in the store");
}

#[tokio::test]
async fn without_a_base_no_link_is_written() {
    let mut stage = Stage::new();
    let mut server = MailServer::start(&plain()).await;
    stage.run(&only(plain().settings(server.port, &["ops@example.com"])));
    stage.warn("[shop] alert", MAIL).await;
    assert!(!server.mail().await.text.contains("/act/"));
}
