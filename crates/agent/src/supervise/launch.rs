//! Starting an instance.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use toehold_core::tell::chain;
use toehold_core::wire::agent::Placed;
use toehold_host::cgroup::{Cgroup, Limits};
use toehold_host::process::Launch;

use crate::artifact::ArtifactError;
use crate::fetch;
use crate::probe::Ask;
use crate::shop::Shop;
use crate::supervise::kept::{Kept, Ready};
use crate::supervise::live::Live;

/// The most processes and threads an instance may have: far above what an app needs, far below
/// what a machine can bear.
const MOST_PIDS: u64 = 8192;

/// Why an instance cannot be started.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) why: String,
    /// Trying again would not help.
    pub(super) lasting: bool,
}

/// Sees to the release's folder, its release command and a port.
pub(super) async fn prepare(
    shop: &Shop,
    placed: &Placed,
    port: Option<u16>,
) -> Result<Ready, Fault> {
    let folder = unpacked(shop, placed).await?;
    let passing = |what: &str, error: io::Error| {
        let why = format!("{what}: {error}");
        Fault { why, lasting: false }
    };
    let data = shop.data_dir(placed);
    std::fs::create_dir_all(&data)
        .map_err(|error| passing(&format!("cannot make its folder {}", data.display()), error))?;
    let port = shop
        .port(placed, port)
        .map_err(|error| passing("no port of this machine is free", error))?;
    let env = shop.environment(placed, port);
    let released = shop.releases.run_once(placed, &folder, env, || outputs(shop, placed)).await;
    released.map_err(|error| {
        let tail = shop.journals.tail(&placed.id, 400);
        Fault { why: placed.without_secrets(&format!("{error}: {tail}")), lasting: true }
    })?;
    Ok(Ready { folder, port })
}

/// The release's folder. What is not on this machine is brought here first; bytes that were brought
/// and are not right are thrown away, and brought once more from their beginning. One that lies here
/// unpacked waits for nothing: what another app is brought holds up no instance that died.
async fn unpacked(shop: &Shop, placed: &Placed) -> Result<PathBuf, Fault> {
    let packed = shop.packed(&placed.artifact);
    let found = || shop.artifacts.found(&placed.artifact).inspect(|_| discard(&packed));
    if let Some(folder) = found() {
        return Ok(folder);
    }
    if let Some(path) = &placed.artifact_path {
        return unpack(shop, placed, Path::new(path)).await;
    }
    let _turn = shop.bringing.turn(&placed.artifact).await;
    // Whoever had the turn before may have brought it.
    if let Some(folder) = found() {
        return Ok(folder);
    }
    let mut again = true;
    loop {
        fetch::bring(&shop.control, &placed.artifact, &packed)
            .await
            .map_err(|error| Fault { why: chain(&error), lasting: false })?;
        let done = unpack(shop, placed, &packed).await;
        // Unpacked or wrong: either way these bytes have served. Where it is this machine that
        // could not do it, a full disk for one, they are good and need not come again.
        if done.as_ref().err().is_none_or(|fault| fault.lasting) {
            discard(&packed);
        }
        match done {
            Err(fault) if fault.lasting && again => again = false,
            done => return done,
        }
    }
}

/// Removes a packed artifact, where it is there.
fn discard(packed: &Path) {
    if let Err(error) = std::fs::remove_file(packed)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %packed.display(), %error, "A packed artifact could not be removed.");
    }
}

async fn unpack(shop: &Shop, placed: &Placed, path: &Path) -> Result<PathBuf, Fault> {
    shop.artifacts.folder(&placed.artifact, path).await.map_err(|error| {
        let lasting = matches!(error, ArtifactError::Refused { .. });
        Fault { why: chain(&error), lasting }
    })
}

/// Starts the process.
pub(super) fn start(
    shop: &Shop,
    placed: &Placed,
    ready: &Ready,
    kept: &mut Kept,
) -> Result<Live, Fault> {
    let passing = |why: String| Fault { why, lasting: false };
    let (stdout, stderr) = outputs(shop, placed)
        .map_err(|error| passing(format!("its log cannot be opened: {error}")))?;
    let limits = Limits {
        cpus: placed.cpus,
        memory_bytes: Some(placed.memory_bytes),
        pids: Some(MOST_PIDS),
    };
    kept.group = Cgroup::create(&shop.group_name(&placed.id), &limits);
    kept.oom_kills = kept.group.as_ref().and_then(Cgroup::oom_kills).unwrap_or(0);
    let launch = Launch {
        argv: ["/bin/sh", "-c", &instead_of_the_shell(&placed.command)].map(Into::into).to_vec(),
        env: shop.environment(placed, ready.port),
        dir: ready.folder.clone(),
        stdout: Stdio::from(stdout),
        stderr: Stdio::from(stderr),
        marker: shop.marker(&placed.id),
        nice: 0,
        cgroup: kept.group.clone(),
    };
    let (tree, child) = launch.start().map_err(|error| passing(chain(&error)))?;
    Ok(Live::started(tree, child, &placed.health, kept.oom_kills))
}

/// A command that is one program takes the shell's place: it gets the signals itself, and how it
/// ends is its own word.
fn instead_of_the_shell(command: &str) -> String {
    const WORDS: [&str; 20] = [
        ".", "alias", "cd", "command", "eval", "exec", "export", "for", "if", "read", "readonly",
        "set", "shift", "source", "trap", "ulimit", "umask", "unset", "until", "while",
    ];
    let is_simple =
        !command.contains([';', '|', '&', '<', '>', '(', ')', '`', '{', '}', '\n', '!']);
    let first = command.split_whitespace().next().unwrap_or_default();
    let is_program = !first.is_empty() && !first.contains('=') && !WORDS.contains(&first);
    if is_simple && is_program { format!("exec {command}") } else { command.to_owned() }
}

/// What a probe asks of this instance.
pub(super) fn ask(shop: &Shop, placed: &Placed, port: u16) -> Ask {
    Ask {
        kind: placed.health.kind.clone(),
        addr: SocketAddr::new(placed.listen, port),
        timeout: placed.health.timeout,
        dir: shop.artifacts.place(&placed.artifact),
        env: shop.environment(placed, port),
    }
}

/// Output and errors go to the same log, each to its end.
fn outputs(shop: &Shop, placed: &Placed) -> io::Result<(File, File)> {
    let log = shop.journals.open(&placed.id)?;
    Ok((log.try_clone()?, log))
}

#[cfg(test)]
mod tests;
