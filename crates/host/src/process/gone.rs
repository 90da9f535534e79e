//! Waiting for a process that is not our child.

use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use toehold_core::model::RunId;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::process::is_alive;

/// How often is looked where the kernel will not say by itself.
const POLL: Duration = Duration::from_millis(250);

/// Returns once this very process has ended. It need not be our child: an agent that was started
/// anew waits this way for what an earlier one began. How it ended only its parent learns.
pub async fn gone(run: RunId) {
    if let Some(fd) = watch(run) {
        // An error here only means that the kernel will not tell: the look below does.
        let _ = fd.readable().await;
    }
    while is_alive(run) {
        tokio::time::sleep(POLL).await;
    }
}

/// A descriptor that is readable once the process has ended; `None` where it has already, or where
/// the kernel knows no such thing.
#[expect(
    deprecated,
    reason = "its successor is an unsafe fn for the sake of types that may close their descriptor \
              early; an OwnedFd cannot"
)]
fn watch(run: RunId) -> Option<AsyncFd<std::os::fd::OwnedFd>> {
    let pid = Pid::from_raw(i32::try_from(run.pid).ok()?)?;
    let fd = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
    // Looked at after opening: from here on the descriptor stands for this process and no other.
    is_alive(run).then_some(())?;
    AsyncFd::with_interest(fd, Interest::READABLE).ok()
}
