//! One proxy takes over from another: what whoever starts one and the one that was started say to
//! each other, a word a line, over the started one's stdin.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::timeout;

/// Says to a proxy that stdin is such a line, and whether another one serves until it does.
const VARIABLE: &str = "TOEHOLD_HANDOVER";

/// What it says then.
const FIRST: &str = "first";
const OVER: &str = "over";

/// The longest a new process may take until it serves.
const COMES_UP: Duration = Duration::from_secs(20);

/// The longest a word may take to be said.
const SAYING: Duration = Duration::from_secs(1);

/// The longest word.
const MAX_BYTES: u64 = 64;

/// Visitors are let in.
const READY: &str = "ready";

/// What a proxy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Another one serves: take nobody new.
    Drain,
    /// The other one is gone: serve again.
    Resume,
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Resume => "resume",
        }
    }
}

/// One end of the line.
#[derive(Debug)]
pub struct Line(BufReader<UnixStream>);

impl Line {
    fn new(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(BufReader::new(UnixStream::from_std(stream)?)))
    }

    /// Gives the process that is about to be started its end.
    pub fn to(command: &mut Command, takes_over: bool) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        command.env(VARIABLE, if takes_over { OVER } else { FIRST });
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        Self::new(ours)
    }

    /// The end of whoever started this process, where there is one; and whether another process
    /// serves until this one does.
    pub fn of_starter() -> io::Result<Option<(Self, bool)>> {
        let takes_over = match std::env::var(VARIABLE).as_deref() {
            Ok(FIRST) => false,
            Ok(OVER) => true,
            _ => return Ok(None),
        };
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        let stream = std::os::unix::net::UnixStream::from(stdin);
        if stream.peer_addr().is_err() {
            return Ok(None);
        }
        Ok(Some((Self::new(stream)?, takes_over)))
    }

    /// Says that visitors are let in.
    pub async fn ready(&mut self) {
        self.say(READY).await;
    }

    /// Tells a proxy.
    pub async fn tell(&mut self, word: Word) {
        self.say(word.as_str()).await;
    }

    /// Whoever is gone does not need to know.
    async fn say(&mut self, word: &str) {
        let line = format!("{word}\n");
        let _ = timeout(SAYING, self.0.write_all(line.as_bytes())).await;
    }

    /// The next word; `None` once nobody is left to say one.
    pub async fn told(&mut self) -> Option<Word> {
        loop {
            let said = self.next().await?;
            let known = [Word::Drain, Word::Resume].into_iter().find(|it| it.as_str() == said);
            if known.is_some() {
                return known;
            }
        }
    }

    async fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = (&mut self.0).take(MAX_BYTES).read_line(&mut line).await;
        read.is_ok_and(|bytes| bytes > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits until the process serves; why it does not, in words. One that does not is ended.
    pub async fn until_ready(&mut self, child: &mut Child) -> Result<(), String> {
        let came = async {
            while let Some(said) = self.next().await {
                if said == READY {
                    return Ok(());
                }
            }
            match child.wait().await {
                Ok(status) => Err(format!("it ended before it served ({status})")),
                Err(error) => Err(format!("cannot wait for it: {error}")),
            }
        };
        let came = timeout(COMES_UP, came).await;
        let came = came
            .unwrap_or_else(|_| Err(format!("it did not serve within {} s", COMES_UP.as_secs())));
        if came.is_err() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
        came
    }
}
