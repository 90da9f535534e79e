//! An app at one glance.

use toehold_core::model::{Instance, InstancePhase, MachineName, RolloutPhase};
use toehold_core::wire::api::{AppView, InstanceView, TrackTraffic};

use super::paint;
use super::table::{columns, safe};
use super::time::{ago, now, took};

/// Every line of an app's status.
pub fn status(view: &AppView) -> Vec<String> {
    let mut lines = vec![head(view)];
    lines.extend(rollout(view));
    if let Some(failed) = &view.failed {
        let number = failed.number;
        lines.push(paint::bad(&format!("  {number} failed: {}", safe(&failed.why, 120))));
        lines.push(paint::faint(&format!("  its output: toehold logs {}", number.0)));
    }
    if let Some(pin) = &view.pin {
        lines.push(paint::busy(&format!(
            "  pinned to {} by {} {}: pushes are built but not deployed until `toehold unpin`",
            pin.release,
            safe(&pin.by, 40),
            ago(pin.at)
        )));
    }
    lines.extend(view.traffic.iter().map(|traffic| format!("  {}", traffic_line(traffic))));
    let rows: Vec<Vec<String>> = view.instances.iter().map(instance).collect();
    lines.extend(columns(&rows).into_iter().map(|row| format!("  {row}")));
    for alert in view.alerts.iter().filter(|alert| alert.is_raised()) {
        lines.push(paint::bad(&format!(
            "  alert/{}  {} since {}",
            alert.id,
            safe(&alert.finding(), 120),
            ago(alert.raised_at),
        )));
    }
    lines
}

fn head(view: &AppView) -> String {
    let serving = match view.serving {
        Some(number) => format!("release {number}"),
        None => "nothing deployed yet".into(),
    };
    let mut parts = vec![paint::strong(view.app.as_str()), serving];
    if let Some(wanted) = view.wanted.filter(|wanted| Some(*wanted) != view.serving) {
        parts.push(paint::busy(&format!("deploying {wanted}")));
    }
    if let Some(number) = view.building {
        parts.push(paint::busy(&format!("building {number}")));
    }
    parts.push(paint::faint(&format!("{} wanted, {}", view.scale.wanted, view.scale.mode.words())));
    parts.extend(view.urls.first().map(|url| paint::faint(url)));
    parts.join("  ")
}

fn rollout(view: &AppView) -> Vec<String> {
    let Some(rollout) = &view.rollout else { return Vec::new() };
    let share = view.split.map_or(0.0, toehold_core::model::Split::canary_share) * 100.0;
    let word = rollout.phase.as_str();
    let text = match &rollout.phase {
        RolloutPhase::Promoted => return Vec::new(),
        RolloutPhase::Held { why, .. } | RolloutPhase::Aborted { why } => {
            paint::bad(&format!("{word}: {}", safe(why, 160)))
        }
        _ => paint::busy(&format!("{word}, {share:.0} % of requests")),
    };
    let mut lines = vec![format!("  canary {}  {text}", rollout.release)];
    if let Some(step) = &view.step
        && rollout.phase.runs()
    {
        let then = if step.waits { ": toehold rollout resume" } else { "" };
        let (number, of, says) = (step.number, step.of, &step.says);
        lines.push(paint::faint(&format!("  step {number} of {of}, {says}{then}")));
    }
    lines
}

fn traffic_line(traffic: &TrackTraffic) -> String {
    let ms = |us: Option<u64>| match us {
        #[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^52 µs")]
        Some(us) => format!("{:.1} ms", us as f64 / 1_000.0),
        None => "–".into(),
    };
    format!(
        "{:<6} {:<5} {:>7.1} requests/s  errors {:.2} %  p50 {}  p95 {}  {} in all",
        traffic.track.as_str(),
        traffic.release.to_string(),
        traffic.requests_per_second,
        traffic.error_share * 100.0,
        ms(traffic.p50_us),
        ms(traffic.p95_us),
        traffic.requests,
    )
}

fn instance(view: &InstanceView) -> Vec<String> {
    let instance = &view.instance;
    let status = view.status.as_ref();
    let percent = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.0} %"));
    let reading = status.and_then(|status| status.reading);
    vec![
        instance.id.short(),
        machine(instance),
        instance.track.to_string(),
        instance.release.to_string(),
        phase(view),
        format!("cpu {}", percent(reading.map(|it| it.cpu_percent))),
        format!("memory {}", percent(reading.map(|it| it.memory_percent))),
        format!("{} in flight", view.in_flight),
        status
            .and_then(|status| status.started_at)
            .map_or(String::new(), |at| paint::faint(&format!("up {}", took(now().since(at))))),
        evidence(view),
    ]
}

/// `on web1`; nothing where it is the machine Toehold runs on, as for most.
fn machine(instance: &Instance) -> String {
    match &instance.place {
        Some(place) if place.machine != MachineName::local() => format!("on {}", place.machine),
        Some(_) | None => String::new(),
    }
}

fn phase(view: &InstanceView) -> String {
    use toehold_core::model::Goal;
    match (&view.instance.goal, view.status.as_ref()) {
        (Goal::Drain { .. }, _) => paint::busy("draining"),
        (Goal::Stop, _) => paint::busy("stopping"),
        (Goal::Run, None) if view.instance.place.is_none() => paint::busy("waits for a machine"),
        (Goal::Run, None) => paint::busy("asked for"),
        (Goal::Run, Some(status)) => match (&status.phase, status.healthy) {
            (InstancePhase::Running, true) if view.set_aside.is_some() => paint::bad("set aside"),
            (InstancePhase::Running, true) => paint::good("healthy"),
            (InstancePhase::Running, false) => paint::busy("not healthy"),
            (InstancePhase::Starting, _) => paint::busy("starting"),
            (InstancePhase::Backoff { .. }, _) => paint::bad("died, starts again"),
            (InstancePhase::Stopping, _) => paint::busy("stopping"),
            (InstancePhase::Stopped, _) => paint::faint("stopped"),
            (InstancePhase::Failed { .. }, _) => paint::bad("cannot start"),
        },
    }
}

/// Why an instance that should serve does not.
fn evidence(view: &InstanceView) -> String {
    let Some(status) = &view.status else { return String::new() };
    if let InstancePhase::Failed { why } = &status.phase {
        return safe(why, 160);
    }
    if status.healthy {
        return String::new();
    }
    let exit = status.last_exit.as_ref().map(|exit| exit.how.clone());
    let probe = status.evidence.as_ref().map(|probe| format!("{}: {}", probe.asked, probe.answer));
    safe(&exit.into_iter().chain(probe).collect::<Vec<_>>().join("; "), 160)
}
