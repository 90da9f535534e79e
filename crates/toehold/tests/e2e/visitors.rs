//! Visitors who come, stay and listen while something is replaced.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::stage::until;

/// How long a visitor waits for what should come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Visitors who come all the time, some on connections they keep.
pub(crate) struct Visitors {
    done: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    all: Vec<JoinHandle<Vec<String>>>,
}

impl Visitors {
    pub(crate) fn come(port: u16) -> Self {
        let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut all = Vec::new();
        for keeps in [true, true, true, false, false] {
            let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
            all.push(std::thread::spawn(move || visit(port, keeps, &done, &answered)));
        }
        Self { done, answered, all }
    }

    /// Waits until so many more were answered.
    pub(crate) fn until_answered(&self, more: usize) {
        let from = self.answered.load(Ordering::Relaxed);
        until("visitors are answered", || {
            (self.answered.load(Ordering::Relaxed) >= from + more).then_some(())
        });
    }

    /// What went wrong.
    pub(crate) fn leave(self) -> Vec<String> {
        self.done.store(true, Ordering::Relaxed);
        self.all.into_iter().flat_map(|it| it.join().expect("a visitor does not panic")).collect()
    }
}

fn visit(port: u16, keeps: bool, done: &AtomicBool, answered: &AtomicUsize) -> Vec<String> {
    let mut lost = Vec::new();
    let mut kept = None;
    while !done.load(Ordering::Relaxed) {
        match ask(port, keeps, kept.take()) {
            Ok(stays) => {
                kept = stays;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => lost.push(error.to_string()),
        }
    }
    lost
}

/// One request; the connection where it may be used again.
fn ask(
    port: u16,
    keeps: bool,
    kept: Option<BufReader<TcpStream>>,
) -> std::io::Result<Option<BufReader<TcpStream>>> {
    let mut stream = match kept {
        Some(kept) => kept,
        None => connect(port)?,
    };
    let close = if keeps { "" } else { "Connection: close\r\n" };
    write!(stream.get_mut(), "GET / HTTP/1.1\r\nHost: hello.localhost\r\n{close}\r\n")?;
    let head = head(&mut stream)?;
    if !head.starts_with("http/1.1 200") {
        return Err(std::io::Error::other(head));
    }
    let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
    let length = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length])?;
    Ok((!head.contains("connection: close")).then_some(stream))
}

fn connect(port: u16) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// A head, in lower case.
pub(crate) fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::Error::other(format!("it ended after {head:?}")));
        }
    }
    Ok(head.to_ascii_lowercase())
}

/// Asks for something that goes on; the head is read.
fn begin(port: u16, head_says: &str, more: &str) -> BufReader<TcpStream> {
    let mut stream = connect(port).expect("it connects");
    write!(stream.get_mut(), "GET /{head_says} HTTP/1.1\r\nHost: hello.localhost\r\n{more}\r\n")
        .expect("it is taken");
    let head = head(&mut stream).expect("an answer");
    assert!(head.contains("http/1.1 200") || head.contains("http/1.1 101"), "{head}");
    stream
}

/// An answer that has no end until somebody asks for `/end`.
pub(crate) struct Listener {
    stream: BufReader<TcpStream>,
    heard: u64,
}

impl Listener {
    pub(crate) fn begin(port: u16) -> Self {
        Self { stream: begin(port, "stream", ""), heard: 0 }
    }

    /// Hears three more ticks, each the next one.
    pub(crate) fn hears(&mut self) {
        for _ in 0..3 {
            let line = self.line();
            assert_eq!(line, format!("tick {}", self.heard), "a tick is missing");
            self.heard += 1;
        }
    }

    /// Hears the rest, to its proper end.
    pub(crate) fn ends(mut self) {
        let mut line = self.line();
        while line.starts_with("tick") {
            line = self.line();
        }
        assert_eq!(line, "0", "it ends as a body in chunks does");
    }

    /// The next line that is neither empty nor the size of a chunk with something in it.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("it goes on");
            assert!(!line.is_empty(), "it broke off");
            let line = line.trim_end();
            if line == "0" || line.starts_with("tick") {
                return line.to_owned();
            }
        }
    }
}

/// A connection that goes on in another protocol, which says back what it hears.
pub(crate) struct Talk(BufReader<TcpStream>);

impl Talk {
    pub(crate) fn begin(port: u16) -> Self {
        Self(begin(port, "talk", "Connection: Upgrade\r\nUpgrade: echo\r\n"))
    }

    pub(crate) fn goes_on(&mut self) {
        self.0.get_mut().write_all(b"are you there?\n").expect("it takes it");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        assert_eq!(line, "are you there?\n");
    }
}
