//! `[machines]` of `server.toml`: machines other than the one Toehold runs on.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use toehold_core::machines::{DEADLINE, IDLE};
use toehold_core::spec::duration;

use crate::provider::digitalocean;

/// A machine is kept for at least so long after its last instance: a deploy takes its instances
/// from one release to the next, and must not find the machine gone in between.
const SHORTEST: Duration = Duration::from_secs(5);

/// A machine takes at least so long to come up, anywhere.
const HASTIEST: Duration = Duration::from_secs(10);

/// `[machines]`: machines other than the one Toehold runs on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineSettings {
    /// Where agents of other machines are listened for; nowhere where absent.
    pub listen: Option<SocketAddr>,
    /// What they dial, as `host:port`; `listen` where absent.
    pub address: Option<String>,
    /// At most so many machines are made.
    pub most: usize,
    /// At most so much an hour is spent on machines that are made, in their provider's currency.
    pub most_per_hour: Option<f64>,
    /// How long a machine that was made for an app is kept after its last instance.
    pub idle: Idle,
    /// How long a provider may take to make a machine, and its agent to call then.
    pub deadline: Deadline,
    /// `[machines.digitalocean]`; boxed, as it is large and most have none.
    pub digitalocean: Option<Box<digitalocean::Settings>>,
}

impl Default for MachineSettings {
    fn default() -> Self {
        Self {
            listen: None,
            address: None,
            most: 10,
            most_per_hour: None,
            idle: Idle::default(),
            deadline: Deadline::default(),
            digitalocean: None,
        }
    }
}

impl MachineSettings {
    /// What an agent on another machine dials; `None` where nobody would answer, or where nobody
    /// says by which address this machine is reached.
    #[must_use]
    pub fn control(&self) -> Option<String> {
        let listen = self.listen?;
        let stated = self.address.clone();
        stated.or_else(|| (!listen.ip().is_unspecified()).then(|| listen.to_string()))
    }
}

/// How long a machine that nobody needs is kept: `"2m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Idle(pub Duration);

impl Default for Idle {
    fn default() -> Self {
        Self(IDLE)
    }
}

impl TryFrom<String> for Idle {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        at_least(&text, SHORTEST, "kept").map(Self)
    }
}

/// How long a machine may take to come up: `"10m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Deadline(pub Duration);

impl Default for Deadline {
    fn default() -> Self {
        Self(DEADLINE)
    }
}

impl TryFrom<String> for Deadline {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        at_least(&text, HASTIEST, "waited for").map(Self)
    }
}

/// A time for which a machine is `what`, where that is not too short.
fn at_least(text: &str, least: Duration, what: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < least {
        let least = least.as_secs();
        return Err(format!("{text:?} is too short: a machine is {what} at least {least}s"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    fn parse(more: &str) -> Result<Settings, String> {
        Settings::parse(&format!("[machines]\n{more}"), Path::new("server.toml"))
            .map_err(|error| std::error::Error::source(&error).expect("it says why").to_string())
    }

    #[test]
    fn a_machine_nobody_needs_is_kept_for_two_minutes_unless_told_otherwise() {
        for (more, seconds) in [("", 120), ("idle = \"5s\"\n", 5), ("idle = \"1h\"\n", 3600)] {
            let settings = parse(more).expect("it is well-formed");
            assert_eq!(settings.machines.idle.0.as_secs(), seconds);
        }
        let patient = parse("deadline = \"15m\"\n").expect("it is well-formed");
        assert_eq!(patient.machines.deadline.0.as_secs(), 900);
    }

    #[test]
    fn a_time_that_makes_no_sense_is_refused_with_its_place() {
        for (more, word) in [
            ("idle = \"4s\"\n", "at least 5s"),
            ("idle = \"soon\"\n", "not a duration"),
            ("idle = 120\n", "string"),
            ("deadline = \"9s\"\n", "at least 10s"),
        ] {
            let why = parse(more).expect_err("it is refused");
            assert!(why.contains(word) && why.contains("line 2"), "{why}");
        }
    }
}
