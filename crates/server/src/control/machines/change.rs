//! A machine's document changes: written with its event, then told.

use toehold_core::machines::Step;
use toehold_core::model::{Machine, MachineName, MachinePhase};

use super::{Loaded, machine_key};
use crate::control::{Control, ControlError};
use crate::store::{CommitError, Rev, Txn, Write};

impl Control {
    /// Carries out one step about a machine; whoever changed it meanwhile wins, and what this step
    /// was for is found again at the next look.
    pub(super) async fn carry_out_machine(&self, step: Step) -> Result<(), ControlError> {
        let name = step.machine.name.clone();
        let rev = self.machines().by_name.get(&name).map_or(Rev::NONE, |it| it.rev);
        let key = machine_key(&name);
        let txn = Txn::by(&step.event.actor)
            .expect(key.clone(), rev)
            .write(Write::put(key.clone(), &step.machine))
            .write(Write::event(&step.event));
        let committed = match self.store().commit(txn).await {
            Ok(committed) => committed,
            Err(CommitError::Conflict { .. }) => return self.reread(&name).await,
            Err(error) => return Err(error.into()),
        };
        let rev = committed.revs.first().copied().unwrap_or(Rev::NONE);
        self.take_in_machine(rev, step.machine).await;
        Ok(())
    }

    async fn reread(&self, name: &MachineName) -> Result<(), ControlError> {
        let doc = self.store().get_as::<Machine>(&machine_key(name)).await?;
        if let Some(doc) = doc {
            self.take_in_machine(doc.rev, doc.value).await;
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
