//! Letters to where people talk.

use std::time::Duration;

use serde_json::Value;
use toehold_core::model::EventKind;
use toehold_server::clock::Clock;
use toehold_server::notify::{
    Channel, ChatSettings, Notifier, NtfySettings, Settings, SettingsError,
};
use toehold_server::secret::Secret;

use crate::parts::Stage;
use crate::receiver::{Contract, Receiver, discord, ntfy, slack, teams};

const SECRET: &str = "sesameopen";

/// Each of them, with its contract.
const ALL: [(Channel, Contract); 4] = [
    (Channel::Slack, slack),
    (Channel::Discord, discord),
    (Channel::Teams, teams),
    (Channel::Ntfy, ntfy),
];

fn settings(stage: &Stage, channel: Channel, receiver: &Receiver) -> Settings {
    let base = format!("http://{}", receiver.addr);
    let chat = |path: &str| {
        let file = stage.dir.path().join("url");
        std::fs::write(&file, format!("{base}{path}\n")).expect("it is written");
        let (url_file, ca_file) = (Some(file), None);
        Some(ChatSettings { url: None, url_file, ca_file, allow_private: false })
    };
    let mut settings = Settings {
        dashboard_url: Some("https://toehold.example.com".into()),
        ..Settings::default()
    };
    match channel {
        Channel::Slack => settings.slack = chat("/services/T0123/B0123/sesameopen"),
        Channel::Discord => settings.discord = chat("/api/webhooks/123/sesameopen"),
        Channel::Teams => settings.teams = chat("/workflows/1?api-version=1&sig=sesameopen"),
        _ => {
            settings.ntfy = Some(NtfySettings {
                server: base,
                topic: Secret::new("alerts"),
                token: Some(Secret::new("tk_sesameopen")),
                token_file: None,
                ca_file: None,
                allow_private: false,
            });
        }
    }
    settings
}

/// The links in a message, wherever it has them.
fn links(message: &Value) -> usize {
    message.to_string().matches("https://toehold.example.com/act/").count()
}

#[tokio::test]
async fn each_gets_a_letter_in_its_own_shape_with_its_link() {
    for (channel, contract) in ALL {
        let mut stage = Stage::new();
        let mut receiver = Receiver::start(contract).await;
        stage.run(&settings(&stage, channel, &receiver));
        stage.warn("[shop] alert: cpu of <!channel> @everyone", &[channel]).await;
        let (status, message) = receiver.message().await;
        assert!((200..300).contains(&status), "{channel}: {status} {message}");
        assert_eq!(links(&message), 1, "{channel}: {message}");
        assert!(message.to_string().contains("Roll back to #42"), "{channel}: {message}");
        let event = stage.event().await;
        assert_eq!(event.kind, EventKind::MessageSent);
        assert_eq!(
            event.text,
            format!("{channel} to 127.0.0.1: [shop] alert: cpu of <!channel> @everyone")
        );
    }
}

#[tokio::test]
async fn who_has_had_enough_is_left_alone_for_as_long_as_it_says() {
    for (channel, contract) in ALL {
        let mut stage = Stage::new();
        let mut receiver = Receiver::start(contract).await;
        receiver.is_busy(true);
        stage.run(&settings(&stage, channel, &receiver));
        stage.tell("one", &[channel]).await;
        assert_eq!(receiver.message().await.0, 429);
        let tried = stage.tried(1).await;
        assert_eq!(
            tried["next_at"],
            stage.clock.now().as_ms(),
            "the channel waits, not the letter"
        );
        receiver.is_busy(false);
        stage.clock.advance(Duration::from_secs(1));
        stage.tell("two", &[channel]).await;
        stage.clock.advance(Duration::from_secs(28));
        assert_eq!(receiver.message_so_far(), None, "{channel}");
        stage.clock.advance(Duration::from_secs(1));
        assert!(receiver.message().await.1.to_string().contains("one"));
        assert_eq!(stage.event().await.kind, EventKind::MessageSent);
        stage.clock.advance(Duration::from_secs(5));
        assert!(receiver.message().await.1.to_string().contains("two"));
    }
}

