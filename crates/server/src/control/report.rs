//! Which events a forge is told of. The report is written in the same step as the event.

mod say;

use std::collections::BTreeMap;
use std::sync::Arc;

use toehold_core::model::{App, AppName, Build, Event, Number};
use tracing::warn;

use super::Control;
use super::apps::build_key;
use crate::forge::{
    About, Annotation, App as GithubApp, Check, Client, Conclusion, Context, Credentials,
    Deployment, Lane, Place, Report, State, report_write,
};
use crate::settings::ForgeSettings;
use crate::source::webhook::Forge;
use crate::store::Write;

/// The longest path and message of a finding that are told, in characters: a hundred of them have
/// room in a document.
const FINDING: usize = 200;

/// Begins to send what forges are told, one lane for each repository with a token or an App.
pub(super) fn begin(control: &Arc<Control>) {
    for (app, settings) in &control.settings().apps {
        for (forge, set) in settings.forges().filter(|(_, set)| is_told(set)) {
            let client = match client(forge, set) {
                Ok(client) => client,
                Err(why) => {
                    warn!(app.name = %app, %forge, why, "the forge's API cannot be used: it is told nothing");
                    continue;
                }
            };
            let (store, clock) = (Arc::clone(control.store()), Arc::clone(&control.parts.clock));
            let lane = Lane::new(store, clock, client, (app.clone(), forge.as_str()));
            control.tasks.spawn(lane.run(control.shutdown.clone()));
        }
    }
}

fn client(forge: Forge, set: &ForgeSettings) -> Result<Client, String> {
    let place = Place::of(forge.as_str(), &set.url, set.api_url.as_deref(), &set.repository);
    let place = place.ok_or("say where it is: api_url")?;
    let app = set.github_app().map(|app| GithubApp {
        id: app.app_id,
        installation: app.installation_id,
        key_file: app.private_key_file,
    });
    Client::new(place, Credentials { token_file: set.token_file.clone(), app })
}

fn is_told(set: &ForgeSettings) -> bool {
    set.token_file.is_some() || set.github_app().is_some()
}

impl Control {
    /// The forge that is to be told of a build: the one its commit came from. What was pushed here
    /// is nothing to any of them.
    fn told(&self, build: &Build) -> Option<(Forge, &ForgeSettings)> {
        let app = self.settings().apps.get(&build.app)?;
        let from = build.trigger.forge()?;
        app.forges().find(|(forge, set)| forge.as_str() == from && is_told(set))
    }

    /// Whether another app has the same repository at a forge: then what is told of each has the
    /// app's name in it, or the one would take the place of the other.
    fn has_several(&self, app: &AppName, forge: Forge) -> bool {
        let apps = &self.settings().apps;
        let Some(own) = apps.get(app).and_then(|it| it.of(forge)) else { return false };
        let name =
            |set: &ForgeSettings| set.repository.trim_end_matches(".git").to_ascii_lowercase();
        let others = apps.iter().filter(|(other, _)| *other != app);
        others.filter_map(|(_, it)| it.of(forge)).any(|it| name(it) == name(own))
    }

    fn report(&self, forge: Forge, build: &Build, report: Report) -> Write {
        let link = self
            .dashboard()
            .map(|base| format!("{base}/apps/{}/builds/{}", build.app, build.number.0));
        let about = About {
            app: &build.app,
            forge: forge.as_str(),
            has_several: self.has_several(&build.app, forge),
        };
        let now = self.clock().now();
        report_write(about, (build.number, &build.commit), report, link, now)
    }

    /// Where the dashboard is for people elsewhere; `None` where it is for this machine alone.
    pub(super) fn dashboard(&self) -> Option<String> {
        if let Some(said) = &self.settings().messages.dashboard_url {
            return Some(said.trim_end_matches('/').to_owned());
        }
        let api = self.settings().api;
        let elsewhere = !api.ip().is_loopback() && !api.ip().is_unspecified();
        elsewhere.then(|| format!("http://{api}"))
    }

    /// What is told of a build that is now so, and was so `before`.
    pub(super) fn reports_of_build(&self, before: Option<&Build>, build: &Build) -> Vec<Write> {
        let Some((forge, set)) = self.told(build) else { return Vec::new() };
        let mut writes = Vec::new();
        for status in say::changes(before, build) {
            let ended = matches!(status.state, State::Success | State::Failure);
            if status.context == Context::Lint && ended && set.github_app().is_some() {
                let check = Report::Check(self.check(build, status.state, &status.text));
                writes.push(self.report(forge, build, check));
            }
            writes.push(self.report(forge, build, Report::Status(status)));
        }
        writes
    }

    fn check(&self, build: &Build, state: State, title: &str) -> Check {
        let kept = crate::builder::findings(&self.layout().build_logs(), &build.app, build.number);
        let issues = if kept.is_empty() { say::issues(build) } else { kept };
        let annotations = issues.iter().filter(|it| it.line > 0 && !it.file.is_empty());
        let annotations = annotations.take(Check::ANNOTATIONS).map(|issue| Annotation {
            path: cut(&issue.file),
            line: issue.line,
            level: say::level(issue.severity).to_owned(),
            message: cut(&issue.message),
            title: issue.rule.chars().take(60).collect(),
        });
        let conclusion =
            if state == State::Success { Conclusion::Success } else { Conclusion::Failure };
        Check { conclusion, title: title.to_owned(), annotations: annotations.collect() }
    }

    /// What is told of a decision about an app.
    pub(super) async fn reports_of_decision(&self, before: &App, events: &[Event]) -> Vec<Write> {
        let mut builds: BTreeMap<Number, Option<Build>> = BTreeMap::new();
        let mut writes: BTreeMap<String, Write> = BTreeMap::new();
        for told in say::deploys(before, events) {
            if let std::collections::btree_map::Entry::Vacant(place) = builds.entry(told.number) {
                // Where it cannot be read nobody is told: what is decided does not wait for that.
                let found =
                    self.store().get_as::<Build>(&build_key(&before.name, told.number)).await;
                place.insert(found.ok().flatten().map(|doc| doc.value));
            }
            let Some(Some(build)) = builds.get(&told.number) else { continue };
            let Some((forge, _)) = self.told(build) else { continue };
            let mut reports = vec![Report::Status(told.status.clone())];
            if let Some((track, stage)) = told.deployment.filter(|_| forge == Forge::Github) {
                let site = self.settings().public_url.clone();
                let text = told.text.clone();
                reports.push(Report::Deployment(Deployment { track, stage, text, site }));
            }
            for report in reports {
                let write = self.report(forge, build, report);
                // Of two that one decision says of the same, the later one counts.
                writes.insert(write.key().to_string(), write);
            }
        }
        writes.into_values().collect()
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(FINDING).collect()
}
