//! Whether all is well, and what to do where it is not.

use serde::{Deserialize, Serialize};
use toehold_core::model::MachineName;
use toehold_core::tell;

use super::Control;

/// Less free than this is not well, in bytes.
const LOW_BYTES: u64 = 1 << 30;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// Whether it is well.
    pub ok: bool,
    /// What was seen.
    pub says: String,
    /// What to do where it is not well.
    pub hint: String,
}

impl Control {
    /// Looks at everything.
    pub async fn health(&self) -> Vec<Finding> {
        let mut findings =
            vec![self.store_health().await, self.agent_health(), self.proxy_health()];
        findings.push(self.disk_health());
        findings.push(self.log_places());
        findings.push(self.message_health().await);
        findings.extend(self.machine_findings());
        findings.extend(self.reach_findings());
        findings.extend(self.certificate_finding().await);
        findings
    }

    async fn store_health(&self) -> Finding {
        let (ok, says) = match self.store().list("lead/").await {
            Ok((_, rev)) => (true, format!("answers, at revision {rev}")),
            Err(error) => (false, error.to_string()),
        };
        let hint = "look whether the disk is full: df -h".into();
        Finding { what: "store".into(), ok, says, hint }
    }

    fn agent_health(&self) -> Finding {
        let agents = self.parts.fleet.agents();
        let hint = format!("see {}", self.layout().logs().join("agent.log").display());
        let (ok, says) = match agents.get_key_value(&MachineName::local()) {
            Some((_, agent)) if agent.is_fresh() => {
                let machine = agent.report.machine;
                let says = format!(
                    "{}; machine cpu {:.0} %, memory {:.0} %",
                    tell::count(agent.report.instances.len() as u64, "instance"),
                    machine.cpu_percent,
                    machine.memory_percent,
                );
                (true, says)
            }
            Some(_) => (false, "was not heard of for ten seconds".into()),
            None => (false, "has not dialled in".into()),
        };
        Finding { what: "agent".into(), ok, says, hint }
    }

    fn proxy_health(&self) -> Finding {
        let hint = format!("see {}", self.layout().logs().join("proxy.log").display());
        let newest = self.plans().order();
        let (ok, says) = match self.parts.fleet.proxy() {
            None => (false, "was not heard of for ten seconds".into()),
            // What it put in force it says at once; its reports come by the second.
            Some(_) if self.parts.fleet.applied().borrow().order < newest => {
                (false, format!("has not put plan {} in force yet", newest.rev))
            }
            Some(_) => (true, format!("has plan {} in force", newest.rev)),
        };
        Finding { what: "proxy".into(), ok, says, hint }
    }

    fn disk_health(&self) -> Finding {
        let root = self.layout().root();
        let (ok, says) = match toehold_host::disk::free_bytes(root) {
            Ok(free) => (free >= LOW_BYTES, format!("{} MiB free", free >> 20)),
            Err(error) => (false, error.to_string()),
        };
        let hint = format!("free some space under {}", root.display());
        Finding { what: "disk".into(), ok, says, hint }
    }

    /// Where to look by hand: it is asked for when something else is not well.
    fn log_places(&self) -> Finding {
        let says = format!(
            "of Toehold and of builds in {}; of an instance on its own machine, below its agent's \
             folder in agent/log, which `toehold logs` reads from there",
            self.layout().logs().display()
        );
        Finding { what: "logs".into(), ok: true, says, hint: String::new() }
    }

    async fn message_health(&self) -> Finding {
        let channels = self.channels();
        let hint = "see docs/messages.md; toehold alerts test".into();
        let waiting = self.store().list("outbox/").await.map_or(0, |(docs, _)| docs.len());
        let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
        let says = if names.is_empty() {
            "no channel is set up: nobody is told of anything".to_owned()
        } else {
            format!("by {}; {waiting} wait to be delivered", names.join(" and "))
        };
        // A few that wait are on their way; many are stuck.
        Finding { what: "messages".into(), ok: waiting < 20, says, hint }
    }
}
