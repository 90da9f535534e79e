//! Bringing the agent to a machine: the same program that runs here is copied there, joins with a
//! token, and is started so that it comes back after a reboot. Each step looks first and does only
//! what is missing, so that all of it may be done again at any time.

use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use toehold_core::machines::Remedy;
use toehold_host::digest;

use super::shell::{Input, Order, Shell, ShellError};
use crate::secret::Secret;

/// The program that runs, also where another one lies in its place by now: until this control plane
/// is started anew, its agents are to be what it is itself.
pub const PROGRAM: &str = "/proc/self/exe";

/// Says what is there.
const LOOK: &str = include_str!("bring/look.sh");
/// Puts the program in place.
const INSTALL: &str = include_str!("bring/install.sh");
/// Joins, where it has not yet, and starts the agent.
const START: &str = include_str!("bring/start.sh");
/// Shows what it said when it first started.
const FIRST: &str = include_str!("bring/first.sh");
/// Ends the agent and what it runs, and forgets who it was.
const LEAVE: &str = include_str!("bring/leave.sh");

const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
const INSTALL_TIMEOUT: Duration = Duration::from_mins(5);
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Why the agent could not be brought.
#[derive(Debug, Error)]
pub enum BringError {
    /// SSH.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// It cannot run there, whatever is done.
    #[error(
        "{host} is {theirs}, and this Toehold was built for {ours}: its agent cannot run there. \
         Remove the machine (`toehold machines rm`) and add one that is {ours}"
    )]
    Architecture {
        /// Where.
        host: String,
        /// What it is: `aarch64`.
        theirs: String,
        /// What our program is for.
        ours: &'static str,
    },
    /// It may not run there.
    #[error("{0}")]
    Unfit(String),
    /// No token could be made for it: the store is busy, or in trouble.
    #[error("no token could be made for it to join with: {0}; it is tried again")]
    Invitation(String),
    /// The program of this machine cannot be read.
    #[error("cannot read {path}, which should be copied")]
    Program {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl BringError {
    /// What may help.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Shell(error) if error.is_transient() => Remedy::Again,
            Self::Program { .. } | Self::Invitation(_) => Remedy::Again,
            Self::Shell(_) | Self::Unfit(_) => Remedy::Person,
            Self::Architecture { .. } => Remedy::Nothing,
        }
    }
}

/// What a machine joins.
pub struct Home<'a> {
    /// Where it dials: `host:port`.
    pub control: &'a str,
    /// The SHA-256 of our authority, in hex.
    pub authority: &'a str,
    /// Whether it is to join in any case: it was just added, and what it may have of an earlier
    /// time is worth nothing.
    pub anew: bool,
    /// Whether the agent that runs is known to be another program, whatever lies there: one that was
    /// brought and not started, since somebody was cut off in between, looks as if all were done.
    pub runs_another: bool,
    /// Whether a machine that shows this certificate is let in. One that is not, because the store
    /// is an older copy or the certificate has ended, joins again.
    pub knows: &'a (dyn Fn(&str) -> bool + Sync),
}

/// What was found on a machine.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    architecture: String,
    /// The SHA-256 of the program there; empty where there is none.
    program: String,
    /// The SHA-256 of the authority it joined; empty where it joined none.
    joined: String,
    /// The SHA-256 of the certificate it has; empty where it says none.
    certificate: String,
    runs: bool,
}

/// Sees to it that the agent runs on a machine. `invite` is asked for a token only where the machine
/// has to join.
pub async fn bring<E>(
    shell: &Shell<'_>,
    program: &Path,
    home: Home<'_>,
    invite: impl AsyncFnOnce() -> Result<Secret, E>,
) -> Result<(), BringError>
where
    E: std::fmt::Display,
{
    let failed = |source| BringError::Program { path: program.display().to_string(), source };
    let ours = digest::of_file(program).await.map_err(failed)?;
    let found = look(shell).await?;
    fits(&found, &shell.access.host)?;
    if !found.joined.is_empty() && found.joined != home.authority {
        return Err(BringError::Unfit(format!(
            "{} belongs to another Toehold: remove it there with `toehold machines rm`, or remove \
             the folder of its agent (/var/lib/toehold-agent/agent)",
            shell.access.host
        )));
    }
    let joins = home.anew || found.joined.is_empty() || !(home.knows)(&found.certificate);
    let is_new = found.program != ours.as_str();
    if is_new {
        let order = Order {
            what: "copying the agent",
            script: INSTALL,
            stdin: Input::File(program),
            timeout: INSTALL_TIMEOUT,
        };
        shell.run(order).await?;
    }
    if !joins && found.runs && !is_new && !home.runs_another {
        return Ok(());
    }
    let said = if joins { joining(home.control, invite).await? } else { "\n\n".to_owned() };
    let order = Order {
        what: "starting the agent",
        script: START,
        stdin: Input::Text(&said),
        timeout: START_TIMEOUT,
    };
    shell.run(order).await.map(drop).map_err(BringError::from)
}

