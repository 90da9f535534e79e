//! How a process ended, in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use toehold_core::model::Exit;
use toehold_core::signal;

use crate::time::now;

/// `out_of_memory` is the limit in bytes where the kernel ended a process for it. Without a status
/// the process was not our child, so that nobody could ask.
pub(super) fn describe(status: Option<ExitStatus>, out_of_memory: Option<u64>) -> Exit {
    let mut how = match status.map(|it| (it.code(), it.signal())) {
        Some((Some(code), _)) => format!("exit code {code}"),
        Some((None, Some(signal))) => format!("killed by {}", signal::name(signal)),
        Some((None, None)) | None => "ended (an earlier agent started it: how is not known)".into(),
    };
    if let Some(bytes) = out_of_memory {
        how = format!("{how} (out of memory: it may use {} MiB)", bytes >> 20);
    }
    Exit { at: now(), how }
}

/// It was not there any more when the agent came back.
pub(super) fn unseen() -> Exit {
    Exit { at: now(), how: "ended while no agent watched".into() }
}

/// Whether this is how a shell says that a program is not there or cannot be run.
pub(super) fn never_ran(status: Option<ExitStatus>) -> bool {
    matches!(status.and_then(|it| it.code()), Some(126 | 127))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_words() {
        let how = |raw, memory| describe(Some(ExitStatus::from_raw(raw)), memory).how;
        assert_eq!(how(0, None), "exit code 0");
        assert_eq!(how(3 << 8, None), "exit code 3");
        assert_eq!(how(15, None), "killed by SIGTERM");
        let limit = Some(256 << 20);
        assert_eq!(how(9, limit), "killed by SIGKILL (out of memory: it may use 256 MiB)");
    }
}
