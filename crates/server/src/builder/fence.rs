//! A step behind a fence: it reads and runs what the user may, writes only where it is told, and
//! signals only its own. The kernel holds it (Landlock); a kernel that cannot leaves the step as
//! free as its user.

use std::io;
use std::path::PathBuf;
use std::thread;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use toehold_host::process::{Launch, Tree};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts a command that may write only below `writable`; anywhere where that is `None`.
///
/// A fence holds the thread that raises it and all that comes of it, and cannot be taken down. So
/// the command is started by a thread that raises it, starts the command and ends.
pub(super) async fn start(
    launch: Launch,
    writable: Option<Vec<PathBuf>>,
) -> io::Result<(Tree, Child)> {
    let Some(writable) = writable else { return launch.start().map_err(io::Error::other) };
    let (answer, started) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new().name("toehold-step".to_owned()).spawn(move || {
        let _entered = runtime.enter();
        let started = match raise(&writable) {
            Ok(()) => launch.start().map_err(io::Error::other),
            Err(error) => Err(io::Error::other(error)),
        };
        // Whoever waited may be gone; a step nobody waits for is ended like any other.
        if let Err(Ok((tree, _))) = answer.send(started) {
            tree.signal(rustix::process::Signal::KILL);
        }
    })?;
    started.await.map_err(io::Error::other)?
}

fn raise(writable: &[PathBuf]) -> Result<(), RulesetError> {
    // The oldest kernels cannot allow to move a file from one folder to another, without which no
    // package manager works.
    let whole = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer);
    let Ok(whole) = whole else { return Ok(()) };
    let writing = AccessFs::from_write(ABI::V6);
    whole
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)?
        .scope(Scope::from_all(ABI::V6) & Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(writable, writing))?
        .restrict_self()?;
    Ok(())
}
