//! SARIF 2.1.0, as `ESLint`, `CodeQL`, Semgrep and many others write it. What is read are results
//! that are findings: not those of a kind that passed, nor suppressed ones, nor those that are gone.

mod shape;

use toehold_core::model::{Issue, Report, Severity};
use toehold_core::pipeline::inside;

use super::{Unreadable, put, shown};
use shape::{Driver, Log, Message, Notification, Outcome, Place, Rule, Run};

const FORMAT: &str = "SARIF";

/// The longest message that is kept of a finding, in characters.
const MESSAGE: usize = 1_000;

pub(super) fn read(text: &str, checkout: &str) -> Result<Report, Unreadable> {
    let text = text.trim_start_matches('\u{feff}');
    let log: Log = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Unreadable::CutOff,
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Data
        | serde_json::error::Category::Io => other(error.to_string()),
    })?;
    match log.version.as_deref() {
        Some("2.1.0") => {}
        Some(version) => {
            let version = shown(version, 30);
            return Err(other(format!("its version is {version}, and 2.1.0 is what is read")));
        }
        None => return Err(other("it has no `version`".to_owned())),
    }
    let runs = log.runs.unwrap_or_default();
    if runs.is_empty() {
        return Err(other("it holds no run of a tool".to_owned()));
    }
    let mut issues = Vec::new();
    for run in runs {
        take(&run, checkout, &mut issues)?;
    }
    Ok(Report { cases: Vec::new(), issues })
}

fn other(why: String) -> Unreadable {
    Unreadable::Other { format: FORMAT, why }
}

fn take(run: &Run, checkout: &str, issues: &mut Vec<Issue>) -> Result<(), Unreadable> {
    let before = issues.len();
    for invocation in &run.invocations {
        let said = [
            &invocation.tool_configuration_notifications,
            &invocation.tool_execution_notifications,
        ];
        for notification in said.into_iter().flatten() {
            if let Some(issue) = of_notification(run, notification, checkout) {
                put(issues, issue)?;
            }
        }
    }
    let Some(results) = &run.results else {
        return Err(Unreadable::Unsuccessful(": a run has no results".to_owned()));
    };
    for result in results {
        let Some(severity) = severity(run, result) else { continue };
        let rule = run.rule(result);
        let place = result.locations.first();
        let id = result.rule_id.as_deref().or(result.rule.as_ref().and_then(|it| it.id.as_deref()));
        let id = id.or(rule.and_then(|rule| rule.id.as_deref())).unwrap_or_default();
        let message = text_of(&result.message, rule);
        put(issues, issue(run, place, checkout, severity, id, &message))?;
    }
    // What stopped the tool is among the findings, or is said nowhere.
    let failed = run.invocations.iter().any(|it| it.execution_successful == Some(false));
    let explained = issues[before..].iter().any(|it| it.severity == Severity::Error);
    if failed && !explained { Err(Unreadable::Unsuccessful(String::new())) } else { Ok(()) }
}

/// How bad a result is; `None` where it is no finding.
fn severity(run: &Run, result: &Outcome) -> Option<Severity> {
    let is_set_aside = |status: Option<&str>| !matches!(status, Some("rejected" | "underReview"));
    let is_suppressed = result.suppressions.iter().any(|it| is_set_aside(it.status.as_deref()));
    if is_suppressed || result.baseline_state.as_deref() == Some("absent") {
        return None;
    }
    match result.kind.as_deref() {
        Some("pass" | "notApplicable") => return None,
        Some("open" | "review" | "informational") => return Some(Severity::Info),
        Some(_) | None => {}
    }
    let of_rule = run.rule(result).and_then(|rule| rule.default_configuration.as_ref());
    let level = result.level.as_deref().or(of_rule.and_then(|it| it.level.as_deref()));
    Some(graded(level))
}

/// SARIF's own default is `warning`.
fn graded(level: Option<&str>) -> Severity {
    match level {
        Some("error") => Severity::Error,
        Some("note" | "none") => Severity::Info,
        Some(_) | None => Severity::Warning,
    }
}

/// What a tool says of its own run, where that is more than a note: a file it could not parse.
fn of_notification(run: &Run, said: &Notification, checkout: &str) -> Option<Issue> {
    let severity = graded(said.level.as_deref());
    if severity == Severity::Info {
        return None;
    }
    let id = said.descriptor.as_ref().and_then(|it| it.id.as_deref()).unwrap_or_default();
    let message = text_of(&said.message, None);
    Some(issue(run, said.locations.first(), checkout, severity, id, &message))
}