/// Whether our program can run there at all.
fn fits(found: &Found, host: &str) -> Result<(), BringError> {
    let ours = std::env::consts::ARCH;
    if found.architecture == ours {
        return Ok(());
    }
    let (host, theirs) = (host.to_owned(), found.architecture.clone());
    Err(BringError::Architecture { host, theirs, ours })
}

/// What an agent that joins is told: where it dials, and its token.
async fn joining<E: std::fmt::Display>(
    control: &str,
    invite: impl AsyncFnOnce() -> Result<Secret, E>,
) -> Result<String, BringError> {
    let token = invite().await.map_err(|error| BringError::Invitation(error.to_string()))?;
    Ok(format!("{control}\n{}\n", token.reveal()))
}

/// Ends the agent on a machine that is given back.
pub(super) async fn leave(shell: &Shell<'_>) -> Result<(), ShellError> {
    let order = Order {
        what: "ending the agent",
        script: LEAVE,
        stdin: Input::Text(""),
        timeout: START_TIMEOUT,
    };
    shell.run(order).await.map(drop)
}

/// What a machine said when it first started, the end of it; empty where it keeps nothing of that.
pub async fn first_words(shell: &Shell<'_>) -> Result<String, ShellError> {
    let order = Order {
        what: "reading how it started",
        script: FIRST,
        stdin: Input::Text(""),
        timeout: LOOK_TIMEOUT,
    };
    shell.run(order).await
}

async fn look(shell: &Shell<'_>) -> Result<Found, ShellError> {
    let order = Order {
        what: "looking around",
        script: LOOK,
        stdin: Input::Text(""),
        timeout: LOOK_TIMEOUT,
    };
    Ok(found(&shell.run(order).await?))
}

/// Reads `key value` lines.
fn found(said: &str) -> Found {
    let mut found = Found::default();
    for (key, value) in said.lines().filter_map(|line| line.split_once(' ')) {
        match key {
            "architecture" => value.clone_into(&mut found.architecture),
            "program" => value.clone_into(&mut found.program),
            "joined" => value.clone_into(&mut found.joined),
            "certificate" => value.clone_into(&mut found.certificate),
            "runs" => found.runs = value == "yes",
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_can_stand_in_single_quotes() {
        for script in [LOOK, INSTALL, START, FIRST, LEAVE] {
            assert!(!script.contains('\''), "{script}");
        }
    }

    #[test]
    fn a_machine_of_another_kind_is_refused_for_good_and_with_both_kinds() {
        let other = found("architecture m68k\n");
        let error = fits(&other, "web1").expect_err("ours does not run there");
        assert_eq!(error.remedy(), Remedy::Nothing);
        let said = error.to_string();
        assert!(said.contains("m68k") && said.contains(std::env::consts::ARCH), "{said}");
        let same = found(&format!("architecture {}\n", std::env::consts::ARCH));
        fits(&same, "web1").expect("it runs there");
    }

    #[tokio::test]
    async fn a_store_that_makes_no_token_just_now_is_tried_again() {
        let busy = async || Err::<Secret, _>("the store is full");
        let error = joining("192.0.2.1:7079", busy).await.expect_err("there is no token");
        assert_eq!(error.remedy(), Remedy::Again, "{error}");
        assert!(error.to_string().contains("the store is full"), "{error}");
        let works = async || Ok::<_, String>(Secret::new("token"));
        let said = joining("192.0.2.1:7079", works).await.expect("there is a token");
        assert_eq!(said, "192.0.2.1:7079\ntoken\n");
    }

    #[test]
    fn what_is_said_of_a_machine_is_read_and_the_rest_is_passed_over() {
        let said = "Welcome to Debian\narchitecture x86_64\nprogram abc\njoined def\ncertificate 012\nruns no\n";
        let expected = Found {
            architecture: "x86_64".into(),
            program: "abc".into(),
            joined: "def".into(),
            certificate: "012".into(),
            runs: false,
        };
        assert_eq!(found(said), expected);
    }
}
