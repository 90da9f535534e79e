//! What was seen of an app, put together from what agents and proxy say.

use std::collections::BTreeMap;

use toehold_core::decide::{MachineSeen, ProxySeen, Seen};
use toehold_core::model::{App, AppName, Instance, InstanceStatus, MachineName};

use super::Control;
use crate::fleet::Agents;

impl Control {
    /// What is seen of an app now.
    pub(super) fn seen(&self, app: &App) -> Seen {
        let agents = self.parts.fleet.agents();
        let machines = self.machines_seen(&app.name, &agents);
        let said = |instance: &Instance| {
            let status = self.said_of(instance, &machines, &agents)?;
            Some((instance.id.clone(), status))
        };
        let instances = app.instances.iter().filter_map(said).collect();
        Seen { instances, machines, proxy: self.proxy_seen(&app.name) }
    }

    /// What the agent of an instance's own machine says of it: nobody else is believed, and nobody
    /// is believed about another machine's address.
    fn said_of(
        &self,
        instance: &Instance,
        machines: &BTreeMap<MachineName, MachineSeen>,
        agents: &Agents,
    ) -> Option<InstanceStatus> {
        let machine = &instance.place.as_ref()?.machine;
        if machines.get(machine).is_none_or(MachineSeen::is_lost) {
            return None;
        }
        let said = &agents.get(machine)?.report.instances;
        let mut status = said.iter().find(|status| status.id == instance.id)?.clone();
        let address = self.machines().address(machine);
        status.addr = status.addr.filter(|addr| Some(addr.ip()) == address);
        Some(status)
    }

    fn proxy_seen(&self, app: &AppName) -> Option<ProxySeen> {
        let report = self.parts.fleet.proxy()?.report;
        let mut seen = ProxySeen {
            applied_rev: self.plans().applied(report.applied, app),
            ..ProxySeen::default()
        };
        for counters in report.instances.into_iter().filter(|it| it.instance.app() == app) {
            if counters.in_flight > 0 {
                seen.in_flight.insert(counters.instance.clone(), counters.in_flight);
            }
            if counters.set_aside.is_some() {
                seen.set_aside.insert(counters.instance);
            }
        }
        Some(seen)
    }
}
