//! A machine's document changes: written with its event, then told.

use toehold_core::machines::Step;
use toehold_core::model::{EventKind, Machine, MachineName, MachinePhase};

use super::{Loaded, machine_key};
use crate::control::{Control, ControlError};
use crate::notify::{Letter, outbox_write};
use crate::store::{CommitError, Rev, Txn, Write};

/// How often a wish about a machine is granted anew because somebody else changed the machine in
/// between.
const TRIES: usize = 16;

impl Control {
    /// Carries out one step about a machine, which was decided about its document at `rev`. Whoever
    /// changed it meanwhile wins: then this is `false`, and what the step was for has to be decided
    /// again, about the document as it is now.
    pub(super) async fn carry_out_machine(
        &self,
        rev: Rev,
        step: Step,
    ) -> Result<bool, ControlError> {
        let name = step.machine.name.clone();
        let key = machine_key(&name);
        let mut txn = Txn::by(&step.event.actor)
            .expect(key.clone(), rev)
            .write(Write::put(key.clone(), &step.machine))
            .write(Write::event(&step.event));
        if let EventKind::MachineFailed | EventKind::MachineLost = step.event.kind {
            txn.writes.extend(outbox_write(&Letter::machine(&step.event), &self.channels()));
        }
        let committed = match self.store().commit(txn).await {
            Ok(committed) => committed,
            Err(CommitError::Conflict { .. }) => {
                self.reread(&name).await?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let rev = committed.revs.first().copied().unwrap_or(Rev::NONE);
        self.take_in_machine(rev, step.machine).await;
        Ok(true)
    }

    /// Grants what somebody wishes of a machine: `grant` says what comes of it, from the document as
    /// it is, and is asked again where somebody else was faster. `None` of it is that nothing is to
    /// change.
    pub(super) async fn change_machine<E: From<ControlError>>(
        &self,
        name: &MachineName,
        grant: impl Fn(Option<Machine>) -> Result<Option<Step>, E>,
    ) -> Result<(), E> {
        for _ in 0..TRIES {
            let (rev, machine) = self.known_machine(name);
            let Some(step) = grant(machine)? else { return Ok(()) };
            if self.carry_out_machine(rev, step).await? {
                return Ok(());
            }
        }
        Err(ControlError::ContendedMachine(name.clone()).into())
    }

    /// A machine's document and its revision, one that is gone included.
    pub(super) fn known_machine(&self, name: &MachineName) -> (Rev, Option<Machine>) {
        let known = self.machines();
        let found = known.by_name.get(name);
        found.map_or((Rev::NONE, None), |it| (it.rev, Some(it.machine.clone())))
    }

    async fn reread(&self, name: &MachineName) -> Result<(), ControlError> {
        let doc = self.store().get_as::<Machine>(&machine_key(name)).await?;
        match doc {
            Some(doc) => self.take_in_machine(doc.rev, doc.value).await,
            None => drop(self.machines().by_name.remove(name)),
        }
        Ok(())
    }

    /// What is known of a machine is now this; apps that wait for one, and agents, hear of it.
    async fn take_in_machine(&self, rev: Rev, machine: Machine) {
        let is_gone = matches!(machine.phase, MachinePhase::Leaving | MachinePhase::Gone);
        let name = machine.name.clone();
        self.machines().by_name.insert(name.clone(), Loaded { rev, machine });
        if is_gone {
            self.parts.fleet.hang_up(&name);
        }
        self.project().await;
        self.wake.notify_one();
        self.wake_machines.notify_one();
    }
}
