//! The page of an app, in parts: each can be sent again by itself when it changed.

mod actions;
mod alerts;
mod builds;
mod flags;
mod head;
mod instances;
mod log;
mod timeline;
mod tracks;

use maud::{Markup, html};
use toehold_core::model::{AppName, Build, Event, Number, Track};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::{AppView, ReleaseView};

use super::shell::Shell;
use super::{Assets, Viewer};

pub(crate) use head::situation;

/// All that the page shows.
#[derive(Clone, Debug)]
pub(crate) struct AppPage {
    /// The app.
    pub(crate) view: AppView,
    /// Its releases, newest first.
    pub(crate) releases: Vec<ReleaseView>,
    /// Its builds, newest first.
    pub(crate) builds: Vec<Build>,
    /// What happened, oldest first.
    pub(crate) events: Vec<Event>,
    /// What is wrong with its machines, in words.
    pub(crate) troubles: Vec<String>,
    /// Its flags, by key.
    pub(crate) flags: Vec<(String, bool)>,
    /// The last ten minutes.
    pub(crate) series: Vec<Pulse>,
    /// The end of what one of its instances said.
    pub(crate) said: Option<Said>,
    /// Every app there is.
    pub(crate) apps: Vec<AppName>,
    /// Who looks.
    pub(crate) viewer: Viewer,
    /// The time.
    pub(crate) now: Timestamp,
}

/// What a release served on a track in the last ten minutes, a beat each
/// [`super::chart::BUCKET_SECONDS`], oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// The track.
    pub(crate) track: Track,
    /// The release.
    pub(crate) release: Number,
    /// The beats.
    pub(crate) beats: Vec<Beat>,
}

/// What was served in one beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Requests that ended.
    pub(crate) requests: u64,
    /// Of those: 5xx and unanswered.
    pub(crate) errors: u64,
    /// Median latency, in microseconds.
    pub(crate) p50_us: Option<u64>,
    /// 95th percentile, in microseconds.
    pub(crate) p95_us: Option<u64>,
}

/// The end of a log.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// `web.3`.
    pub(crate) by: String,
    /// The text.
    pub(crate) text: String,
    /// Where it goes on, in bytes.
    pub(crate) next: u64,
}

impl AppPage {
    /// The whole page.
    pub(crate) fn page(&self, assets: &Assets) -> Markup {
        let parts = self.parts();
        let body = html! {
            @for (id, part) in &parts {
                section id=(id) class=(format!("part {id}")) { (part) }
            }
            section #log ."part log" { (log::part(self)) }
        };
        let shell = Shell {
            title: self.view.app.as_str(),
            assets,
            viewer: Some(&self.viewer),
            apps: &self.apps,
            here: Some(&self.view.app),
            live: Some(format!("/apps/{}/live", self.view.app)),
        };
        shell.page(&body)
    }

    /// The parts, each with the id of its place.
    fn parts(&self) -> Vec<(&'static str, Markup)> {
        vec![
            ("head", head::part(self)),
            ("alerts", alerts::part(self)),
            ("tracks", tracks::part(self)),
            ("instances", instances::part(self)),
            ("timeline", timeline::part(self)),
            ("flags", flags::part(self)),
            ("builds", builds::part(self)),
        ]
    }

    /// Everything that changes by itself: the parts, and what is within another part.
    pub(crate) fn live(&self) -> Vec<(&'static str, Markup)> {
        let mut live = self.parts();
        live.push(("choose", log::chooser(self)));
        live
    }

    /// Where this app's forms go.
    fn deeds(&self) -> String {
        format!("/apps/{}/wishes", self.view.app)
    }

    fn release(&self, number: Number) -> Option<&ReleaseView> {
        self.releases.iter().find(|it| it.release.number == number)
    }
}
