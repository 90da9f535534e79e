//! What is done about a machine, by its phase alone. Whatever is begun here may be begun again by
//! another control plane: providers find what is there by its name, and bringing the agent does
//! only what is missing.

use std::path::Path;
use std::time::{Duration, Instant};

use toehold_core::machines::{Outcome, Refused, Remedy, outcome};
use toehold_core::model::{Digest, Machine, MachineName, MachinePhase, Provider as Kind};
use toehold_core::time::Timestamp;
use tracing::error;

use crate::control::Control;
use crate::provider::bring::{BringError, Home, PROGRAM, bring};
use crate::provider::shell::Shell;
use crate::provider::{Ensured, Made, Provider, ProviderError};
use crate::secret::random_bytes;

/// The first wait after a failure, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// How often is looked, at last, how far a machine is that is being made.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// An agent that has been silent for so long is looked after by SSH: it may have ended.
const SILENT: Duration = Duration::from_secs(15);

/// One thing to do about a machine.
#[derive(Clone, Copy)]
enum Act {
    Ensure,
    Bring,
    Upgrade,
    Remove,
}

impl Control {
    /// Begins what is to be done, one thing at a time for each machine.
    pub(super) fn act_on_machines(&self) {
        let agents = self.parts.fleet.agents();
        let upgrade = self.upgrade_due(&agents);
        let due: Vec<(Machine, Act)> = {
            let known = self.machines();
            let due = known.by_name.values().filter_map(|it| {
                let doing = known.doing.get(&it.machine.name).copied().unwrap_or_default();
                let agent = agents.get(&it.machine.name).map(|seen| seen.at.elapsed());
                let silent = agent.unwrap_or_else(|| known.began.elapsed());
                let is_next = upgrade.as_ref() == Some(&it.machine.name);
                let act = act(&it.machine, silent).or(is_next.then_some(Act::Upgrade))?;
                doing.is_free().then(|| (it.machine.clone(), act))
            });
            due.collect()
        };
        for (machine, act) in due {
            self.machines().doing.entry(machine.name.clone()).or_default().is_busy = true;
            let Some(control) = self.itself.upgrade() else { return };
            self.tasks.spawn(async move {
                let stop = control.shutdown.clone();
                let done = stop.run_until_cancelled(control.act(&machine, act)).await;
                if let Some(done) = done {
                    control.note_outcome(&machine.name, done).await;
                }
            });
        }
    }

    async fn act(&self, machine: &Machine, act: Act) -> Option<Outcome> {
        let done = match act {
            Act::Ensure => match self.provider(machine.provider) {
                Ok(provider) => provider.ensure(machine).await.map(|it| Some(ensured(it))),
                Err(error) => Err(error),
            },
            Act::Bring => self.bring(machine, false).await.map(|()| None),
            Act::Upgrade => self.upgrade(machine).await.map(Some),
            Act::Remove => self.give_back(machine).await.map(|()| Some(Outcome::Gone)),
        };
        done.unwrap_or_else(|ProviderError { why, remedy }| Some(Outcome::Failed { why, remedy }))
    }

    /// Brings the agent.
    pub(super) async fn bring(
        &self,
        machine: &Machine,
        runs_another: bool,
    ) -> Result<(), ProviderError> {
        let lasting = |why: &str| ProviderError::lasting(format!("{}: {why}", machine.name));
        let access =
            machine.access.as_ref().ok_or_else(|| lasting("nobody said how to reach it"))?;
        let control = self.settings().machines.control().ok_or_else(|| lasting(NOWHERE_TO_DIAL))?;
        let run = self.layout().run();
        let key = self.layout().ssh_key();
        let shell = Shell { machine: &machine.name, access, key: &key, run: &run };
        let invite = async || self.parts.authority.invite(&machine.name, "toehold").await;
        let authority = &self.parts.authority;
        let knows = |shown: &str| {
            let known = shown.parse().ok().and_then(|it: Digest| authority.who(&it));
            known.as_ref() == Some(&machine.name)
        };
        let home = Home {
            control: &control,
            authority: self.parts.authority.digest().as_str(),
            anew: machine.phase == MachinePhase::Bringing,
            runs_another,
            knows: &knows,
        };
        bring(&shell, Path::new(PROGRAM), home, invite).await.map_err(|error: BringError| {
            ProviderError { remedy: error.remedy(), why: error.to_string() }
        })
    }

    async fn give_back(&self, machine: &Machine) -> Result<(), ProviderError> {
        if let MachinePhase::Failed { .. } = machine.phase {
            self.keep_first_words(machine).await;
        }
        self.provider(machine.provider)?.remove(machine).await?;
        let expelled = self.parts.authority.expel(&machine.name, "toehold").await;
        expelled.map_err(|error| ProviderError::transient(error.to_string()))
    }

