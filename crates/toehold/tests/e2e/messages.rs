//! From a number that is too high to a person's thumb: an alert, its mail by a real mail server, the
//! link in it, and what the link does.

use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use toehold_scenery::MailServer;

use crate::stage::{Stage, get, request, until};

/// What Toehold logs in with.
const PASSWORD: &str = "a password of the mail server";

/// A mail server whose mails are read; it ends with this.
struct Postbox {
    server: MailServer,
    folder: TempDir,
    mails: mpsc::Receiver<String>,
}

impl Postbox {
    fn open() -> Self {
        let python = std::env::var("TOEHOLD_TEST_PYTHON").unwrap_or_else(|_| {
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/bin/python3").to_owned()
        });
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("password"), PASSWORD).expect("written");
        let (sender, mails) = mpsc::channel();
        let server = MailServer::start(&python, folder.path(), PASSWORD, move |mail| {
            // Whoever reads them has gone.
            let _ = sender.send(mail);
        });
        Self { server: server.expect("aiosmtpd: see script/setup"), folder, mails }
    }

    /// The settings that lead here.
    fn settings(&self) -> String {
        format!(
            "[mail]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\n\
             username = \"{}\"\npassword_file = \"{}\"\nca_file = \"{}\"\n\
             from = \"toehold@example.com\"\nto = [\"ops@example.com\"]\n",
            self.server.port(),
            MailServer::USER,
            self.folder.path().join("password").display(),
            self.server.certificate().display(),
        )
    }

    /// The next mail whose subject has these words.
    fn mail(&self, words: &str) -> String {
        loop {
            let mail = self.mails.recv_timeout(Duration::from_mins(1)).expect("a mail comes");
            let mail = mail.replace("\r\n", "\n");
            let subject = mail.lines().find(|line| line.starts_with("Subject: "));
            if subject.is_some_and(|line| line.contains(words)) {
                return mail;
            }
        }
    }
}

/// The path of the link below a line of a mail that begins so. A long line may be broken.
fn link(mail: &str, label: &str) -> String {
    let whole = mail.replace("=\n", "").replace("=3D", "=");
    let mut lines = whole.lines().skip_while(|line| !line.starts_with(label));
    let url = lines.nth(1).unwrap_or_else(|| panic!("no {label:?} in {whole}"));
    let path = url.strip_prefix("https://toehold.example.com").expect(url);
    path.trim().to_owned()
}

#[test]
fn an_alert_comes_by_mail_and_its_link_goes_back_once() {
    let postbox = Postbox::open();
    let dashboard = "dashboard_url = \"https://toehold.example.com\"\n";
    let stage = Stage::with_settings(&format!("{dashboard}{}", postbox.settings()));
    let app = stage.app("hello");
    app.set("[run]\n", "[run]\ncpus = 0.25\n");
    app.add(
        "toehold.toml",
        "\n[alerts.cpu]\nwhen = \"cpu > 45% for 3s\"\nclear = \"cpu < 40%\"\nnotify = [\"mail\"]\n",
    );
    app.commit("watch the cpu");
    app.push("main");
    app.until_heard("v1");
    until("the first release is good", || (app.status()["serving"] == 1).then_some(()));
    app.add("main.js", "setInterval(() => { const until = Date.now() + 15; while (Date.now() < until) {} }, 20);\n");
    app.says("v2").push("main");
    app.until_heard("v2");
    let mail = postbox.mail("cpu");
    let path = link(&mail, "Roll back to #1");
    // To open it asks, as often as a mail program looks; nothing is done by that.
    for _ in 0..2 {
        let (status, page) = get(stage.api, "toehold", &path);
        assert!(status == 200 && page.contains("Roll back to #1?"), "{status} {page}");
    }
    assert!(app.events("rollback.started").is_empty());
    let press = || {
        let ask = format!(
            "POST {path} HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
             Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 0\r\n\r\n"
        );
        request(stage.api, &ask).expect("an answer")
    };
    let (status, page) = press();
    assert_eq!(status, 200, "{page}");
    app.until_heard("v1");
    let (status, page) = press();
    assert_eq!(status, 410, "{page}");
    let started = app.events("rollback.started");
    assert_eq!(started.len(), 1, "{started:?}");
    assert!(
        started[0]["actor"].as_str().is_some_and(|by| by.contains("link by mail")),
        "{started:?}"
    );
    postbox.mail("#1");
}
