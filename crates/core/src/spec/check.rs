//! The raw shape becomes the true one: what depends on more than one value is checked, and every
//! default is filled in.

mod machines;

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use crate::model::{AlertRule, HealthCheck, HealthKind, Metric, StepKind, Track};
use crate::spec::defaults;
use crate::spec::error::Problem;
use crate::spec::raw::{RawAlert, RawBuild, RawCanary, RawHealth, RawProxy, RawRule, RawRun};
use crate::spec::raw::{RawScale, RawSpec, RawStepCommand, RawTarget};
use crate::spec::{BuildSpec, CanarySpec, ProxySpec, Reports, RunSpec, ScaleSpec, Spec};

/// The most instances a configuration may ask for.
const MOST_INSTANCES: u32 = 1_000;

pub(super) fn spec(raw: RawSpec) -> Result<Spec, Problem> {
    if let Some(env) = &raw.env
        && let Some(name) = env.get_ref().keys().next()
    {
        return Err(Problem::at(
            env.span(),
            format!("[env.{name}] needs a later version: an app has one environment in this one"),
        ));
    }
    Ok(Spec {
        app: raw.app,
        branches: raw.branches.map_or_else(|| Ok(defaults::branches()), branches)?,
        build: build(raw.build)?,
        run: run(raw.run)?,
        health: health(raw.health)?,
        proxy: proxy(raw.proxy)?,
        canary: canary(raw.canary)?,
        scale: scale(&raw.scale)?,
        alerts: alerts(raw.alerts.into_iter().map(|(name, alert)| (name.0, alert)).collect())?,
        machines: machines::machines(&raw.machines)?,
        flags: std::iter::once((defaults::FLAG.to_owned(), true))
            .chain(raw.flags.into_iter().map(|(key, flag)| (key.0, flag.default)))
            .collect(),
    })
}

fn branches(
    raw: Spanned<BTreeMap<crate::model::BranchName, Track>>,
) -> Result<BTreeMap<String, Track>, Problem> {
    if raw.get_ref().is_empty() {
        return Err(Problem::at(
            raw.span(),
            "names no branch, so that no push would be built: write `main = \"stable\"`, or leave \
             the table out",
        ));
    }
    Ok(raw.into_inner().into_iter().map(|(name, track)| (name.into(), track)).collect())
}

fn build(raw: RawBuild) -> Result<BuildSpec, Problem> {
    let default = defaults::build();
    let mut off = default.off;
    let mut step = |kind, command| match command {
        Some(RawStepCommand::Run(command)) => Some(command),
        Some(RawStepCommand::Off) => {
            off.insert(kind);
            None
        }
        None => None,
    };
    Ok(BuildSpec {
        install: step(StepKind::Install, raw.install),
        test: step(StepKind::Test, raw.test),
        lint: step(StepKind::Lint, raw.lint),
        timeout: some_time(raw.timeout.map(inner), default.timeout)?,
        idle_timeout: some_time(raw.idle_timeout.map(inner), default.idle_timeout)?,
        reports: Reports {
            junit: raw.reports.junit.map(|pattern| pattern.0),
            tap: raw.reports.tap.map(|pattern| pattern.0),
            checkstyle: raw.reports.checkstyle.map(|pattern| pattern.0),
            sarif: raw.reports.sarif.map(|pattern| pattern.0),
        },
        reject_push: raw.reject_push.unwrap_or(default.reject_push),
        exclude: raw
            .exclude
            .map_or(default.exclude, |patterns| patterns.into_iter().map(|it| it.0).collect()),
        lint_ratchet: raw.lint_ratchet.unwrap_or(default.lint_ratchet),
        off,
    })
}

