//! What a person or a job may wish of an app, and what comes of it.

mod already;
mod canary;
mod deploy;
mod refusal;
mod rollback;
mod settings;

pub use already::already;
pub use refusal::Refusal;

use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::model::{Number, Split, Track};
use crate::plan::route;
use crate::situation::{Decision, Situation};

/// A wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// A release should serve on a track. From a push it is refused while the app is pinned.
    Deploy {
        /// Which.
        release: Number,
        /// Where.
        track: Track,
        /// Whether it comes from a push and not from a person.
        automatic: bool,
    },
    /// The canary should become stable.
    Promote,
    /// The canary should be given up.
    Abort,
    /// The canary's steps should stop where they are.
    Pause,
    /// The canary's steps should go on.
    Resume,
    /// A canary that was held or aborted should be tried again.
    Retry,
    /// The canary should have this share.
    SetSplit {
        /// The share.
        split: Split,
    },
    /// An earlier release should serve everyone again, and automatic deploys be held.
    Rollback {
        /// Which; the last good one before where absent.
        to: Option<Number>,
    },
    /// Automatic deploys should go on.
    Unpin,
    /// So many instances, said by a person.
    ScaleTo {
        /// How many.
        count: u32,
    },
    /// As many instances as the load asks for.
    ScaleAuto,
    /// As many instances as there are.
    ScaleFreeze,
    /// Somebody has seen an alert.
    AckAlert {
        /// Which.
        alert: u64,
    },
    /// Nobody should be told of an alert's rule for a while; what it does to traffic goes on.
    SilenceAlert {
        /// Which.
        alert: u64,
        /// How long, in hours.
        hours: u32,
    },
    /// An alert should count as cleared; a canary held by it gets its share back.
    ClearAlert {
        /// Which.
        alert: u64,
    },
}

/// Grants a wish in the name of `actor`, or says why not.
///
/// What is already so is granted again without an event, so that a wish may be repeated whenever
/// it is not known whether it arrived; [`already`] says it in words. The route is brought up to
/// date in the same step: traffic that is taken away is gone with the wish itself.
pub fn grant(situation: Situation<'_>, wish: &Wish, actor: &str) -> Result<Decision, Refusal> {
    let mut draft = Draft::new(situation, actor);
    match wish {
        Wish::Deploy { release, track: Track::Stable, automatic } => {
            deploy::stable(&mut draft, *release, *automatic)?;
        }
        Wish::Deploy { release, track: Track::Canary, automatic } => {
            deploy::canary(&mut draft, *release, *automatic)?;
        }
        Wish::Promote => canary::promote(&mut draft)?,
        Wish::Abort => canary::abort(&mut draft)?,
        Wish::Pause => canary::pause(&mut draft)?,
        Wish::Resume => canary::resume(&mut draft)?,
        Wish::Retry => canary::retry(&mut draft)?,
        Wish::SetSplit { split } => canary::set_split(&mut draft, *split)?,
        Wish::Rollback { to } => rollback::rollback(&mut draft, *to)?,
        Wish::Unpin => settings::unpin(&mut draft),
        Wish::ScaleTo { count } => settings::scale_to(&mut draft, *count)?,
        Wish::ScaleAuto => settings::scale_auto(&mut draft),
        Wish::ScaleFreeze => settings::scale_freeze(&mut draft),
        Wish::AckAlert { alert } => settings::acknowledge(&mut draft, *alert)?,
        Wish::SilenceAlert { alert, hours } => settings::silence(&mut draft, *alert, *hours)?,
        Wish::ClearAlert { alert } => settings::clear(&mut draft, *alert)?,
    }
    if draft.has_changed() {
        route(&mut draft);
    }
    Ok(draft.finish())
}

#[cfg(test)]
mod tests;
