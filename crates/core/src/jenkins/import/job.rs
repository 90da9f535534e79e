//! What a job does, in our words.

mod publish;
mod scm;
mod steps;

use std::collections::BTreeMap;

use super::Note;
use super::script::Call;
use super::tree::Element;
use crate::model::Track;

/// A job as Toehold would have it.
#[derive(Clone, Debug, Default)]
pub(super) struct Job {
    /// What it says of itself.
    pub(super) description: String,
    /// Where the code comes from.
    pub(super) url: Option<String>,
    /// The branches it builds.
    pub(super) branches: Vec<String>,
    /// What calls `/deploy` and `/canary`.
    pub(super) calls: Vec<Call>,
    pub(super) install: Vec<String>,
    pub(super) test: Vec<String>,
    pub(super) lint: Vec<String>,
    /// Minutes.
    pub(super) timeout: Option<u64>,
    /// Patterns, by the key in `[build.reports]`.
    pub(super) reports: BTreeMap<&'static str, Vec<String>>,
    /// Stages and commands of a Jenkinsfile, to begin from.
    pub(super) hints: Vec<String>,
    pub(super) notes: Vec<Note>,
}

impl Job {
    /// Takes in the whole file.
    pub(super) fn take(&mut self, root: &Element) {
        match root.name.as_str() {
            "project" | "flow-definition" => {}
            "maven2-moduleset" => self.maven(root),
            "matrix-project" => self.note(
                root,
                "matrix-project",
                "a build runs once, on one machine: its axes are not carried over",
            ),
            other => {
                let then =
                    "no kind of job that is known here: look at what was made of it".to_owned();
                let what = other.to_owned();
                self.notes.push(Note { line: root.line, what, then });
            }
        }
        for child in &root.children {
            self.part(child);
        }
        let last = deepest_open(root);
        if let Some(open) = last {
            let then = "the file is cut off here: what came after it is not known".to_owned();
            self.notes.push(Note { line: open.line, what: open.name.clone(), then });
        }
    }

    fn part(&mut self, it: &Element) {
        match it.name.as_str() {
            // What a job of Maven does is taken up with its root.
            "goals" | "rootPOM" | "canRoam" => {}
            "blockBuildWhenDownstreamBuilding"
            | "blockBuildWhenUpstreamBuilding"
            | "concurrentBuild"
            | "disabled"
                if it.text.trim() != "true" => {}
            "description" => it.text.trim().clone_into(&mut self.description),
            "properties" => it.children.iter().for_each(|it| self.property(it)),
            "scm" => self.scm(it),
            "triggers" => it.children.iter().for_each(|it| self.trigger(it)),
            "builders" | "prebuilders" | "postbuilders" => {
                it.children.iter().for_each(|it| self.step(it));
            }
            "publishers" | "reporters" => it.children.iter().for_each(|it| self.publisher(it)),
            "buildWrappers" => it.children.iter().for_each(|it| self.wrapper(it)),
            "axes" => it.children.iter().for_each(|axis| {
                let values: Vec<&str> =
                    axis.all("string").iter().map(|it| it.text.trim()).collect();
                let name = axis.said("name").unwrap_or_default();
                let then = format!("the axis {name} ({}) is not carried over", values.join(", "));
                self.note(axis, axis.short(), &then);
            }),
            "assignedNode" => {
                let label = it.text.trim().to_owned();
                self.note(
                    it,
                    "assignedNode",
                    &format!("builds run where Toehold does, not on {label}"),
                );
            }
            "disabled" => {
                self.note(it, "disabled", "the job is switched off; what is pushed is built");
            }
            "concurrentBuild" => {
                self.note(
                    it,
                    "concurrentBuild",
                    "one build runs at a time for each track of an app",
                );
            }
            "quietPeriod" => {
                self.note(it, "quietPeriod", "a newer push takes the place of an older one");
            }
            "definition" => self.pipeline(it),
            _ if it.children.is_empty() && matches!(it.text.trim(), "" | "false") => {}
            name => {
                let name = name.to_owned();
                self.note(it, &name, "not carried over");
            }
        }
    }

