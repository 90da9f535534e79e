//! The numbers for Prometheus. Those of proxy and agents are shown as they said them last: they dial
//! us and need no port of their own. What they count goes on while we are away, since each counts
//! from its own beginning.

use toehold_core::model::{AppName, InstancePhase, InstanceStatus, MachineName, Track};
use toehold_core::wire::proxy::InstanceCounters;

use super::{Control, ControlError};
use crate::metrics::{CLASSES, Text};

/// An instance that is looked for by whoever wants to ask it for numbers of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it listens.
    pub addr: std::net::SocketAddr,
    /// Which, and what of it is worth a label.
    pub labels: Vec<(&'static str, String)>,
    /// Its app, for who may see it.
    pub app: AppName,
}

/// Which series of an app are said, in order.
const TRACKS: [Track; 2] = [Track::Stable, Track::Canary];

impl Control {
    /// The page of the control plane.
    pub async fn exposed(&self) -> Result<Text, ControlError> {
        let mut text = Text::default();
        text.say("toehold_control_start_time_seconds", &[], seconds(self.began.as_ms()));
        if let Ok(free) = toehold_host::disk::free_bytes(self.layout().root()) {
            text.count("toehold_control_disk_free_bytes", &[], free);
        }
        for name in self.app_names().await {
            self.expose_app(&name, &mut text).await?;
        }
        let agents = self.parts.fleet.agents();
        let fresh = agents.values().filter(|agent| agent.is_fresh()).count();
        text.count("toehold_fleet_agents", &[], fresh as u64);
        text.count("toehold_fleet_proxies", &[], self.parts.fleet.proxy_count() as u64);
        let (running, waiting) = self.queue().counts();
        text.count("toehold_builder_builds_running", &[], running as u64);
        text.count("toehold_builder_builds_waiting", &[], waiting as u64);
        let (letters, _) = self.store().list("outbox/").await?;
        text.count("toehold_notify_messages_waiting", &[], letters.len() as u64);
        self.expose_certificates(&mut text).await?;
        self.metrics().tally.say(&mut text);
        Ok(text)
    }

    async fn expose_app(&self, name: &AppName, text: &mut Text) -> Result<(), ControlError> {
        let apps = self.apps.lock().await;
        let app = &apps.get(name)?.app;
        let weights: u32 = app.route.arms.iter().map(|arm| arm.weight).sum();
        for track in TRACKS {
            let labels = [name.as_str(), track.as_str()];
            let of_track = app.instances.iter().filter(|it| it.track == track);
            text.count("toehold_control_instances", &labels, of_track.count() as u64);
            let arm = app.route.arms.iter().find(|arm| arm.track == track);
            let weight = arm.map_or(0, |arm| arm.weight);
            let share = f64::from(weight) / f64::from(weights.max(1));
            text.say("toehold_control_traffic_ratio", &labels, share);
            if let Some(arm) = arm {
                text.count("toehold_control_release_number", &labels, arm.release.0);
            }
            let raised = app.alerts.iter().filter(|it| it.track == track && it.is_raised());
            text.count("toehold_control_alerts", &labels, raised.count() as u64);
        }
        text.whether("toehold_control_pinned", &[name.as_str()], app.pin.is_some());
        for it in &app.instances {
            let (release, instance) = (it.release.0.to_string(), within(&it.id));
            let labels = [name.as_str(), it.track.as_str(), &release, &instance];
            text.count("toehold_control_instance_info", &labels, 1);
        }
        Ok(())
    }

    /// The page of the proxy; `None` where it was not heard of lately.
    #[must_use]
    pub fn exposed_proxy(&self) -> Option<Text> {
        let seen = self.parts.fleet.proxy_counted()?;
        let mut text = Text::default();
        text.say("toehold_proxy_start_time_seconds", &[], seconds(seen.report.started_at.as_ms()));
        text.say("toehold_proxy_report_age_seconds", &[], seen.at.elapsed().as_secs_f64());
        for counters in &seen.report.instances {
            expose_counters(counters, &mut text);
        }
        let mut refused = std::collections::BTreeMap::<(&AppName, &str), u64>::new();
        for it in &seen.report.refused {
            let class = CLASSES[usize::from(it.status / 100).clamp(1, 5) - 1];
            *refused.entry((&it.app, class)).or_default() += it.count;
        }
        let dropped = seen.report.access_lines_dropped;
        text.count("toehold_proxy_access_log_lines_dropped_total", &[], dropped);
        for ((app, class), count) in refused {
            text.count("toehold_proxy_requests_refused_total", &[app.as_str(), class], count);
        }
        Some(text)
    }

