//! Keeps processes of this same program running: starts each again when it ends, a little later
//! each time, and ends them all when asked.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

use crate::handover::{Line, Word};
use crate::program::Program;
use crate::report::Failure;

/// The shortest and the longest wait before a process is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A process that ran this long starts again without a wait.
const STEADY: Duration = Duration::from_secs(10);

/// How often is looked whether a process that drains has ended.
const LOOK: Duration = Duration::from_millis(200);

/// The most processes of a part that drain at once.
const MOST_DRAINING: usize = 4;

/// How long a process may take to end before it is killed, where it is to be started again.
const PATIENCE: Duration = Duration::from_secs(40);

/// The largest log of a process before it becomes `NAME.log.1`, in bytes.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;

/// The exit code by which a process says that starting it again will not help.
const USERS_TURN: i32 = 2;

/// How glibc keeps memory: one heap, and large blocks go back to the machine once they are free. By
/// its defaults a part would hold on to the most it ever needed, after one large artifact for months.
/// Of each small size a thread keeps 32 at hand instead of 7: 3 % fewer instructions of the proxy's own.
/// A machine whose C library is another one takes no notice.
const MEMORY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072:\
     glibc.malloc.trim_threshold=131072:glibc.malloc.tcache_count=32",
);

/// One process to keep running.
pub struct Part {
    /// `serve`, `proxy` or `agent`.
    pub name: &'static str,
    /// Its arguments, the verb first.
    pub arguments: Vec<String>,
    /// Sockets it gets from us, by systemd's `LISTEN_FDS`: they stay open while it is away, so that
    /// nobody who connects is refused.
    pub sockets: Vec<OwnedFd>,
    /// Where its stdout and stderr go.
    pub log: PathBuf,
    /// Where it is replaced, the next one serves before this one ends.
    pub overlaps: bool,
}

/// What the parts should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Run.
    Run,
    /// End on this signal.
    End(Signal),
}

/// Somebody wants a part to be the program that lies on disk now; the answer is why it is not.
pub type Renewal = oneshot::Sender<Result<(), String>>;

/// A process of a part, and what it is told by.
struct Running {
    child: Child,
    line: Option<Line>,
}

impl Running {
    fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    async fn tell(&mut self, word: Word) {
        if let Some(line) = &mut self.line {
            line.tell(word).await;
        }
    }

    fn send(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended in this very moment; then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }
}

/// How a process of a part came to its end.
enum Ended {
    /// By itself, or since that was wished.
    So(ExitStatus),
    /// To be started again as what lies on disk now.
    Renewed(Renewal),
}

