//! What elastic providers have and what it costs: asked now and then, in one call for all machines.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use toehold_core::machines::{Listed, Lists, Need, surplus};
use toehold_core::model::{Machine, MachineName, MachinePhase, Provider as Kind};
use tracing::{info, warn};

use super::machine_key;
use crate::control::{Control, ControlError};
use crate::store::{Txn, Write};

/// How often a provider is asked while that is of use.
const ASK: Duration = Duration::from_secs(15);

/// How often prices are asked for.
const PRICES: Duration = Duration::from_hours(6);

/// For how long the name of a machine that is gone is remembered.
const REMEMBERED: Duration = Duration::from_hours(24 * 7);

/// When what was asked.
#[derive(Default)]
pub(super) struct Asked {
    is_asking: bool,
    at: Option<Instant>,
    prices_at: Option<Instant>,
    /// What each size costs an hour; `None` while no provider has said so.
    pub(super) prices: Option<BTreeMap<String, f64>>,
    /// What could not be asked, or is strange, in words.
    pub(super) troubles: Vec<String>,
}

impl Control {
    /// Asks elastic providers what they have, where it is time: while there are machines of one, and
    /// where the first is needed and may not be made before its price is known.
    pub(super) fn ask_providers(&self, needs: &[Need]) {
        let has_cap = self.settings().machines.most_per_hour.is_some();
        let is_needed = has_cap && needs.iter().any(|need| need.provider.is_elastic());
        {
            let mut known = self.machines();
            let is_elastic = |it: &super::Loaded| it.machine.provider.is_elastic();
            let is_time = known.asked.at.is_none_or(|at| at.elapsed() >= ASK);
            let is_of_use = is_needed || known.by_name.values().any(is_elastic);
            if known.asked.is_asking || !is_time || !is_of_use {
                return;
            }
            known.asked.is_asking = true;
        }
        let Some(control) = self.itself.upgrade() else { return };
        self.tasks.spawn(async move {
            let stop = control.shutdown.clone();
            stop.run_until_cancelled(control.hear_providers()).await;
            let mut known = control.machines();
            known.asked.is_asking = false;
            known.asked.at = Some(Instant::now());
        });
    }

    async fn hear_providers(&self) {
        let mut troubles = Vec::new();
        for kind in self.parts.providers.keys().copied().filter(|kind| kind.is_elastic()) {
            if let Err(why) = self.hear_provider(kind, &mut troubles).await {
                self.machines().given.remove(&kind);
                troubles.push(format!("{kind} cannot be asked what it has: {why}"));
            }
        }
        if let Err(error) = self.forget_machines().await {
            warn!(%error, "machines that are long gone could not be forgotten");
        }
        self.machines().asked.troubles = troubles;
        self.wake_machines.notify_one();
    }

    async fn hear_provider(&self, kind: Kind, troubles: &mut Vec<String>) -> Result<(), String> {
        let Some(provider) = self.parts.providers.get(&kind) else { return Ok(()) };
        let is_old = self.machines().asked.prices_at.is_none_or(|at| at.elapsed() >= PRICES);
        if self.settings().machines.most_per_hour.is_some() && is_old {
            let prices = provider.prices().await.map_err(|error| error.why)?;
            let mut known = self.machines();
            known.asked.prices = Some(prices);
            known.asked.prices_at = Some(Instant::now());
        }
        let asked_at = self.clock().now();
        let given = provider.observe().await.map_err(|error| error.why)?;
        let found = {
            let mut known = self.machines();
            let machines: BTreeMap<MachineName, Machine> =
                known.by_name.iter().map(|(name, it)| (name.clone(), it.machine.clone())).collect();
            let found = surplus(&machines, kind, &given);
            let last = Listed { asked_at, machines: given };
            let before = known.given.remove(&kind).map(|it| it.last);
            known.given.insert(kind, Lists { last, before });
            found
        };
        for given in found.give_back {
            info!(machine.name = %given.name, machine.id = %given.provider_id, "a machine that is too much is given back");
            provider.discard(&given).await.map_err(|error| error.why)?;
        }
        troubles.extend(found.strange.into_iter().map(|it| {
            format!(
                "{kind} has {} ({}), which carries our tag and was not asked for here: nothing is \
                 done about it; remove it there where nobody needs it",
                it.name, it.provider_id
            )
        }));
        Ok(())
    }

    /// Forgets the names of machines that are long gone.
    async fn forget_machines(&self) -> Result<(), ControlError> {
        let now = self.clock().now();
        let old: Vec<MachineName> = {
            let known = self.machines();
            let is_old = |it: &&super::Loaded| {
                it.machine.phase == MachinePhase::Gone && now.since(it.machine.since) >= REMEMBERED
            };
            known.by_name.values().filter(is_old).map(|it| it.machine.name.clone()).collect()
        };
        for name in old {
            let txn = Txn::by("toehold").write(Write::delete(machine_key(&name)));
            self.store().commit(txn).await?;
            self.machines().by_name.remove(&name);
            self.forget_first_words(&name);
        }
        Ok(())
    }
}