    /// The page of a machine's agent; `None` where it was not heard of lately.
    #[must_use]
    pub fn exposed_agent(&self, machine: &MachineName) -> Option<Text> {
        let agents = self.parts.fleet.agents();
        let seen = agents.get(machine).filter(|agent| agent.is_fresh())?;
        let mut text = Text::default();
        text.say("toehold_agent_report_age_seconds", &[], seen.at.elapsed().as_secs_f64());
        let machine = seen.report.machine;
        text.say("toehold_agent_machine_cpus", &[], machine.cpus);
        text.say("toehold_agent_machine_cpu_ratio", &[], machine.cpu_percent / 100.0);
        text.count("toehold_agent_machine_memory_bytes", &[], machine.memory_bytes);
        text.say("toehold_agent_machine_memory_ratio", &[], machine.memory_percent / 100.0);
        text.count("toehold_agent_machine_disk_free_bytes", &[], machine.disk_free_bytes);
        for status in &seen.report.instances {
            expose_status(status, &mut text);
        }
        Some(text)
    }

    /// The instances that can be asked, for whoever finds them by `http_sd`.
    pub async fn scraped(&self) -> Vec<Found> {
        let agents = self.parts.fleet.agents();
        let apps = self.apps.lock().await;
        let mut found = Vec::new();
        for (machine, agent) in agents.iter().filter(|(_, agent)| agent.is_fresh()) {
            for status in &agent.report.instances {
                let name = status.id.app();
                let wished = apps.get(name).ok().and_then(|loaded| {
                    loaded.app.instances.iter().find(|instance| instance.id == status.id)
                });
                let (Some(addr), Some(wished), true) =
                    (status.addr, wished, status.phase == InstancePhase::Running)
                else {
                    continue;
                };
                let labels = vec![
                    ("__meta_toehold_app", name.to_string()),
                    ("__meta_toehold_track", wished.track.as_str().to_owned()),
                    ("__meta_toehold_release", wished.release.0.to_string()),
                    ("__meta_toehold_instance", within(&status.id)),
                    ("__meta_toehold_machine", machine.to_string()),
                    ("__meta_toehold_healthy", status.healthy.to_string()),
                ];
                found.push(Found { addr, labels, app: name.clone() });
            }
        }
        found
    }
}

fn expose_counters(counters: &InstanceCounters, text: &mut Text) {
    let (app, instance) = (counters.instance.app(), within(&counters.instance));
    let labels = [app.as_str(), counters.track.as_str(), &instance];
    text.count("toehold_proxy_requests_started_total", &labels, counters.started);
    for (class, count) in CLASSES.iter().zip(counters.answered) {
        let labels = [app.as_str(), counters.track.as_str(), &instance, class];
        text.count("toehold_proxy_requests_total", &labels, count);
    }
    text.count("toehold_proxy_requests_failed_total", &labels, counters.failed);
    text.count("toehold_proxy_requests_retried_total", &labels, counters.retried);
    text.count("toehold_proxy_bytes_in_total", &labels, counters.bytes_in);
    text.count("toehold_proxy_bytes_out_total", &labels, counters.bytes_out);
    text.count("toehold_proxy_requests_in_flight", &labels, counters.in_flight);
    text.histogram("toehold_proxy_request_duration_seconds", &labels, &counters.latency);
    text.whether("toehold_proxy_instance_set_aside", &labels, counters.set_aside.is_some());
    text.count("toehold_proxy_instance_ejections_total", &labels, counters.ejections);
}

fn expose_status(status: &InstanceStatus, text: &mut Text) {
    let (app, instance) = (status.id.app(), within(&status.id));
    let labels = [app.as_str(), instance.as_str()];
    let runs = status.phase == InstancePhase::Running;
    text.whether("toehold_agent_instance_running", &labels, runs);
    text.whether("toehold_agent_instance_healthy", &labels, status.healthy);
    if let Some(began) = status.started_at {
        text.say("toehold_agent_instance_start_time_seconds", &labels, seconds(began.as_ms()));
    }
    let restarts = u64::from(status.restarts);
    text.count("toehold_agent_instance_restarts_total", &labels, restarts);
    if let Some(reading) = status.reading {
        text.say("toehold_agent_instance_cpu_ratio", &labels, reading.cpu_percent / 100.0);
        text.say("toehold_agent_instance_memory_ratio", &labels, reading.memory_percent / 100.0);
        text.count("toehold_agent_instance_memory_bytes", &labels, reading.memory_bytes);
    }
}

/// `web.7`: an instance within its app.
fn within(instance: &toehold_core::model::InstanceId) -> String {
    format!("web.{}", instance.ordinal())
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
