//! Whether the head of a branch is something nobody told us of.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use toehold_core::model::{
    BranchName, Build, BuildPhase, CommitId, Number, StepKind, Track, Trigger,
};
use toehold_core::time::Timestamp;

/// How often a commit that could not be fetched is built again.
const AGAIN: usize = 3;

/// How long after a build that could not fetch its commit another is made.
const PAUSE: Duration = Duration::from_mins(1);

/// How long a forge may show an older commit than it told of.
const SETTLES: Duration = Duration::from_secs(30);

/// Where a branch was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The commit.
    pub(super) commit: CommitId,
    /// The branch's newest build then; 0 where it had none.
    pub(super) build: Number,
}

/// What is known of a branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// Where it was at the last look.
    pub(super) seen: Option<&'a Head>,
    /// The builds of the app, newest first.
    pub(super) builds: &'a [Build],
    /// Whether this is the first look there ever was.
    pub(super) is_first: bool,
}

/// What a branch's head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is to be built.
    New,
    /// It is built, or was looked at before.
    Known,
    /// A webhook has just told of another commit, and a forge may be slow to show everywhere what
    /// it told of: the next look decides.
    Unsettled,
}

/// What a branch's head is.
pub(super) fn judge(
    branch: &BranchName,
    track: Track,
    head: &CommitId,
    known: &Known<'_>,
    now: Timestamp,
) -> Verdict {
    let newest = known.builds.iter().find(|build| build.branch == *branch);
    let is_new = match (newest, known.seen) {
        (Some(newest), _) if newest.commit == *head => may_be_fetched_now(newest, known, now),
        (Some(newest), _)
            if matches!(newest.trigger, Trigger::Webhook { .. })
                && now.since(newest.queued_at) < SETTLES =>
        {
            return Verdict::Unsettled;
        }
        // A delivery that came late brought back an older commit after this one was built.
        (newest, Some(seen)) if seen.commit == *head => {
            newest.is_some_and(|newest| newest.number > seen.build && is_of_a_forge(newest))
        }
        // At the first look nobody knows what is new: what a track runs goes on.
        _ => !known.is_first || known.builds.iter().all(|build| build.track != track),
    };
    if is_new { Verdict::New } else { Verdict::Known }
}

/// Whether a commit that could not be fetched is to be tried again.
fn may_be_fetched_now(newest: &Build, known: &Known<'_>, now: Timestamp) -> bool {
    let same = |it: &&Build| it.commit == newest.commit && could_not_be_fetched(it);
    could_not_be_fetched(newest)
        && now.since(newest.ended_at.unwrap_or(now)) >= PAUSE
        && known.builds.iter().filter(same).count() <= AGAIN
}

/// Whether a forge told of it, and nobody wished for it in another way.
const fn is_of_a_forge(build: &Build) -> bool {
    matches!(build.trigger, Trigger::Webhook { .. } | Trigger::Poll { .. })
}

fn could_not_be_fetched(build: &Build) -> bool {
    matches!(&build.phase, BuildPhase::Failed { failure } if failure.step == StepKind::Fetch)
}

#[cfg(test)]
mod tests {
    use toehold_core::model::Failure;

    use super::*;

    fn commit(letter: char) -> CommitId {
        letter.to_string().repeat(40).parse().expect("it is a commit")
    }

    fn build(number: u64, branch: &str, letter: char, phase: BuildPhase) -> Build {
        Build {
            app: "shop".parse().expect("a name"),
            number: Number(number),
            commit: commit(letter),
            branch: branch.parse().expect("a branch"),
            track: if branch == "canary" { Track::Canary } else { Track::Stable },
            subject: String::new(),
            author: String::new(),
            trigger: Trigger::Push,
            queued_at: Timestamp::from_ms(0),
            started_at: None,
            ended_at: Some(Timestamp::from_ms(0)),
            phase,
            steps: Vec::new(),
            cause: None,
        }
    }

