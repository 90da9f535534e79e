//! Many letters in a short time.

use std::time::Duration;

use toehold_core::model::EventKind;
use toehold_server::notify::{Channel, Security, Settings};

use crate::mail_server::{MailServer, Setup, free_port};
use crate::parts::Stage;

const MAIL: &[Channel] = &[Channel::Mail];

#[tokio::test]
async fn a_thousand_failures_are_a_few_messages_and_none_is_lost() {
    let mut stage = Stage::new();
    let setup = Setup { security: Security::Plain, port: free_port(), ..Setup::default() };
    let mail = Some(setup.settings(setup.port, &["ops@example.com"]));
    for n in 0..1_000 {
        stage.tell(&format!("letter {n:04}."), MAIL).await;
    }
    stage.run(&Settings { mail, ..Settings::default() });
    // The first goes out as one of many, and finds nobody.
    stage.tried(1).await;
    let mut server = MailServer::start(&setup).await;
    stage.clock.advance(Duration::from_secs(5));
    let mut left: Vec<String> = (0..1_000).map(|n| format!("letter {n:04}.")).collect();
    let mut messages = 0;
    while !left.is_empty() {
        let mail = server.mail().await;
        left.retain(|letter| !mail.text.contains(letter.as_str()));
        messages += 1;
        assert!(messages <= 20, "{} are left", left.len());
    }
    assert!(stage.waiting().await.len() <= 1, "the last may still be written down as sent");
    let (mut joined, mut sent) = (0, 0);
    while sent < messages {
        let event = stage.event().await;
        assert!(!event.facts.to_string().contains("failed"), "{event:?}");
        match event.kind {
            EventKind::MessagesJoined => joined += 1,
            EventKind::MessageSent => sent += 1,
            other => panic!("{other}"),
        }
    }
    assert!(joined >= 6, "{joined}");
}

#[tokio::test]
async fn who_is_told_often_is_told_once_a_minute() {
    let mut stage = Stage::new();
    let setup = Setup { security: Security::Plain, ..Setup::default() };
    let mut server = MailServer::start(&setup).await;
    let mail = Some(setup.settings(server.port, &["ops@example.com"]));
    stage.run(&Settings { mail, ..Settings::default() });
    for n in 0..20 {
        stage.tell(&format!("single {n}"), MAIL).await;
        assert_eq!(server.mail().await.header("Subject"), format!("single {n}"));
        stage.event().await;
    }
    for n in 0..7 {
        stage.tell(&format!("many {n}"), MAIL).await;
    }
    assert_eq!(server.mail_so_far(), None);
    // The last may be seen only after the others were put into one: then it goes by itself.
    let mut text = String::new();
    let mut messages = 0;
    while !(0..7).all(|n| text.contains(&format!("many {n}"))) {
        assert_eq!(server.mail_so_far(), None, "it went before its minute was over");
        stage.clock.advance(Duration::from_mins(1));
        text.push_str(&server.mail().await.text);
        messages += 1;
        while stage.event().await.kind != EventKind::MessageSent {}
    }
    assert!(messages <= 2, "{text}");
}
