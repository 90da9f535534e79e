//! What stands in the way of machines is told: as an event, as a message, and on the app's page.

use toehold_core::machines::Held;
use toehold_core::model::{AppName, Event, EventKind, Machine, MachinePhase, Subject};
use tracing::error;

use crate::control::Control;
use crate::notify::{Letter, outbox_write};
use crate::store::{Txn, Write};

impl Control {
    /// Says what stands in the way of something, once while it does. `troubles` of asking a provider
    /// are no message: they may be over with the next look.
    pub(super) async fn say_held(&self, held: Vec<Held>, troubles: Vec<String>) {
        let held = held.into_iter().map(|it| (it, true));
        let troubles = troubles.into_iter().map(|why| (Held { app: None, why }, false));
        let all: Vec<(Held, bool)> = held.chain(troubles).collect();
        let new: Vec<(Held, bool)> = {
            let mut machines = self.machines();
            let now = all.iter().map(|(held, _)| held.clone()).collect();
            let before = std::mem::replace(&mut machines.held, now);
            all.into_iter().filter(|(held, _)| !before.contains(held)).collect()
        };
        for (Held { app, why }, is_message) in new {
            error!(%why, "machines are held");
            let event = Event {
                rev: 0,
                at: self.clock().now(),
                app,
                kind: EventKind::MachinesHeld,
                subject: Subject::Toehold,
                cause: None,
                actor: "toehold".into(),
                text: why,
                facts: serde_json::Value::Null,
            };
            let mut txn = Txn::by("toehold").write(Write::event(&event));
            if is_message {
                txn.writes.extend(outbox_write(&Letter::machine(&event), &self.channels()));
            }
            if let Err(error) = self.store().commit(txn).await {
                error!(event.text = %event.text, %error, "that machines are held could not be kept");
            }
        }
    }

    /// What is wrong with machines of an app, or stands in the way of more, in words.
    pub fn machine_troubles(&self, app: &AppName) -> Vec<String> {
        let known = self.machines();
        let of_app = |it: &&super::Loaded| {
            let counts = known.counts.get(&it.machine.name);
            it.machine.app.as_ref() == Some(app) || counts.is_some_and(|it| it.contains_key(app))
        };
        let troubles = known.by_name.values().filter(of_app).filter_map(|it| trouble(&it.machine));
        let held = known.held.iter().filter(|it| it.app.as_ref().is_none_or(|of| of == app));
        held.map(|it| it.why.clone()).chain(troubles).collect()
    }
}

/// What is wrong with a machine, in words.
pub(super) fn trouble(machine: &Machine) -> Option<String> {
    let (name, trouble) = (&machine.name, machine.trouble.as_ref());
    match &machine.phase {
        MachinePhase::Lost { why } => Some(format!("{name} is lost: {why}")),
        MachinePhase::Failed { why } => Some(format!("{name} failed: {why}")),
        MachinePhase::Gone => None,
        MachinePhase::Wanted
        | MachinePhase::Bringing
        | MachinePhase::Ready
        | MachinePhase::Leaving => trouble.map(|why| format!("{name}: {why}")),
    }
}
