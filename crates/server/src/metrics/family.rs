//! Every metric there is, once: its name, what it is and what tells its series apart. The pages that
//! Prometheus reads, and the page that people read, are made from this table.

/// Who counted it: each has a page of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The control plane: `/metrics`.
    Control,
    /// The proxy: `/metrics/proxy`.
    Proxy,
    /// The agent of a machine: `/metrics/agent/MACHINE`.
    Agent,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins at 0 with the process that counts.
    Counter,
    /// How it is now.
    Gauge,
    /// Counts by upper bound, in buckets.
    Histogram,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug)]
pub struct Family {
    /// `toehold_<room>_<what>_<unit>`; a counter ends with `_total`.
    pub name: &'static str,
    /// Who counted it.
    pub page: Page,
    /// What it is.
    pub kind: Kind,
    /// What tells its series apart, in order.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
}

const fn of(
    page: Page,
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, page, kind, labels, help }
}

use Kind::{Counter, Gauge, Histogram};
use Page::{Agent, Control, Proxy};

/// All of them: a line each, to be read across.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = &[
    of(Control, Gauge, "toehold_control_start_time_seconds", &[], "When the control plane began, since 1970; its counters begin at 0 with it"),
    of(Control, Gauge, "toehold_control_disk_free_bytes", &[], "Free bytes where the state folder lies"),
    of(Control, Gauge, "toehold_control_instances", &["app", "track"], "Instances that should run, those being drained included"),
    of(Control, Gauge, "toehold_control_instance_info", &["app", "track", "release", "instance"], "1 for each instance that should run: what its other series are joined with"),
    of(Control, Gauge, "toehold_control_traffic_ratio", &["app", "track"], "The share of visitors a track gets, 0 to 1"),
    of(Control, Gauge, "toehold_control_release_number", &["app", "track"], "The release a track's visitors get"),
    of(Control, Gauge, "toehold_control_alerts", &["app", "track"], "Alerts that are raised"),
    of(Control, Gauge, "toehold_control_pinned", &["app"], "1 while a rollback holds automatic deploys"),
    of(Control, Gauge, "toehold_control_certificates", &[], "Public hosts that have a certificate which is good for a while; like the next two, only where `[acme]` is set"),
    of(Control, Gauge, "toehold_control_certificates_lacking", &[], "Public hosts that have none, or one that ends soon and was not renewed"),
    of(Control, Gauge, "toehold_control_certificate_first_end_time_seconds", &[], "When the first of the certificates ends, since 1970"),
    of(Control, Gauge, "toehold_fleet_agents", &[], "Agents that were heard of in the last ten seconds"),
    of(Control, Gauge, "toehold_fleet_proxies", &[], "Proxies that were heard of in the last ten seconds; two while one takes over from another"),
    of(Control, Counter, "toehold_builder_builds_total", &["app", "track", "outcome"], "Builds that ended: passed, failed, superseded or cancelled"),
    of(Control, Counter, "toehold_builder_build_seconds_total", &["app", "track", "outcome"], "How long the builds that ended took, all together"),
    of(Control, Gauge, "toehold_builder_builds_running", &[], "Builds that run"),
    of(Control, Gauge, "toehold_builder_builds_waiting", &[], "Builds that wait"),
    of(Control, Gauge, "toehold_notify_messages_waiting", &[], "Messages that are not delivered yet"),
    of(Control, Counter, "toehold_door_answers_total", &["code"], "Answers of API and dashboard, by class of status"),
    of(Control, Counter, "toehold_door_webhooks_refused_total", &[], "Webhooks that were not believed: their signature is missing, old or of another secret"),
    of(Proxy, Gauge, "toehold_proxy_start_time_seconds", &[], "When the proxy began, since 1970; where it took over from another, its counters go on from there"),
    of(Proxy, Gauge, "toehold_proxy_report_age_seconds", &[], "How long ago the proxy said this"),
    of(Proxy, Counter, "toehold_proxy_requests_started_total", &["app", "track", "instance"], "Requests that were begun"),
    of(Proxy, Counter, "toehold_proxy_requests_total", &["app", "track", "instance", "code"], "Requests that were answered, by class of status"),
    of(Proxy, Counter, "toehold_proxy_requests_failed_total", &["app", "track", "instance"], "Requests that got no answer: refused, reset, timed out"),
    of(Proxy, Counter, "toehold_proxy_requests_retried_total", &["app", "track", "instance"], "Requests that were tried elsewhere after they had failed here"),
    of(Proxy, Counter, "toehold_proxy_bytes_in_total", &["app", "track", "instance"], "Bytes that were sent to the instance, heads included"),
    of(Proxy, Counter, "toehold_proxy_bytes_out_total", &["app", "track", "instance"], "Bytes that came from the instance, heads included"),
    of(Proxy, Gauge, "toehold_proxy_requests_in_flight", &["app", "track", "instance"], "Requests in flight now, upgraded connections included"),
    of(Proxy, Histogram, "toehold_proxy_request_duration_seconds", &["app", "track", "instance"], "How long the answers took; there is no sum"),
    of(Proxy, Gauge, "toehold_proxy_instance_set_aside", &["app", "track", "instance"], "1 while the proxy passes an instance over because it failed, or is much slower than others"),
    of(Proxy, Counter, "toehold_proxy_instance_ejections_total", &["app", "track", "instance"], "How often the proxy began to pass an instance over"),
    of(Proxy, Counter, "toehold_proxy_requests_refused_total", &["app", "code"], "Requests the proxy itself answered, since no instance could"),
    of(Proxy, Counter, "toehold_proxy_access_log_lines_dropped_total", &[], "Lines of the access log that could not be written fast enough"),
    of(Agent, Gauge, "toehold_agent_report_age_seconds", &[], "How long ago the agent said this"),
    of(Agent, Gauge, "toehold_agent_machine_cpus", &[], "Cores of the machine"),
    of(Agent, Gauge, "toehold_agent_machine_cpu_ratio", &[], "CPU in use, of all cores, 0 to 1"),
    of(Agent, Gauge, "toehold_agent_machine_memory_bytes", &[], "Memory of the machine"),
    of(Agent, Gauge, "toehold_agent_machine_memory_ratio", &[], "Memory in use, 0 to 1"),
    of(Agent, Gauge, "toehold_agent_machine_disk_free_bytes", &[], "Free bytes where instances are unpacked"),
    of(Agent, Gauge, "toehold_agent_instance_running", &["app", "instance"], "1 while the instance has its process"),
    of(Agent, Gauge, "toehold_agent_instance_healthy", &["app", "instance"], "1 while its health check says yes"),
    of(Agent, Gauge, "toehold_agent_instance_start_time_seconds", &["app", "instance"], "When its process began, since 1970"),
    of(Agent, Counter, "toehold_agent_instance_restarts_total", &["app", "instance"], "How often it was started again because it had died"),
    of(Agent, Gauge, "toehold_agent_instance_cpu_ratio", &["app", "instance"], "CPU it uses, of its allotment; may be above 1"),
    of(Agent, Gauge, "toehold_agent_instance_memory_ratio", &["app", "instance"], "Memory it uses, of its allotment; may be above 1"),
    of(Agent, Gauge, "toehold_agent_instance_memory_bytes", &["app", "instance"], "Memory it uses"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_metric_is() {
        for family in FAMILIES {
            let name = family.name;
            let room = match family.page {
                Page::Control => ["control", "fleet", "builder", "notify", "door"].as_slice(),
                Page::Proxy => &["proxy"],
                Page::Agent => &["agent"],
            };
            let is_of = |room: &&str| name.starts_with(&format!("toehold_{room}_"));
            assert!(room.iter().any(is_of), "{name} is of another room");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert_eq!(FAMILIES.iter().filter(|it| it.name == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn no_series_is_told_apart_by_what_has_no_bound() {
        let bounded = ["app", "track", "release", "instance", "code", "outcome"];
        for family in FAMILIES {
            assert!(family.labels.iter().all(|it| bounded.contains(it)), "{}", family.name);
        }
    }
}
