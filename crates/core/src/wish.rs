//! What a person or a job may wish of an app, and what comes of it.

use serde::{Deserialize, Serialize};

use crate::model::{Number, Split, Track};

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
    /// An alert should count as cleared; a canary held by it gets its share back.
    ClearAlert {
        /// Which.
        alert: u64,
    },
}