fn run(raw: RawRun) -> Result<RunSpec, Problem> {
    let default = defaults::run();
    let mut secrets = Vec::new();
    for name in raw.secrets {
        let (span, name) = (name.span(), name.into_inner());
        if raw.env.contains_key(&name) {
            let what = format!("`{}` is in `env` too: keep one of the two", name.0);
            return Err(Problem::at(span, what));
        }
        if !secrets.contains(&name.0) {
            secrets.push(name.0);
        }
    }
    let cpus = raw.cpus.map_or(Ok(default.cpus), |cpus| {
        let wrong = "must be above 0 and at most 1024: it is a number of cores, such as 0.5";
        let (span, cpus) = (cpus.span(), cpus.into_inner());
        if cpus > 0.0 && cpus <= 1024.0 { Ok(cpus) } else { Err(Problem::at(span, wrong)) }
    })?;
    let memory_bytes = raw.memory.map_or(Ok(default.memory_bytes), |memory| {
        let (span, bytes) = (memory.span(), memory.into_inner().0);
        if bytes >= 1 << 20 {
            Ok(bytes)
        } else {
            Err(Problem::at(span, "is less than 1MiB, in which no app can run"))
        }
    })?;
    Ok(RunSpec {
        web: raw.web.map(|command| command.0),
        release: raw.release.map(|command| command.0),
        env: raw.env.into_iter().map(|(name, value)| (name.0, value.0)).collect(),
        secrets,
        cpus,
        memory_bytes,
        grace: raw.grace.map_or(default.grace, |grace| grace.0),
    })
}

fn health(raw: RawHealth) -> Result<HealthCheck, Problem> {
    let default = defaults::health();
    let tcp = match &raw.tcp {
        Some(tcp) if !*tcp.get_ref() => {
            return Err(Problem::at(tcp.span(), "`false` says nothing: leave it out"));
        }
        other => other.as_ref(),
    };
    let kind = match (raw.path, tcp, raw.command) {
        (None, None, None) => default.kind,
        (Some(path), None, None) => HealthKind::Http { path: path.into_inner().0 },
        (None, Some(_), None) => HealthKind::Tcp,
        (None, None, Some(command)) => HealthKind::Command { run: command.into_inner().0 },
        (_, Some(tcp), _) => return Err(Problem::at(tcp.span(), ONE_PROBE)),
        (Some(_), None, Some(command)) => return Err(Problem::at(command.span(), ONE_PROBE)),
    };
    Ok(HealthCheck {
        kind,
        interval: some_time(raw.interval.map(inner), default.interval)?,
        timeout: some_time(raw.timeout.map(inner), default.timeout)?,
        deadline: some_time(raw.deadline.map(inner), default.deadline)?,
        rise: at_least_one(raw.rise.as_ref(), default.rise)?,
        fall: at_least_one(raw.fall.as_ref(), default.fall)?,
    })
}

const ONE_PROBE: &str = "an app has one probe: keep one of `path`, `tcp` and `command`";

fn proxy(raw: RawProxy) -> Result<ProxySpec, Problem> {
    let default = defaults::proxy();
    let mut hosts: Vec<String> = Vec::new();
    for host in raw.hosts {
        if !hosts.contains(&host.0) {
            hosts.push(host.0);
        }
    }
    Ok(ProxySpec {
        hosts,
        drain: raw.drain.map_or(default.drain, |drain| drain.0),
        sticky: raw.sticky.unwrap_or(default.sticky),
        timeout: some_time(raw.timeout.map(inner), default.timeout)?,
        max_body_bytes: raw.max_body.map_or(default.max_body_bytes, |size| size.0),
    })
}

fn canary(raw: RawCanary) -> Result<CanarySpec, Problem> {
    let default = defaults::canary();
    Ok(CanarySpec {
        split: raw.split.unwrap_or(default.split),
        steps: raw.steps.into_iter().map(|step| step.0).collect(),
        instances: at_least_one(raw.instances.as_ref(), default.instances)?,
    })
}

fn scale(raw: &RawScale) -> Result<ScaleSpec, Problem> {
    let default = defaults::scale();
    let min = at_least_one(raw.min.as_ref(), default.min)?;
    let max = at_least_one(raw.max.as_ref(), default.max.max(min))?;
    if let Some(written) = raw.max.as_ref().or(raw.min.as_ref())
        && min > max
    {
        let what = format!("min = {min} is more than max = {max}: raise max or lower min");
        return Err(Problem::at(written.span(), what));
    }
    let target = |raw, default| match raw {
        Some(RawTarget::At(percent)) => Some(percent),
        Some(RawTarget::Off) => None,
        None => default,
    };
    Ok(ScaleSpec {
        min,
        max,
        cpu_percent: target(raw.cpu, default.cpu_percent),
        memory_percent: target(raw.memory, default.memory_percent),
        window: some_time(raw.window.clone().map(inner), default.window)?,
        cooldown_out: raw.cooldown_out.as_ref().map_or(default.cooldown_out, |time| time.0),
        cooldown_in: raw.cooldown_in.as_ref().map_or(default.cooldown_in, |time| time.0),
    })
}

