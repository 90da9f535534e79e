//! What was seen of an app, put together from what agents and proxy say.

use toehold_core::decide::{ProxySeen, Seen};
use toehold_core::model::AppName;

use super::Control;
use crate::fleet::AgentSeen;

impl Control {
    /// What is seen of an app now.
    pub(super) fn seen(&self, app: &AppName) -> Seen {
        let agents = self.parts.fleet.agents();
        let agents_heard = !agents.is_empty() && agents.values().all(AgentSeen::is_fresh);
        let instances = agents
            .into_values()
            .flat_map(|agent| agent.report.instances)
            .filter(|status| status.id.app() == app)
            .map(|status| (status.id.clone(), status))
            .collect();
        Seen { instances, agents_heard, proxy: self.proxy_seen(app) }
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