    fn failed(step: StepKind) -> BuildPhase {
        let failure = Failure {
            step,
            what: String::new(),
            exit: String::new(),
            cases: Vec::new(),
            issues: Vec::new(),
            tail: Vec::new(),
            hint: String::new(),
        };
        BuildPhase::Failed { failure }
    }

    /// Whether main at `head` is new, an hour later.
    fn main_is_new(head: char, seen: Option<char>, builds: &[Build], is_first: bool) -> bool {
        let seen = seen.map(|letter| Head { commit: commit(letter), build: Number(2) });
        let known = Known { seen: seen.as_ref(), builds, is_first };
        let main = "main".parse().expect("a branch");
        let now = Timestamp::from_ms(3_600_000);
        judge(&main, Track::Stable, &commit(head), &known, now) == Verdict::New
    }

    #[test]
    fn what_was_told_of_is_not_new_and_what_was_not_is() {
        let built = [build(1, "main", 'a', BuildPhase::Queued)];
        assert!(!main_is_new('a', None, &built, false), "a webhook told of it");
        assert!(main_is_new('b', Some('a'), &built, false), "the webhook was lost");
        assert!(!main_is_new('b', Some('b'), &built, false), "it was looked at before");
        assert!(main_is_new('b', None, &[], false), "a new branch");
    }

    #[test]
    fn going_back_to_an_older_commit_is_new() {
        let built =
            [build(2, "main", 'b', BuildPhase::Queued), build(1, "main", 'a', BuildPhase::Queued)];
        assert!(main_is_new('a', Some('b'), &built, false));
    }

    #[test]
    fn a_late_delivery_does_not_keep_what_is_older() {
        let told = |number, letter| Build {
            trigger: Trigger::Webhook { forge: "github".into(), delivery: String::new() },
            ..build(number, "main", letter, BuildPhase::Queued)
        };
        assert!(main_is_new('b', Some('b'), &[told(3, 'a'), told(2, 'b')], false));
        assert!(!main_is_new('b', Some('b'), &[told(2, 'a')], false), "asked not to be built");
        let pushed = [build(3, "main", 'd', BuildPhase::Queued), told(2, 'b')];
        assert!(!main_is_new('b', Some('b'), &pushed, false), "somebody pushed here");
    }

    #[test]
    fn what_a_webhook_has_just_told_of_is_not_doubted() {
        let told = Build {
            trigger: Trigger::Webhook { forge: "github".into(), delivery: String::new() },
            ..build(3, "main", 'c', BuildPhase::Queued)
        };
        let known = Known { seen: None, builds: &[told], is_first: false };
        let main = "main".parse().expect("a branch");
        let at = |ms| judge(&main, Track::Stable, &commit('b'), &known, Timestamp::from_ms(ms));
        assert_eq!((at(10_000), at(40_000)), (Verdict::Unsettled, Verdict::New));
    }

    #[test]
    fn two_branches_of_a_track_do_not_take_turns() {
        let built = [
            build(2, "release", 'b', BuildPhase::Queued),
            build(1, "main", 'a', BuildPhase::Queued),
        ];
        assert!(!main_is_new('a', None, &built, false));
    }

    #[test]
    fn the_first_look_leaves_a_track_that_runs_as_it_is() {
        let built = [build(1, "other", 'a', BuildPhase::Queued)];
        assert!(!main_is_new('b', None, &built, true));
        assert!(main_is_new('b', None, &[], true), "nothing runs there yet");
        let canary = [build(1, "canary", 'a', BuildPhase::Queued)];
        assert!(main_is_new('b', None, &canary, true), "nor here");
    }

    #[test]
    fn what_could_not_be_fetched_is_built_again_and_what_failed_is_not() {
        let main = |step| build(1, "main", 'a', failed(step));
        assert!(!main_is_new('a', None, &[main(StepKind::Test)], false));
        assert!(main_is_new('a', Some('a'), &[main(StepKind::Fetch)], false));
        let often = vec![main(StepKind::Fetch); AGAIN + 1];
        assert!(!main_is_new('a', Some('a'), &often, false), "but not for ever");
    }
}