/// The default rules, changed or switched off by name, and what is beside them; in order of names.
fn alerts(mut raw: BTreeMap<String, RawAlert>) -> Result<Vec<AlertRule>, Problem> {
    for rule in defaults::alerts() {
        raw.entry(rule.name).or_insert_with(|| RawAlert::On(Box::default()));
    }
    let mut rules = Vec::new();
    for (name, alert) in raw {
        match alert {
            RawAlert::On(rule) => rules.push(alert_rule(&name, *rule)?),
            RawAlert::Off => {}
        }
    }
    Ok(rules)
}

fn alert_rule(name: &str, raw: RawRule) -> Result<AlertRule, Problem> {
    let by_name = defaults::alerts().into_iter().find(|rule| rule.name == name);
    let mut rule = match (&raw.when, by_name) {
        (Some(when), _) => defaults::alert(name, when.get_ref().0.metric),
        (None, Some(rule)) => rule,
        (None, None) => {
            // The rule has no `when` to point at, so the place is found by what it does say.
            let span = raw.clear.map_or(0..0, |clear| clear.span());
            let what =
                format!("[alerts.{name}] does not say when: write `when = \"cpu > 45% for 1m\"`");
            return Err(Problem::at(span, what));
        }
    };
    if let Some(when) = &raw.when {
        let when = when.get_ref().0;
        rule.above = when.above;
        rule.below = defaults::below(when.above);
        rule.window = when.window.unwrap_or(rule.window);
    }
    if let Some(clear) = &raw.clear {
        rule.below = cleared_below(&rule, clear.get_ref().0.metric, clear.get_ref().0.below)
            .map_err(|what| Problem::at(clear.span(), what))?;
    }
    if let Some(when) = &raw.when
        && rule.window.is_zero()
    {
        return Err(Problem::at(when.span(), "the window is 0s: write at least `for 1s`"));
    }
    rule.quiet = raw.quiet.map_or(rule.quiet, |quiet| quiet.0);
    if let Some(channels) = raw.notify {
        rule.notify = channels.into_iter().map(|channel| channel.0).collect();
    }
    Ok(rule)
}

fn cleared_below(rule: &AlertRule, metric: Metric, below: f64) -> Result<f64, String> {
    let (raised, cleared) = (rule.metric.as_str(), metric.as_str());
    if metric != rule.metric {
        return Err(format!("the alert is raised by {raised}, so {cleared} cannot clear it"));
    }
    if below > rule.above {
        return Err(format!(
            "{below}% is above the threshold of {}%, so that it would be cleared while it is \
             raised: write a smaller number",
            rule.above
        ));
    }
    Ok(below)
}

/// A value and the bytes it stands at.
type At<T> = (std::ops::Range<usize>, T);

fn inner(raw: Spanned<crate::spec::raw::RawDuration>) -> At<Duration> {
    (raw.span(), raw.into_inner().0)
}

fn some_time(given: Option<At<Duration>>, default: Duration) -> Result<Duration, Problem> {
    match given {
        None => Ok(default),
        Some((span, time)) if time.is_zero() => {
            Err(Problem::at(span, "is no time at all: write more than 0s"))
        }
        Some((_, time)) => Ok(time),
    }
}

fn at_least_one(given: Option<&Spanned<u32>>, default: u32) -> Result<u32, Problem> {
    let Some(given) = given else { return Ok(default) };
    match *given.get_ref() {
        count @ 1..=MOST_INSTANCES => Ok(count),
        _ => Err(Problem::at(given.span(), format!("must be from 1 to {MOST_INSTANCES}"))),
    }
}
