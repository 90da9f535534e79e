//! What people ask for about machines.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use toehold_core::machines::Step;
use toehold_core::model::{
    Access, Event, EventKind, Machine, MachineGoal, MachineName, MachinePhase, Provider, Subject,
};
use toehold_core::wire::api::{Done, HostKey, MachineView};

use super::machine_key;
use crate::control::{Control, ControlError};
use crate::provider::host_key::{self, KeyError};
use crate::secret::Secret;

/// A machine somebody adds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMachine {
    /// What it is to be called.
    pub name: MachineName,
    /// Who logs in.
    pub user: String,
    /// Its name or address.
    pub host: String,
    /// The port of its SSH server.
    pub port: u16,
    /// The host key it must show: `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// Where the proxy reaches it, where that is not where SSH does.
    pub address: Option<IpAddr>,
}

/// Why a machine was not added.
#[derive(Debug, Error)]
pub enum AddError {
    /// The host key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name, a user or a host that cannot be one.
    #[error("{0}")]
    Unfit(String),
    /// There is one.
    #[error("there is a machine {0} already: remove it first, or choose another name")]
    Taken(MachineName),
    /// Others cannot call.
    #[error(
        "other machines cannot call this one: set `listen` (and `address`) under [machines] in server.toml, and start Toehold again"
    )]
    NotListening,
    /// The store.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl Control {
    /// Adds a machine that is there already.
    pub async fn add_machine(&self, new: NewMachine, actor: &str) -> Result<Done, AddError> {
        fits(&new)?;
        if self.settings().machines.control().is_none() {
            return Err(AddError::NotListening);
        }
        if new.name == MachineName::local() {
            return Err(AddError::Taken(new.name));
        }
        let host_key = host_key::parse(&new.host_key)?;
        host_key::own(&self.layout().ssh_key()).await?;
        let now = self.clock().now();
        let NewMachine { name, user, host, port, address, .. } = new;
        let machine = Machine {
            name,
            provider: Provider::Ssh,
            app: None,
            goal: MachineGoal::Run,
            phase: MachinePhase::Wanted,
            since: now,
            address,
            access: Some(Access { user, host, port, host_key }),
            provider_id: None,
            size: None,
            configured: std::collections::BTreeMap::new(),
            trouble: None,
            created_at: now,
        };
        let text = format!("{actor} added the machine {}", machine.name);
        let name = machine.name.clone();
        let grant = |known: Option<Machine>| {
            if known.is_some_and(|it| it.phase != MachinePhase::Gone) {
                return Err(AddError::Taken(machine.name.clone()));
            }
            let (machine, text) = (machine.clone(), text.clone());
            Ok(Some(said(machine, EventKind::MachineWanted, text, actor, now)))
        };
        self.change_machine(&name, grant).await?;
        Ok(Done { text, event: None })
    }

    /// The host key a machine shows now, for a person to look at before it is believed.
    pub async fn host_key(&self, host: &str, port: u16) -> Result<HostKey, AddError> {
        host_fits(host)?;
        let key = host_key::shown(host, port).await?;
        let fingerprint = host_key::fingerprint(&key);
        Ok(HostKey { key, fingerprint })
    }

    /// Changes what is wished of a machine.
    pub async fn set_machine(
        &self,
        name: &MachineName,
        goal: MachineGoal,
        actor: &str,
    ) -> Result<Done, ControlError> {
        let machine = stays(self.machine(name)?, goal)?;
        if machine.goal == goal {
            let text = format!("{name} is to {} already", goal.as_str());
            return Ok(Done { text, event: None });
        }
        let text = match goal {
            MachineGoal::Run => format!("{actor} lets {name} take instances"),
            MachineGoal::Cordon => format!("{actor} lets {name} take no more instances"),
            MachineGoal::Drain => format!("{actor} lets {name} be emptied"),
            MachineGoal::Remove => format!("{actor} lets {name} be emptied and given back"),
        };
        let now = self.clock().now();
        let grant = |machine| {
            let machine = stays(there(machine, name)?, goal)?;
            let (machine, text) = (Machine { goal, ..machine }, text.clone());
            Ok::<_, ControlError>(Some(said(machine, EventKind::MachineSet, text, actor, now)))
        };
        self.change_machine(name, grant).await?;
        Ok(Done { text, event: None })
    }

    /// A token for a machine that joins by itself.
    pub async fn machine_token(
        &self,
        name: &MachineName,
        actor: &str,
    ) -> Result<Secret, ControlError> {
        self.machine(name)?;
        Ok(self.parts.authority.invite(name, actor).await?)
    }

    /// The public half of the key Toehold logs in with.
    pub async fn ssh_public_key(&self) -> Result<String, ControlError> {
        let path = host_key::own(&self.layout().ssh_key()).await?.with_extension("pub");
        let read = tokio::fs::read_to_string(&path).await;
        let text = read.map_err(|source| ControlError::File { path, source })?;
        Ok(text.trim().to_owned())
    }

    /// Every machine, the one Toehold runs on first.
    pub fn machine_views(&self) -> Vec<MachineView> {
        let agents = self.parts.fleet.agents();
        let known = self.machines();
        let fresh = |name: &MachineName| agents.get(name).filter(|it| it.is_fresh());
        let reading = |name: &MachineName| fresh(name).map(|it| it.report.machine);
        let local = MachineName::local();
        let here = MachineView {
            heard: fresh(&local).is_some(),
            instances: known.instances(&local),
            reading: reading(&local),
            doing: None,
            machine: here(local, self.clock().now()),
        };
        let is_there = |it: &&super::Loaded| it.machine.phase != MachinePhase::Gone;
        let others = known.by_name.values().filter(is_there).map(|it| {
            let name = &it.machine.name;
            MachineView {
                heard: fresh(name).is_some(),
                instances: known.instances(name),
                reading: reading(name),
                doing: known.runs.on(name),
                machine: it.machine.clone(),
            }
        });
        std::iter::once(here).chain(others).collect()
    }

    pub(super) fn machine(&self, name: &MachineName) -> Result<Machine, ControlError> {
        there(self.known_machine(name).1, name)
    }
}

