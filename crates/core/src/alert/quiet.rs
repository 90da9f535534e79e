//! Whether people are told of an alert, or its quiet period still lasts.

use std::time::Duration;

use crate::model::Alert;
use crate::time::Timestamp;

/// Whether a raise at `now` of the same as `before` may be told: the last one that was told lies at
/// least the `quiet` period back.
///
/// A raise in the quiet period is not told at once; if it still stands when the period is over, it
/// is told then. So nobody gets two messages within the period, and nothing that lasts stays
/// untold. That an alert ended is told where its raise was.
pub(super) fn may_tell<'a>(
    quiet: Duration,
    before: impl Iterator<Item = &'a Alert>,
    now: Timestamp,
) -> bool {
    before
        .filter_map(|alert| alert.told_at)
        .max()
        // A moment in the future means that the clock was set back: no reason to stay silent.
        .is_none_or(|told| told > now || now.since(told) >= quiet)
}
