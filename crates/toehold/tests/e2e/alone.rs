//! The proxy without the rest: a file says where its backends are.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::stage::{free_port, get, said, until};

/// A proxy that ends with this.
struct Alone {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Alone {
    fn with(backends: &str) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        let file = folder.path().join("backends");
        std::fs::write(&file, backends).expect("it is written");
        let process = command(&file, port).stderr(Stdio::null()).spawn().expect("it starts");
        let alone = Self { process, port, folder };
        until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        alone
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("backends")
    }

    /// Replaces the file as whoever has something to lose does: by a rename.
    fn now(&self, backends: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, backends).expect("it is written");
        std::fs::rename(new, self.file()).expect("it is replaced");
    }

    fn hears(&self) -> (u16, String) {
        get(self.port, "anything.example.com", "/")
    }

    /// Who answers, of twenty.
    fn heard(&self) -> BTreeSet<String> {
        (0..20).map(|_| self.hears()).filter(|(status, _)| *status == 200).map(|it| it.1).collect()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How one is started.
pub fn command(backends: &Path, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toehold"));
    command
        .args(["proxy", "--cpus", "1", "--listen"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("--backends")
        .arg(backends)
        .stdin(Stdio::null());
    command
}

/// A server that says these words to everyone, for as long as the test runs; its port.
pub fn origin(words: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let length = words.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}"
            );
            // Whoever only looks whether somebody listens asks nothing.
            if stream.read(&mut asked).is_ok_and(|read| read > 0) {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    port
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn a_file_says_where_the_backends_are_and_is_followed() {
    let (one, two) = (origin("one"), origin("two"));
    let alone = Alone::with(&format!("# ours\n127.0.0.1:{one}\nlocalhost:{two}*0\n"));
    assert_eq!(alone.heard(), set(&["one"]));
    alone.now(&format!("127.0.0.1:{one}\n127.0.0.1:{two}*3\n"));
    until("both answer", || (alone.heard() == set(&["one", "two"])).then_some(()));
    alone.now(&format!("127.0.0.1:{two}\n"));
    until("one is left", || (alone.heard() == set(&["two"])).then_some(()));
    // What cannot be read changes nothing; the next one that can does.
    alone.now("nonsense\n");
    std::fs::remove_file(alone.file()).expect("it was there");
    assert_eq!(alone.heard(), set(&["two"]));
    alone.now("");
    until("nobody serves", || (alone.hears().0 == 503).then_some(()));
    alone.now(&format!("127.0.0.1:{one}\n"));
    until("one serves again", || (alone.heard() == set(&["one"])).then_some(()));
}

#[test]
fn backends_that_make_no_sense_are_refused_by_their_line() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("backends");
    let refused = |text: Option<&str>| -> Output {
        if let Some(text) = text {
            std::fs::write(&file, text).expect("it is written");
        }
        command(&file, free_port()).output().expect("it runs")
    };
    let missing = refused(None);
    assert_eq!(missing.status.code(), Some(2), "{}", said(&missing));
    assert!(said(&missing).contains("cannot read"), "{}", said(&missing));
    let wrong = refused(Some("127.0.0.1:1\n127.0.0.1\n"));
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    assert!(said(&wrong).contains("line 2: write it as `HOST:PORT`"), "{}", said(&wrong));
    let twice = refused(Some("127.0.0.1:1\nlocalhost:1\n127.0.0.1:1*2\n"));
    assert!(said(&twice).contains("the same address"), "{}", said(&twice));
}
