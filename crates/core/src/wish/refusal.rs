//! Why a wish was not granted, and what to try instead.

use thiserror::Error;

use crate::model::Number;

/// Why a wish was not granted. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such release is kept.
    #[error("there is no release {release}: it was never made, or is not kept any more")]
    NoRelease {
        /// The one that was asked for.
        release: Number,
    },
    /// Its configuration says not how to start it.
    #[error("release {release} cannot be started: its configuration has no `[run] web`")]
    NoCommand {
        /// The one that was asked for.
        release: Number,
    },
    /// Automatic deploys are held.
    #[error("automatic deploys are held since {by} went back to {release}")]
    Pinned {
        /// The release that is kept.
        release: Number,
        /// Who asked for it.
        by: String,
    },
    /// A newer push is already deployed.
    #[error("release {release} is older than {newer}, which was pushed later")]
    Older {
        /// The one that was asked for.
        release: Number,
        /// The one that is there.
        newer: Number,
    },
    /// The same push was deployed before.
    #[error("release {release} was deployed already, and is not again by the same push")]
    Tried {
        /// The one that was asked for.
        release: Number,
    },
    /// A canary has nothing to run beside.
    #[error("no release is stable yet, so a canary of {release} has nothing to run beside")]
    NoStable {
        /// The one that was asked for.
        release: Number,
    },
    /// A canary would be what everyone gets already.
    #[error("release {release} is stable already: a canary of it would show nothing")]
    IsStable {
        /// The one that was asked for.
        release: Number,
    },
    /// There is no canary.
    #[error("there is no canary to {verb}")]
    NoCanary {
        /// What was asked for.
        verb: &'static str,
    },
    /// The canary is in a state in which that cannot be done.
    #[error("cannot {verb} canary {release}: it is {phase}")]
    WrongPhase {
        /// What was asked for.
        verb: &'static str,
        /// Which canary.
        release: Number,
        /// How far it is.
        phase: &'static str,
    },
    /// No release served before.
    #[error("there is nothing to go back to: no other release has served everyone")]
    NothingBefore,
    /// A release that never served, or did not serve well.
    #[error("cannot go back to {release}: {why}")]
    NotGood {
        /// The one that was asked for.
        release: Number,
        /// What is known of it.
        why: String,
    },
    /// A number of instances nobody can have.
    #[error("cannot have {count} instances: it is between 1 and {most}")]
    WrongCount {
        /// How many were asked for.
        count: u32,
        /// The most there may be.
        most: u32,
    },
    /// A silence that is no time, or too long to be remembered by anyone.
    #[error("cannot be silent for {hours} hours: it is between 1 and {most}")]
    WrongHours {
        /// How many were asked for.
        hours: u32,
        /// The most there may be.
        most: u32,
    },
    /// No such alert is kept.
    #[error("there is no alert/{alert}: it never was, or ended long ago")]
    NoAlert {
        /// The one that was asked for.
        alert: u64,
    },
}

impl Refusal {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRelease { .. } => "release_not_found",
            Self::NoCommand { .. } => "no_run_command",
            Self::Pinned { .. } => "pinned",
            Self::Older { .. } => "older_release",
            Self::Tried { .. } => "deployed_before",
            Self::NoStable { .. } => "no_stable",
            Self::IsStable { .. } => "is_stable",
            Self::NoCanary { .. } => "no_canary",
            Self::WrongPhase { .. } => "wrong_phase",
            Self::NothingBefore => "nothing_before",
            Self::NotGood { .. } => "release_not_good",
            Self::WrongCount { .. } => "wrong_count",
            Self::WrongHours { .. } => "wrong_hours",
            Self::NoAlert { .. } => "alert_not_found",
        }
    }

    /// What to try instead, with one command.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoRelease { .. } => "see `toehold releases`".to_owned(),
            Self::NoCommand { .. } => {
                "add `[run] web = \"…\"` to toehold.toml and push again".to_owned()
            }
            Self::Pinned { .. } => {
                "run `toehold unpin` to let pushes deploy again, or `toehold deploy` for this one"
                    .to_owned()
            }
            Self::Older { release, .. } | Self::Tried { release } => {
                format!("run `toehold deploy --release {}` to have it all the same", release.0)
            }
            Self::NoStable { .. } => "push to the branch of stable first".to_owned(),
            Self::IsStable { .. } => "push a change to the canary's branch".to_owned(),
            Self::NoCanary { .. } => {
                "push to the canary's branch, or see `toehold rollout status`".to_owned()
            }
            Self::WrongPhase { phase, .. } => match *phase {
                "held" | "aborted" => {
                    "run `toehold rollout retry` to give it traffic again".to_owned()
                }
                "starting" => "wait until it is healthy: `toehold status -w` shows it".to_owned(),
                "promoted" => "run `toehold rollback` to go back".to_owned(),
                _ => "see `toehold rollout status`".to_owned(),
            },
            Self::NothingBefore | Self::NotGood { .. } => {
                "see `toehold releases` for those that are good".to_owned()
            }
            Self::WrongCount { .. } => "run `toehold scale 1`, or `toehold scale auto`".to_owned(),
            Self::WrongHours { .. } => "run `toehold alerts silence ID --hours 4`".to_owned(),
            Self::NoAlert { .. } => "see `toehold alerts ls`".to_owned(),
        }
    }
}
