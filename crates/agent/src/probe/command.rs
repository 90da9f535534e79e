//! A probe by a command.

use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use toehold_host::process::{Launch, Marker, Tree};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::runtime::Handle;

use crate::probe::{Answer, Ask, BODY_BYTES};

/// How long is waited for the rest of the output once the command has ended: something it left
/// behind may hold the pipe open.
const DRAIN: Duration = Duration::from_millis(50);

/// How many were begun. Each has a mark of its own: while one that nobody waits for is ended, the
/// next one of the same instance runs already.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Runs the command by the shell, in the instance's folder with its environment, and ends it with
/// all it began when its time is over, or when nobody waits for it any more.
pub(super) async fn run(ask: &Ask, command: &str) -> Answer {
    let count = BEGUN.fetch_add(1, Ordering::Relaxed);
    let launch = Launch {
        argv: ["/bin/sh", "-c", command].map(Into::into).to_vec(),
        env: ask.env.clone(),
        dir: ask.dir.clone(),
        stdout: Stdio::piped(),
        stderr: Stdio::null(),
        marker: Marker { name: "TOEHOLD_PROBE".to_owned(), value: format!("{}#{count}", ask.addr) },
        nice: 0,
        cgroup: None,
    };
    let (tree, mut child) = match launch.start() {
        Ok(started) => started,
        Err(error) => return Answer::failed(error.to_string()),
    };
    let guard = KillOnDrop(Some(tree.clone()));
    let mut stdout = child.stdout.take();
    let mut body = Vec::new();
    let ended = tokio::time::timeout(ask.timeout, async {
        tokio::select! {
            biased;
            status = child.wait() => status,
            () = collect(&mut stdout, &mut body) => child.wait().await,
        }
    })
    .await;
    if let Ok(Ok(status)) = ended {
        guard.disarm();
        // Whatever was written before the end is in the pipe by now.
        let _ = tokio::time::timeout(DRAIN, collect(&mut stdout, &mut body)).await;
        return Answer { text: how(status), body, passed: status.success() };
    }
    let text = format!("not done within {:?}", ask.timeout);
    if kill(tree).await {
        drop(child.wait().await);
    }
    guard.disarm();
    Answer { text, body, passed: false }
}

/// Kills all of it, and says whether it ended.
async fn kill(tree: Tree) -> bool {
    let killed = tree.kill().await;
    if let Err(error) = &killed {
        tracing::warn!(%error, "A health command outlived its end.");
    }
    killed.is_ok()
}

/// Ends a command whose answer nobody waits for any more: the wish changed or the instance died,
/// and whoever asked is dropped with this.
struct KillOnDrop(Option<Tree>);

impl KillOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let Some(tree) = self.0.take() else { return };
        // At once: an agent that ends does nothing later.
        tree.signal(Signal::KILL);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(kill(tree));
        }
    }
}

/// Reads to the end, keeping only the first bytes; a command that says more is not held up.
async fn collect(stdout: &mut Option<ChildStdout>, body: &mut Vec<u8>) {
    let Some(stdout) = stdout else { return };
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stdout.read(&mut buffer).await {
        let room = BODY_BYTES.saturating_sub(body.len());
        body.extend_from_slice(&buffer[..count.min(room)]);
    }
}

fn how(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"))
}
