//! Letters about releases: given back, gone back, not able to serve.

use serde_json::json;
use toehold_core::model::{AppName, EventKind, Number, Subject};
use toehold_core::time::Timestamp;

use crate::notify::layout::Page;
use crate::notify::letter::{Letter, headline};

impl Letter {
    /// `by` went back from release `from` to `to`, and automatic deploys are held.
    #[must_use]
    pub fn rollback(
        app: &AppName,
        from: Option<Number>,
        to: Number,
        by: &str,
        at: Timestamp,
    ) -> Self {
        let from_words = from.map(|from| format!(" from {from}")).unwrap_or_default();
        let page = Page::default()
            .prose(&format!(
                "{by} took {app} back{from_words} to {to}: its artifact, configuration and \
                 environment together. From now on pushes are built and not deployed."
            ))
            .table(&[
                ("Look", format!("toehold why {to} --app {app}")),
                ("Deploy pushes again", format!("toehold unpin --app {app}")),
            ]);
        Self {
            kind: EventKind::RollbackStarted,
            app: Some(app.clone()),
            about: Subject::Release(to),
            at,
            headline: headline(app, &format!("rolled back{from_words} to {to} by {by}")),
            body: page.finish(),
            facts: json!({ "from": from, "to": to, "by": by }),
            offers: Vec::new(),
        }
    }

    /// The canary lost its traffic: `why` says what happened, in words.
    #[must_use]
    pub fn canary_held(app: &AppName, release: Number, why: &str, at: Timestamp) -> Self {
        let page = Page::default()
            .prose(&format!(
                "The canary {release} of {app} gets no more traffic, everyone is on stable: {why}."
            ))
            .prose(
                "Its instances are kept to be looked at. A better push takes its place, or a \
                 person decides:",
            )
            .table(&[
                ("Look", format!("toehold why rollout --app {app}")),
                ("Try it again", format!("toehold rollout retry --app {app}")),
                ("Give it up", format!("toehold rollout abort --app {app}")),
            ]);
        Self {
            kind: EventKind::RolloutHeld,
            app: Some(app.clone()),
            about: Subject::Rollout(release),
            at,
            headline: headline(app, &format!("canary {release} was given back: {why}")),
            body: page.finish(),
            facts: json!({ "release": release, "why": why }),
            offers: Vec::new(),
        }
    }

    /// The canary takes its share, and goes no farther by itself.
    #[must_use]
    pub fn canary_waits(app: &AppName, release: Number, what: &str, at: Timestamp) -> Self {
        let page =
            Page::default().prose(&format!("{what}. Nothing moves it on but a person.")).table(&[
                ("Look", format!("toehold why rollout --app {app}")),
                ("Give it to everyone", format!("toehold rollout promote --app {app}")),
                ("Give it up", format!("toehold rollout abort --app {app}")),
            ]);
        Self {
            kind: EventKind::RolloutSplit,
            app: Some(app.clone()),
            about: Subject::Rollout(release),
            at,
            headline: headline(app, &format!("canary {release} waits to be promoted")),
            body: page.finish(),
            facts: json!({ "release": release, "what": what }),
            offers: Vec::new(),
        }
    }

    /// A release could not serve; `kept` goes on. `evidence` is what its probes and its log said.
    #[must_use]
    pub fn deploy_failed(
        app: &AppName,
        release: Number,
        kept: Option<Number>,
        why: &str,
        evidence: &[String],
        at: Timestamp,
    ) -> Self {
        let goes_on = match kept {
            Some(kept) => format!("{kept} goes on serving."),
            None => "Nothing serves.".to_owned(),
        };
        let page = Page::default()
            .prose(&format!("Release {release} of {app} could not serve: {why}. {goes_on}"))
            .verbatim("What was seen", evidence)
            .table(&[("Look", format!("toehold why {release} --app {app}"))]);
        Self {
            kind: EventKind::DeployFailed,
            app: Some(app.clone()),
            about: Subject::Release(release),
            at,
            headline: headline(app, &format!("release {release} could not serve: {why}")),
            body: page.finish(),
            facts: json!({ "release": release, "kept": kept, "why": why }),
            offers: Vec::new(),
        }
    }
}