/// A machine that is not gone.
pub(super) fn there(machine: Option<Machine>, name: &MachineName) -> Result<Machine, ControlError> {
    let there = machine.filter(|it| it.phase != MachinePhase::Gone);
    there.ok_or_else(|| ControlError::NoMachine(name.clone()))
}

/// A machine that is on its way back comes round for nobody: another wish would change nothing.
fn stays(machine: Machine, goal: MachineGoal) -> Result<Machine, ControlError> {
    if machine.phase == MachinePhase::Leaving && goal != MachineGoal::Remove {
        return Err(ControlError::Leaving(machine.name));
    }
    Ok(machine)
}

/// What somebody did about a machine.
fn said(
    machine: Machine,
    kind: EventKind,
    text: String,
    actor: &str,
    at: toehold_core::time::Timestamp,
) -> Step {
    let event = Event {
        rev: 0,
        at,
        app: machine.app.clone(),
        kind,
        subject: Subject::Machine(machine.name.clone()),
        cause: None,
        actor: actor.to_owned(),
        text,
        facts: json!({ "machine": machine.name, "key": machine_key(&machine.name) }),
    };
    Step { machine, event }
}

/// The machine Toehold runs on, as it is shown beside the others.
pub(super) fn here(name: MachineName, now: toehold_core::time::Timestamp) -> Machine {
    Machine {
        name,
        provider: Provider::Local,
        app: None,
        goal: MachineGoal::Run,
        phase: MachinePhase::Ready,
        since: now,
        address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
        access: None,
        provider_id: None,
        size: None,
        configured: std::collections::BTreeMap::new(),
        trouble: None,
        created_at: now,
    }
}

fn fits(new: &NewMachine) -> Result<(), AddError> {
    if !is_plain(&new.user, "._-") {
        return Err(AddError::Unfit(format!("{:?} cannot be a user who logs in", new.user)));
    }
    host_fits(&new.host)
}

fn host_fits(host: &str) -> Result<(), AddError> {
    if let Some((name, port)) = host.split_once(':')
        && !port.contains(':')
    {
        return Err(AddError::Unfit(format!(
            "{host:?} is no machine's name or address: say {name:?}, and the port with --port"
        )));
    }
    if is_plain(host, ".:-_") {
        return Ok(());
    }
    Err(AddError::Unfit(format!("{host:?} cannot be a machine's name or address")))
}

/// What begins with `-` would be an option to whoever is given it.
fn is_plain(text: &str, more: &str) -> bool {
    (1..=253).contains(&text.len())
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_said_with_the_name_is_no_name() {
        for good in ["web1", "web-1.example.com", "10.0.0.5", "2001:db8::5", "::1"] {
            assert!(host_fits(good).is_ok(), "{good}");
        }
        let said = host_fits("10.0.0.5:2222").expect_err("there is a port in it").to_string();
        assert!(said.contains("\"10.0.0.5\"") && said.contains("--port"), "{said}");
        for bad in ["", "-o", "a b", "a;b"] {
            assert!(host_fits(bad).is_err(), "{bad:?}");
        }
    }
}