fn issue(
    run: &Run,
    place: Option<&Place>,
    checkout: &str,
    severity: Severity,
    rule: &str,
    message: &str,
) -> Issue {
    let physical = place.and_then(|it| it.physical_location.as_ref());
    let region = physical.and_then(|it| it.region.as_ref());
    let number = |it: Option<f64>| {
        // JSON has but one kind of number; what is no line is none.
        it.filter(|it| it.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(it))
            .map_or(0, |it| format!("{it:.0}").parse().unwrap_or(0))
    };
    let uri = physical.and_then(|it| run.uri(it.artifact_location.as_ref()?)).unwrap_or_default();
    let file = unescaped(&uri);
    Issue {
        file: shown(&inside(&file, checkout).unwrap_or(file), 1_000),
        line: number(region.and_then(|it| it.start_line)),
        column: number(region.and_then(|it| it.start_column)),
        severity,
        rule: shown(rule, 200),
        message: shown(message, MESSAGE),
    }
}

/// The message itself, or the one of the rule that it names, with its arguments put in.
fn text_of(message: &Message, rule: Option<&Rule>) -> String {
    let own = message.text.as_ref().or(message.markdown.as_ref());
    let of_rule = || {
        let id = message.id.as_ref()?;
        rule?.message_strings.get(id)?.text.as_ref()
    };
    let named = || rule?.short_description.as_ref()?.text.as_ref();
    let Some(text) = own.or_else(of_rule).or_else(named) else { return String::new() };
    filled(&shown(text, MESSAGE), &message.arguments)
}

/// Puts arguments in for `{0}`, `{1}` and so on. What an argument says is put in as it is: one that
/// holds `{1}` itself would let a short text grow without bound.
fn filled(text: &str, arguments: &[String]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while filled.len() < MESSAGE {
        let Some((before, behind)) = rest.split_once('{') else { break };
        filled.push_str(before);
        let number = behind.split_once('}').map(|(number, _)| number);
        let argument = number.and_then(|it| arguments.get(it.parse::<usize>().ok()?));
        if let (Some(number), Some(argument)) = (number, argument) {
            filled.push_str(&shown(argument, 200));
            rest = &behind[number.len() + 1..];
        } else {
            filled.push('{');
            rest = behind;
        }
    }
    filled.push_str(rest);
    filled
}

impl Run {
    /// The rule a result is of: by its index, else by its id.
    fn rule(&self, result: &Outcome) -> Option<&Rule> {
        let named = result.rule.as_ref();
        let driver: &Driver = match named.and_then(|it| it.tool_component.as_ref()?.index) {
            Some(index) => self.tool.extensions.get(usize::try_from(index).ok()?)?,
            None => &self.tool.driver,
        };
        let index = result.rule_index.or(named.and_then(|it| it.index));
        // -1 says that there is none.
        let by_index = index.and_then(|it| driver.rules.get(usize::try_from(it).ok()?));
        by_index.or_else(|| {
            let id = result.rule_id.as_ref().or(named.and_then(|it| it.id.as_ref()))?;
            // Few tools leave the index out, and those have few rules.
            driver.rules.iter().take(1_000).find(|rule| rule.id.as_ref() == Some(id))
        })
    }

    /// Where an artifact lies: by its own URI below the base it names, or as the list has it.
    fn uri(&self, artifact: &shape::Artifact) -> Option<String> {
        let listed = || {
            let index = usize::try_from(artifact.index?).ok()?;
            self.artifacts.get(index)?.location.as_ref()
        };
        let artifact = if artifact.uri.is_some() { artifact } else { listed().unwrap_or(artifact) };
        let uri = artifact.uri.as_ref()?;
        let base = artifact.uri_base_id.as_ref().and_then(|id| self.original_uri_base_ids.get(id));
        match base.and_then(|base| base.uri.as_deref()) {
            Some(base) if base.starts_with("file:") && !uri.contains("://") => {
                Some(format!("{}/{uri}", base.trim_end_matches('/')))
            }
            Some(_) | None => Some(uri.clone()),
        }
    }
}

/// A path of a URI: `%20` is a space; `file:///a` and `file:/a` are `/a`.
fn unescaped(uri: &str) -> String {
    let path = uri.strip_prefix("file:").map_or(uri, |rest| {
        let slashes = rest.len() - rest.trim_start_matches('/').len();
        &rest[slashes.saturating_sub(1)..]
    });
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| hex::decode(pair).ok());
        if let Some(pair) = escaped {
            plain.extend(pair);
            at += 3;
        } else {
            plain.push(byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE, filled};

    #[test]
    fn arguments_are_put_in_once_and_do_not_grow() {
        let arguments = ["{1}".repeat(66), "{2}".repeat(66), "x".repeat(200)];
        let grown = filled(&"{0}".repeat(333), &arguments);
        assert!(grown.len() < 3 * MESSAGE, "{}", grown.len());
        let two = ["`a`".to_owned(), "{0}".to_owned()];
        assert_eq!(filled("{0} is {1}, {2} and {", &two), "`a` is {0}, {2} and {");
    }
}
