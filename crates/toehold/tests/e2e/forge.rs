//! A forge: a repository, an API, and signatures by another hand than Toehold's.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::stage::{App, Stage, request, said};

pub const SECRET: &str = "a secret of the forge";

/// The forge: a bare repository.
pub struct Forge {
    folder: tempfile::TempDir,
}

impl Forge {
    pub fn new() -> Self {
        let forge = Self { folder: tempfile::tempdir().expect("a folder") };
        let git =
            Command::new("git").args(["init", "--quiet", "--bare"]).arg(forge.path()).status();
        assert!(git.expect("git runs").success());
        forge
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("shop.git")
    }

    /// The settings of the app `hello` at a forge of this kind.
    pub fn settings(&self, kind: &str) -> String {
        format!(
            "[apps.hello.{kind}]\nrepository = \"acme/shop\"\nurl = \"file://{}\"\n\
             secrets_file = \"{kind}-secrets\"\n",
            self.path().display()
        )
    }

    /// Pushes what is checked out to `main` here, whatever was there; gives its commit.
    pub fn take(&self, app: &App<'_>) -> String {
        let path = self.path();
        let path = path.to_str().expect("text");
        app.git(&["push", "--quiet", "--force", path, "HEAD:refs/heads/main"]);
        app.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }
}

/// The forge's API: takes everything, and writes down what was asked.
pub fn api() -> (u16, mpsc::Receiver<(String, serde_json::Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a link");
            let (mut text, mut piece) = (Vec::new(), [0; 4096]);
            let is_whole = |text: &[u8]| {
                let text = String::from_utf8_lossy(text).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let lines = head.lines().filter_map(|line| line.split_once(": "));
                let length =
                    lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
                let length = length.map_or(0, |(_, it)| it.parse().unwrap_or(0));
                (body.len() >= length).then(|| (head.to_owned(), body.to_owned()))
            };
            let (head, body) = loop {
                if let Some(whole) = is_whole(&text) {
                    break whole;
                }
                let count = stream.read(&mut piece).expect("it comes");
                text.extend_from_slice(&piece[..count]);
            };
            let answer = answer(&head);
            let _ = write!(
                stream,
                "HTTP/1.1 201 Created\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                answer.len()
            );
            let body = serde_json::from_str(&body).unwrap_or(serde_json::Value::Null);
            if sender.send((head, body)).is_err() {
                return;
            }
        }
    });
    (port, asked)
}

/// What GitHub answers with, as far as anybody here looks at it.
fn answer(head: &str) -> &'static str {
    if head.contains("/access_tokens ") {
        "{\"token\":\"ghs_of_the_app\",\"expires_at\":\"2099-01-01T00:00:00Z\"}"
    } else if head.starts_with("GET") && head.contains("/check-runs") {
        "{\"total_count\":0,\"check_runs\":[]}"
    } else if head.starts_with("GET") {
        "[]"
    } else {
        "{\"id\":1}"
    }
}

/// The HMAC-SHA256 of a text, as `hex` or `base64`, by another hand than Toehold's.
pub fn signed(secret: &str, text: &str, how: &str) -> String {
    let script = "import base64,hashlib,hmac,sys\n\
                  digest = hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), hashlib.sha256)\n\
                  print(digest.hexdigest() if sys.argv[2] == 'hex' else \
                  base64.b64encode(digest.digest()).decode())";
    let mut python = Command::new("python3")
        .args(["-c", script, secret, how])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    python.stdin.take().expect("it listens").write_all(text.as_bytes()).expect("it listens");
    said(&python.wait_with_output().expect("it ends")).trim().to_owned()
}

/// A delivery to the app `hello`, with these headers; 0 where the line was cut before its end.
pub fn deliver(stage: &Stage, kind: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = lines.concat();
    let text = format!(
        "POST /webhooks/{kind}/hello HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Content-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    request(stage.api, &text).map_or(0, |(status, _)| status)
}
