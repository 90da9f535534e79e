//! Whether the head of a branch is something nobody told us of.

use std::time::Duration;

use toehold_core::model::{BranchName, Build, BuildPhase, CommitId, StepKind, Track};
use toehold_core::time::Timestamp;

/// How often a commit that could not be fetched is built again.
const AGAIN: usize = 3;

/// How long after a build that could not fetch its commit another is made.
const PAUSE: Duration = Duration::from_mins(1);

/// What is known of a branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// Where it was at the last look.
    pub(super) seen: Option<&'a CommitId>,
    /// The builds of the app, newest first.
    pub(super) builds: &'a [Build],
    /// Whether this is the first look there ever was.
    pub(super) is_first: bool,
}

/// Whether a branch's head is to be built.
pub(super) fn is_new(
    branch: &BranchName,
    track: Track,
    head: &CommitId,
    known: &Known<'_>,
    now: Timestamp,
) -> bool {
    let newest = known.builds.iter().find(|build| build.branch == *branch);
    if let Some(newest) = newest.filter(|build| build.commit == *head) {
        return could_not_be_fetched(newest)
            && now.since(newest.ended_at.unwrap_or(now)) >= PAUSE
            && known
                .builds
                .iter()
                .filter(|it| it.commit == *head && could_not_be_fetched(it))
                .count()
                <= AGAIN;
    }
    if known.seen == Some(head) {
        return false;
    }
    // At the first look nobody knows what is new: what a track runs goes on.
    !known.is_first || known.builds.iter().all(|build| build.track != track)
}

fn could_not_be_fetched(build: &Build) -> bool {
    matches!(&build.phase, BuildPhase::Failed { failure } if failure.step == StepKind::Fetch)
}

#[cfg(test)]
mod tests {
    use toehold_core::model::{Failure, Number, Trigger};

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
        let seen = seen.map(commit);
        let known = Known { seen: seen.as_ref(), builds, is_first };
        let main = "main".parse().expect("a branch");
        let now = Timestamp::from_ms(3_600_000);
        is_new(&main, Track::Stable, &commit(head), &known, now)
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