#[tokio::test]
async fn what_is_secret_of_an_address_is_in_no_event_and_no_letter() {
    for (channel, contract) in ALL {
        let mut stage = Stage::new();
        let mut receiver = Receiver::start(contract).await;
        let mut settings = settings(&stage, channel, &receiver);
        // The address leads nowhere, and what answers there says so with the address in it.
        let chats = [&mut settings.slack, &mut settings.discord, &mut settings.teams];
        for chat in chats.into_iter().flatten() {
            chat.url_file = None;
            let url = format!("http://{}/gone/{SECRET}?sig={SECRET}", receiver.addr);
            chat.url = Some(Secret::new(url.as_str()));
        }
        if let Some(ntfy) = &mut settings.ntfy {
            ntfy.token = Some(Secret::new("sesameopen-but-wrong"));
        }
        stage.run(&settings);
        stage.tell("in vain", &[channel]).await;
        let (status, _) = receiver.message().await;
        assert!((400..500).contains(&status));
        let waiting = stage.tried(1).await;
        let shown = format!("{waiting} {settings:?}");
        assert!(shown.contains(&status.to_string()), "{shown}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn what_a_chat_cannot_read_is_said_at_once_and_not_tried_for_days() {
    let refusals: [Contract; 3] = [
        |_, _, _| (400, "invalid_payload"),
        |_, _, _| (413, "too large"),
        |_, _, _| (422, "not a message"),
    ];
    for ((channel, _), refuses) in ALL.into_iter().zip(refusals.into_iter().cycle()) {
        let mut stage = Stage::new();
        let mut receiver = Receiver::start(refuses).await;
        stage.run(&settings(&stage, channel, &receiver));
        stage.tell("in vain", &[channel]).await;
        let (status, _) = receiver.message().await;
        let event = stage.event().await;
        assert_eq!(event.kind, EventKind::MessageFailed, "{channel}");
        assert!(event.text.contains(&status.to_string()), "{channel}: {}", event.text);
        assert!(stage.waiting().await.is_empty());
    }
}

#[tokio::test]
async fn a_storm_reaches_each_as_messages_it_takes() {
    for (channel, contract) in ALL {
        let mut stage = Stage::new();
        let mut receiver = Receiver::start(contract).await;
        for n in 0..120 {
            stage.tell(&format!("letter {n:04}. {}", "größer <b> ".repeat(8)), &[channel]).await;
        }
        stage.run(&settings(&stage, channel, &receiver));
        let mut left: Vec<String> = (0..120).map(|n| format!("letter {n:04}.")).collect();
        let mut messages = 0;
        while !left.is_empty() {
            let (status, message) = receiver.message().await;
            assert!((200..300).contains(&status), "{channel}: {status}");
            let text = message.to_string();
            left.retain(|letter| !text.contains(letter.as_str()));
            messages += 1;
            assert!(messages < 20, "{channel}: {} are left", left.len());
            loop {
                if stage.event().await.kind == EventKind::MessageSent {
                    break;
                }
            }
            stage.clock.advance(Duration::from_secs(5));
        }
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_by_name_and_show_no_address() {
    let stage = Stage::new();
    let refused = |settings: &Settings| {
        let made = Notifier::new(stage.store.clone(), stage.clock.clone(), settings, &stage.keys);
        let Err(error) = made else { panic!("{settings:?} was accepted") };
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
        match error {
            SettingsError::Value { field, .. }
            | SettingsError::Missing { field, .. }
            | SettingsError::File { field, .. } => field,
        }
    };
    let chat = |url: &str| {
        let url = Some(Secret::new(url)).filter(|url| !url.reveal().is_empty());
        Some(ChatSettings { url, url_file: None, ca_file: None, allow_private: false })
    };
    let none = Settings::default;
    assert_eq!(refused(&Settings { slack: chat(""), ..none() }), "slack.url");
    let bad = "ftp://example.com/sesameopen";
    assert_eq!(refused(&Settings { slack: chat(bad), ..none() }), "slack.url");
    assert_eq!(refused(&Settings { discord: chat(bad), ..none() }), "discord.url");
    assert_eq!(refused(&Settings { teams: chat(bad), ..none() }), "teams.url");
    let mut ntfy = NtfySettings {
        server: "https://ntfy.sh".into(),
        topic: Secret::new("a/b sesameopen"),
        token: None,
        token_file: None,
        ca_file: None,
        allow_private: false,
    };
    assert_eq!(refused(&Settings { ntfy: Some(ntfy.clone()), ..none() }), "ntfy.topic");
    ntfy.topic = Secret::new("alerts");
    ntfy.token_file = Some("/none".into());
    assert_eq!(refused(&Settings { ntfy: Some(ntfy), ..none() }), "ntfy.token");
    for base in ["toehold.example.com", "https://", "https://u@x/", "ftp://x"] {
        let dashboard_url = Some(base.to_owned());
        assert_eq!(refused(&Settings { dashboard_url, ..none() }), "dashboard_url", "{base}");
    }
}