    fn property(&mut self, it: &Element) {
        match it.short() {
            "ParametersDefinitionProperty" => {
                let definitions = it.child("parameterDefinitions").unwrap_or(it);
                for parameter in &definitions.children {
                    let name = parameter.said("name").unwrap_or("?").to_owned();
                    let default =
                        parameter.said("defaultValue").map(|it| format!(", {it:?} by default"));
                    let then = format!(
                        "the parameter {name} ({}{}) is not carried over: a build has none. What the \
                         app needs at run time goes into [run] env, or `toehold secrets set`",
                        parameter.short(),
                        default.unwrap_or_default()
                    );
                    self.note(parameter, "parameter", &then);
                }
            }
            "BuildDiscarderProperty" => {
                self.note(
                    it,
                    "BuildDiscarderProperty",
                    "Toehold keeps the newest builds by itself",
                );
            }
            "HudsonNotificationProperty" => self.note(
                it,
                "HudsonNotificationProperty",
                "where the job stays, let it tell /jenkins/notify, and Toehold deploys what it passed",
            ),
            "GithubProjectProperty" => {
                self.note(it, "GithubProjectProperty", "nothing is needed in its place");
            }
            name => {
                let name = name.to_owned();
                self.note(it, &name, "not carried over");
            }
        }
    }

    fn trigger(&mut self, it: &Element) {
        let spec = it.said("spec").unwrap_or_default().to_owned();
        match it.short() {
            "GitHubPushTrigger" | "GitHubWebHookCause" => self.note(
                it,
                "GitHubPushTrigger",
                "a push to GitHub builds once [apps.NAME.github] is set in server.toml",
            ),
            "SCMTrigger" => {
                let then =
                    format!("nothing is polled ({spec}): a push to Toehold, or a webhook, builds");
                self.note(it, "SCMTrigger", &then);
            }
            "TimerTrigger" => {
                let then = format!(
                    "nothing is built by the clock ({spec}): let cron run `toehold deploy` where it must"
                );
                self.note(it, "TimerTrigger", &then);
            }
            name => {
                let name = name.to_owned();
                self.note(it, &name, "not carried over: a push builds");
            }
        }
    }

    fn wrapper(&mut self, it: &Element) {
        match it.short() {
            "BuildTimeoutWrapper" => {
                let minutes =
                    it.all("timeoutMinutes").first().and_then(|it| it.text.trim().parse().ok());
                match minutes {
                    Some(minutes) if (1..=1_440).contains(&minutes) => self.timeout = Some(minutes),
                    _ => self.note(it, "BuildTimeoutWrapper", "its limit is no number of minutes"),
                }
            }
            name @ ("TimestamperBuildWrapper" | "AnsiColorBuildWrapper" | "PreBuildCleanup") => {
                let name = name.to_owned();
                self.note(it, &name, "nothing is needed in its place");
            }
            "SecretBuildWrapper" => {
                let names: Vec<&str> = it.all("variable").iter().map(|it| it.text.trim()).collect();
                let then = format!(
                    "secrets do not come along: `toehold secrets set NAME`, and name them in [run] \
                     secrets: {}",
                    names.join(", ")
                );
                self.note(it, "SecretBuildWrapper", &then);
            }
            name => {
                let name = name.to_owned();
                self.note(it, &name, "not carried over");
            }
        }
    }

    fn note(&mut self, it: &Element, what: &str, then: &str) {
        self.notes.push(Note { line: it.line, what: what.to_owned(), then: then.to_owned() });
    }

    /// Where what is built goes, by what the job called after it.
    pub(super) fn track(&self) -> Track {
        let canary = self.calls.contains(&Call::Canary) && !self.calls.contains(&Call::Deploy);
        if canary { Track::Canary } else { Track::Stable }
    }
}

/// The innermost element that the file does not end, but for the root alone: its closing tag is
/// all that is missing then.
fn deepest_open(root: &Element) -> Option<&Element> {
    let mut open = None;
    let mut at = root;
    while let Some(last) = at.children.last().filter(|last| !last.closed) {
        open = Some(last);
        at = last;
    }
    open
}
