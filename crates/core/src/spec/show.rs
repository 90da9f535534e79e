//! A configuration as the text of a `toehold.toml` that means the same, with every value in it.

use std::fmt::{Display, Write as _};

use crate::model::{AlertRule, HealthCheck, HealthKind, StepKind};
use crate::spec::units::{show_duration, show_size, show_step};
use crate::spec::{BuildSpec, MachinesSpec, ProxySpec, RunSpec, ScaleSpec, Spec, defaults};

/// The configuration in force, readable: [`Spec::parse`] gives the same `Spec` again.
#[must_use]
pub fn show(spec: &Spec) -> String {
    let mut file = File(String::new());
    if let Some(app) = &spec.app {
        file.key("app", quoted(app.as_str()));
    }
    file.table("branches");
    for (branch, track) in &spec.branches {
        file.key(branch, quoted(track.as_str()));
    }
    build(&mut file, &spec.build);
    run(&mut file, &spec.run);
    health(&mut file, &spec.health);
    proxy(&mut file, &spec.proxy);
    file.table("canary");
    file.key("split", quoted(&spec.canary.split.to_string()));
    file.key("steps", list(spec.canary.steps.iter().map(show_step)));
    file.key("instances", spec.canary.instances);
    scale(&mut file, &spec.scale);
    alerts(&mut file, &spec.alerts);
    machines(&mut file, &spec.machines);
    file.table("flags");
    for (flag, on) in &spec.flags {
        file.key(flag, format!("{{ default = {on} }}"));
    }
    file.0
}

fn machines(file: &mut File, machines: &MachinesSpec) {
    file.table("machines");
    file.key("provider", quoted(machines.provider.as_str()));
    if let Some(size) = &machines.size {
        file.key("size", quoted(size));
    }
    if let Some(playbook) = &machines.playbook {
        file.key("playbook", quoted(&playbook.path));
        file.key("playbook_timeout", quoted(&show_duration(playbook.timeout)));
    }
}

/// The text so far.
struct File(String);

impl File {
    fn table(&mut self, name: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.line(format_args!("{gap}[{name}]"));
    }

    fn key(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{} = {value}", bare_or_quoted(name)));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes every line");
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn bare_or_quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { basic_string(name) }
}

/// In double quotes on one line, as a key must be.
fn basic_string(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(c)).expect("a string takes every text");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn list(items: impl Iterator<Item = String>) -> String {
    toml::Value::Array(items.map(Into::into).collect()).to_string()
}

fn build(file: &mut File, build: &BuildSpec) {
    file.table("build");
    let steps = [
        (StepKind::Install, &build.install),
        (StepKind::Test, &build.test),
        (StepKind::Lint, &build.lint),
    ];
    for (kind, command) in steps {
        match command {
            Some(command) => file.key(kind.as_str(), quoted(command)),
            None if build.off.contains(&kind) => file.key(kind.as_str(), false),
            None => {}
        }
    }
    file.key("timeout", quoted(&show_duration(build.timeout)));
    file.key("idle_timeout", quoted(&show_duration(build.idle_timeout)));
    file.key("reject_push", build.reject_push);
    file.key("exclude", list(build.exclude.iter().cloned()));
    file.key("lint_ratchet", build.lint_ratchet);
    let reports = [
        ("junit", &build.reports.junit),
        ("tap", &build.reports.tap),
        ("checkstyle", &build.reports.checkstyle),
        ("sarif", &build.reports.sarif),
    ];
    if reports.iter().any(|(_, pattern)| pattern.is_some()) {
        file.table("build.reports");
    }
    for (format, pattern) in reports {
        if let Some(pattern) = pattern {
            file.key(format, quoted(pattern));
        }
    }
}

fn run(file: &mut File, run: &RunSpec) {
    file.table("run");
    for (key, command) in [("web", &run.web), ("release", &run.release)] {
        if let Some(command) = command {
            file.key(key, quoted(command));
        }
    }
    file.key("secrets", list(run.secrets.iter().cloned()));
    file.key("cpus", toml::Value::from(run.cpus));
    file.key("memory", quoted(&show_size(run.memory_bytes)));
    file.key("grace", quoted(&show_duration(run.grace)));
    if !run.env.is_empty() {
        file.table("run.env");
    }
    for (name, value) in &run.env {
        file.key(name, quoted(value));
    }
}

fn health(file: &mut File, health: &HealthCheck) {
    file.table("health");
    match &health.kind {
        HealthKind::Http { path } => file.key("path", quoted(path)),
        HealthKind::Tcp => file.key("tcp", true),
        HealthKind::Command { run } => file.key("command", quoted(run)),
    }
    file.key("interval", quoted(&show_duration(health.interval)));
    file.key("timeout", quoted(&show_duration(health.timeout)));
    file.key("deadline", quoted(&show_duration(health.deadline)));
    file.key("rise", health.rise);
    file.key("fall", health.fall);
}

fn proxy(file: &mut File, proxy: &ProxySpec) {
    file.table("proxy");
    file.key("hosts", list(proxy.hosts.iter().cloned()));
    file.key("drain", quoted(&show_duration(proxy.drain)));
    file.key("sticky", proxy.sticky);
    file.key("timeout", quoted(&show_duration(proxy.timeout)));
    file.key("max_body", quoted(&show_size(proxy.max_body_bytes)));
}

fn scale(file: &mut File, scale: &ScaleSpec) {
    let target = |percent: Option<f64>| match percent {
        Some(percent) => quoted(&format!("{percent}%")),
        None => quoted("off"),
    };
    file.table("scale");
    file.key("min", scale.min);
    file.key("max", scale.max);
    file.key("cpu", target(scale.cpu_percent));
    file.key("memory", target(scale.memory_percent));
    file.key("window", quoted(&show_duration(scale.window)));
    file.key("cooldown_out", quoted(&show_duration(scale.cooldown_out)));
    file.key("cooldown_in", quoted(&show_duration(scale.cooldown_in)));
}

fn alerts(file: &mut File, rules: &[AlertRule]) {
    let gone = |name: &str| rules.iter().all(|rule| rule.name != name);
    let off: Vec<AlertRule> =
        defaults::alerts().into_iter().filter(|rule| gone(&rule.name)).collect();
    if !off.is_empty() {
        file.table("alerts");
    }
    for rule in off {
        file.key(&rule.name, false);
    }
    for AlertRule { name, metric, above, below, window, quiet, notify } in rules {
        let metric = metric.as_str();
        file.table(&format!("alerts.{name}"));
        file.key("when", quoted(&format!("{metric} > {above}% for {}", show_duration(*window))));
        file.key("clear", quoted(&format!("{metric} < {below}%")));
        file.key("quiet", quoted(&show_duration(*quiet)));
        file.key("notify", list(notify.iter().cloned()));
    }
}