    fn provider(&self, kind: Kind) -> Result<&dyn Provider, ProviderError> {
        self.parts.providers.get(&kind).map(AsRef::as_ref).ok_or_else(|| {
            ProviderError::lasting(format!("{kind} is not set up: see [machines] in server.toml"))
        })
    }

    /// Takes in what came of an act.
    async fn note_outcome(&self, name: &MachineName, done: Option<Outcome>) {
        let step = {
            let mut known = self.machines();
            let doing = known.doing.entry(name.clone()).or_default();
            doing.is_busy = false;
            let failed = matches!(done, Some(Outcome::Failed { .. }));
            let looks = if let Some(Outcome::Coming { .. }) = done { doing.looks } else { 0 };
            doing.looks = looks.saturating_add(1);
            doing.streak = if failed { doing.streak.saturating_add(1) } else { 0 };
            let wait = match (failed, &done) {
                // Whom nothing is made for, is told without a call until it is time.
                (true, Some(Outcome::Failed { remedy: Remedy::Account, .. })) => {
                    jittered(LAST_LOOK)
                }
                (true, _) => {
                    let wait = FIRST_WAIT.saturating_mul(1 << doing.streak.min(10));
                    jittered(wait.min(LONGEST_WAIT))
                }
                (false, Some(Outcome::Coming { .. })) => {
                    FIRST_WAIT.saturating_mul(1 << looks.min(10)).min(LAST_LOOK)
                }
                // An agent that was brought needs a moment to call.
                (false, None | Some(Outcome::Upgraded { .. })) => SILENT,
                (false, Some(_)) => Duration::ZERO,
            };
            doing.not_before = Some(Instant::now() + wait);
            let now = self.clock().now();
            let machine = known.by_name.get(name).map(|it| (it.rev, it.machine.clone()));
            if let (Some((_, machine)), Some(done)) = (&machine, &done) {
                known.note_refusal(machine.provider, done, now);
            }
            machine.zip(done).and_then(|((rev, machine), done)| {
                outcome(&machine, done, now).map(|step| (rev, step))
            })
        };
        // Where somebody changed it meanwhile, the act is done again: it finds what there is.
        if let Some((rev, step)) = step
            && let Err(error) = self.carry_out_machine(rev, step).await
        {
            error!(machine.name = %name, %error, "what came of something with a machine could not be kept; it is done again");
        }
        self.wake_machines.notify_one();
    }
}

impl super::Machines {
    /// Whether a provider refuses the whole account is known from each machine that is asked for.
    fn note_refusal(&mut self, provider: Kind, done: &Outcome, now: Timestamp) {
        match done {
            Outcome::Failed { why, remedy: Remedy::Account } => {
                let before = self.refused.get(&provider).filter(|it| it.ended_at.is_none());
                let began_at = before.map_or(now, |it| it.began_at);
                let refused = Refused { why: why.clone(), began_at, ended_at: None };
                self.refused.insert(provider, refused);
            }
            Outcome::Made { .. } | Outcome::Coming { .. } => {
                if let Some(refused) = self.refused.get_mut(&provider) {
                    refused.ended_at = refused.ended_at.or(Some(now));
                }
            }
            Outcome::Upgraded { .. } | Outcome::Gone | Outcome::Failed { .. } => {}
        }
    }
}

fn ensured(ensured: Ensured) -> Outcome {
    match ensured {
        Ensured::Made(Made { provider_id, address, access }) => {
            Outcome::Made { provider_id, address, access }
        }
        Ensured::Coming { provider_id } => Outcome::Coming { provider_id },
    }
}

/// Between half and all of `wait`, so that machines which failed together are not tried together.
fn jittered(wait: Duration) -> Duration {
    let dice = u32::from(u16::from_le_bytes(random_bytes()));
    wait / 2 + wait * dice / (2 * u32::from(u16::MAX))
}

/// What is to be done about a machine now.
fn act(machine: &Machine, silent: Duration) -> Option<Act> {
    match &machine.phase {
        MachinePhase::Wanted => Some(Act::Ensure),
        MachinePhase::Bringing => Some(Act::Bring),
        MachinePhase::Ready | MachinePhase::Lost { .. } if silent >= SILENT => Some(Act::Bring),
        MachinePhase::Leaving => Some(Act::Remove),
        MachinePhase::Failed { .. }
            if machine.provider.is_elastic() && machine.provider_id.is_some() =>
        {
            Some(Act::Remove)
        }
        MachinePhase::Ready
        | MachinePhase::Lost { .. }
        | MachinePhase::Failed { .. }
        | MachinePhase::Gone => None,
    }
}

const NOWHERE_TO_DIAL: &str = "other machines cannot call: set `listen` (and `address`) under \
                               [machines] in server.toml, and start Toehold again";