/// Runs a part until it is wished to end. An error is what starting again cannot mend.
pub async fn keep(
    part: Part,
    program: Program,
    mut wish: watch::Receiver<Wish>,
    mut renewals: mpsc::Receiver<Renewal>,
) -> Result<(), Failure> {
    let mut backoff = BACKOFF.0;
    let mut renewal: Option<Renewal> = None;
    let mut is_renewed = false;
    loop {
        if *wish.borrow() != Wish::Run {
            return Ok(());
        }
        let began = Instant::now();
        let started = start(&part, &program, false);
        if let Some(renewal) = renewal.take() {
            is_renewed = true;
            // Whoever asked may not wait any more.
            let _ =
                renewal.send(started.as_ref().map(drop).map_err(|_| "it cannot be started".into()));
        }
        let status = match started {
            Ok(running) => {
                let mut kept =
                    Kept { part: &part, program: &program, now: running, before: Vec::new() };
                match kept.attend(&mut wish, &mut renewals, &mut is_renewed).await {
                    Ok(Ended::So(status)) => Some(status),
                    Ok(Ended::Renewed(asked)) => {
                        renewal = Some(asked);
                        continue;
                    }
                    Err(error) => {
                        let what = format!("cannot wait for `toehold {}`", part.name);
                        return Err(Failure::world(what).because(&error));
                    }
                }
            }
            // What was put in place of the program may be put right.
            Err(_) if is_renewed => None,
            Err(failure) => return Err(failure),
        };
        if *wish.borrow() != Wish::Run {
            return Ok(());
        }
        // A newer program that cannot run here must not take the others with it.
        if status.and_then(|it| it.code()) == Some(USERS_TURN) && !is_renewed {
            return Err(Failure::user(format!("`toehold {}` cannot run here", part.name))
                .hint(last_words(&part.log)));
        }
        if began.elapsed() >= STEADY {
            backoff = BACKOFF.0;
        }
        tracing::warn!(
            part = part.name,
            ?status,
            wait_ms = backoff.as_millis(),
            "a part ended and is started again"
        );
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            _ = wish.changed() => {}
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// A part that runs: its process, and those before it which drain.
struct Kept<'a> {
    part: &'a Part,
    program: &'a Program,
    now: Running,
    before: Vec<Running>,
}

impl Kept<'_> {
    /// Waits until the process has ended and none before it is left that could go on in its place,
    /// passing on the wish to end as its signal.
    async fn attend(
        &mut self,
        wish: &mut watch::Receiver<Wish>,
        renewals: &mut mpsc::Receiver<Renewal>,
        is_renewed: &mut bool,
    ) -> std::io::Result<Ended> {
        loop {
            tokio::select! {
                status = self.now.child.wait() => {
                    let status = status?;
                    let Some(before) = self.before.pop() else { return Ok(Ended::So(status)) };
                    self.now = before;
                    talk(&format!(
                        "the newer `toehold {}` ended ({status}): process {} serves again",
                        self.part.name, self.now.pid()
                    ));
                    if *wish.borrow() == Wish::Run {
                        self.now.tell(Word::Resume).await;
                    }
                }
                () = tokio::time::sleep(LOOK), if !self.before.is_empty() => {
                    self.before.retain_mut(|it| matches!(it.child.try_wait(), Ok(None)));
                }
                changed = wish.changed() => {
                    // Nobody is left to wish for anything: then it ends, too.
                    let now = if changed.is_ok() { *wish.borrow_and_update() } else { Wish::End(Signal::TERM) };
                    if let Wish::End(signal) = now {
                        self.send(signal);
                    }
                    if changed.is_err() {
                        return self.now.child.wait().await.map(Ended::So);
                    }
                }
                Some(renewal) = renewals.recv() => {
                    if !self.part.overlaps {
                        self.end().await?;
                        return Ok(Ended::Renewed(renewal));
                    }
                    let came = self.overlap(wish.clone()).await;
                    *is_renewed |= came.is_ok();
                    // Whoever asked may not wait any more.
                    let _ = renewal.send(came);
                }
            }
        }
    }

    fn send(&self, signal: Signal) {
        self.now.send(signal);
        for before in &self.before {
            before.send(signal);
        }
    }

    /// Ends the process that runs, by force where it takes too long.
    async fn end(&mut self) -> std::io::Result<()> {
        self.now.send(Signal::TERM);
        match tokio::time::timeout(PATIENCE, self.now.child.wait()).await {
            Ok(status) => status.map(drop),
            Err(_) => self.now.child.kill().await,
        }
    }

    /// Starts the process that takes over; once it serves, the one before drains.
    async fn overlap(&mut self, mut wish: watch::Receiver<Wish>) -> Result<(), String> {
        if self.before.len() >= MOST_DRAINING {
            return Err(format!("{MOST_DRAINING} that were replaced still drain: wait for one"));
        }
        let mut next =
            start(self.part, self.program, true).map_err(|_| "it cannot be started".to_owned())?;
        let Running { child, line } = &mut next;
        let line = line.as_mut().ok_or("it cannot be talked to")?;
        let came = tokio::select! {
            came = line.until_ready(child) => came,
            () = async { drop(wish.wait_for(|wish| *wish != Wish::Run).await) } => {
                // It may have ended by itself.
                let _ = child.kill().await;
                Err("Toehold ends".into())
            }
        };
        came.map_err(|why| format!("{why}; {}", last_words(&self.part.log)))?;
        talk(&format!("process {} takes the visitors; {} drains", next.pid(), self.now.pid()));
        let mut before = std::mem::replace(&mut self.now, next);
        before.tell(Word::Drain).await;
        self.before.push(before);
        Ok(())
    }
}

fn start(part: &Part, program: &Program, takes_over: bool) -> Result<Running, Failure> {
    let cannot = |error: &(dyn std::error::Error + 'static)| {
        Failure::world(format!("cannot start `toehold {}`", part.name)).because(error)
    };
    let log = open_log(&part.log).map_err(|error| cannot(&error))?;
    let mut command =
        program.command(&part.arguments, &part.sockets).map_err(|error| cannot(&error))?;
    command
        .env(MEMORY.0, std::env::var_os(MEMORY.0).unwrap_or_else(|| MEMORY.1.into()))
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone().map_err(|error| cannot(&error))?)
        .stderr(log);
    let line = if part.overlaps {
        Some(Line::to(&mut command, takes_over).map_err(|error| cannot(&error))?)
    } else {
        None
    };
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = Command::from(command).spawn().map_err(|error| cannot(&error))?;
    Ok(Running { child, line })
}

/// Talk goes to stderr; where that is closed nobody listens.
pub fn talk(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > LARGEST_LOG) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    // What an app says may stand in it.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The last lines of a log, for a failure that is explained there.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    let words: Vec<&str> = lines.into_iter().rev().collect();
    format!("it said (in {}):\n  {}", log.display(), words.join("\n  "))
}
