use super::*;
use crate::model::{Goal, ReleaseVerdict, RolloutPhase, ScaleMode};
use crate::scene::{Scene, grants, said};
use crate::spec::Step;

const CALM: &str = "#1 stable v1 up; route 1:0";
const BOTH: &str = "#1 stable v1 up; #2 canary v2 up; route 2:1";

fn deploy(release: u64, track: Track, automatic: bool) -> Wish {
    Wish::Deploy { release: Number(release), track, automatic }
}

#[test]
fn a_push_is_deployed_and_saying_it_again_changes_nothing() {
    let push = deploy(2, Track::Stable, true);
    grants("stable=v1*1", CALM, &push, "deploy v2");
    grants("stable=v1>v2*1", CALM, &push, "already so");
    grants("good=v1 stable=v2*1", "#2 stable v2 up; route 1:0", &push, "already so");
}

#[test]
fn a_push_waits_for_unpin_and_a_person_does_not() {
    let refused = "refused: automatic deploys are held since bob went back to #1";
    for track in Track::ALL {
        grants("stable=v1*1 pin=v1", CALM, &deploy(2, track, true), refused);
    }
    grants("stable=v1*1 pin=v1", CALM, &deploy(2, Track::Stable, false), "deploy v2");
    grants("stable=v1*1 pin=v1", CALM, &Wish::Unpin, "unpin");
    grants("stable=v1*1", CALM, &Wish::Unpin, "already so");
}

#[test]
fn a_build_that_took_longer_does_not_bring_back_what_was_replaced() {
    let older = "refused: release #2 is older than #3, which was pushed later";
    grants("stable=v3*1", "#1 stable v3 up; route 1:0", &deploy(2, Track::Stable, true), older);
    grants(
        "stable=v1*1 canary=v3*1",
        "#1 stable v1 up; #2 canary v3 up; route 2:1",
        &deploy(2, Track::Canary, true),
        older,
    );
    grants(
        "stable=v3*1",
        "#1 stable v3 up; route 1:0",
        &deploy(2, Track::Stable, false),
        "deploy v2",
    );
}

#[test]
fn a_push_heard_of_twice_does_not_bring_back_what_was_given_up() {
    let mut scene = Scene::new("stable=v1*1 canary=v2*1/aborted", CALM);
    let release = scene.releases.get_mut(&Number(2)).expect("the scene has it");
    release.verdict = ReleaseVerdict::Bad { why: "it was bad".into() };
    for track in Track::ALL {
        let refused = scene.granted(&deploy(2, track, true)).expect_err("it was tried");
        assert_eq!(refused, Refusal::Tried { release: Number(2) });
        let decision = scene.granted(&deploy(2, track, false)).expect("a person may");
        assert_eq!(decision.releases[0].verdict, ReleaseVerdict::Untried);
    }
}

#[test]
fn what_cannot_be_started_is_not_deployed() {
    grants(
        "stable=v1*1",
        CALM,
        &deploy(77, Track::Stable, false),
        "refused: there is no release #77: it was never made, or is not kept any more",
    );
    let mut scene = Scene::new("stable=v1*1", CALM);
    scene.spec(2).run.web = None;
    let refusal = scene.granted(&deploy(2, Track::Stable, true)).expect_err("it has no command");
    assert_eq!(refusal.code(), "no_run_command");
}

#[test]
fn a_canary_runs_beside_stable_or_not_at_all() {
    let canary = deploy(2, Track::Canary, true);
    grants("stable=v1*1", CALM, &canary, "canary v2");
    grants(
        "",
        "",
        &canary,
        "refused: no release is stable yet, so a canary of #2 has nothing to run beside",
    );
    grants(
        "stable=v2*1",
        "#1 stable v2 up; route 1:0",
        &canary,
        "refused: release #2 is stable already: a canary of it would show nothing",
    );
    grants("stable=v1*1 canary=v2*1", BOTH, &canary, "already so");
}

#[test]
fn a_newer_canary_takes_the_place_of_an_older_one() {
    grants(
        "stable=v1*1 canary=v2*1",
        BOTH,
        &deploy(3, Track::Canary, true),
        "abort v2; canary v3; route 1:0 v1(1)",
    );
}

#[test]
fn a_stable_push_lets_the_canary_go_on() {
    grants("stable=v1*1 canary=v2*1", BOTH, &deploy(3, Track::Stable, true), "deploy v3");
    grants(
        "stable=v1*1 canary=v2*1/promoting",
        BOTH,
        &deploy(3, Track::Stable, true),
        "resume v2; deploy v3",
    );
}

#[test]
fn deploying_the_canary_means_promoting_it() {
    grants(
        "stable=v1*1 canary=v2*1",
        BOTH,
        &deploy(2, Track::Stable, false),
        "promote v2; deploy v2",
    );
}

#[test]
fn only_a_canary_that_serves_is_promoted() {
    for (phase, expected) in [
        ("serving", "promote v2"),
        ("paused", "promote v2"),
        ("promoting", "already so"),
        ("starting", "refused: cannot promote canary #2: it is starting"),
        ("held", "refused: cannot promote canary #2: it is held"),
        ("aborted", "refused: cannot promote canary #2: it is aborted"),
    ] {
        let sight = if matches!(phase, "serving" | "paused" | "promoting") {
            BOTH
        } else {
            "#1 stable v1 up; route 1:0; #2 canary v2 up"
        };
        grants(&format!("stable=v1*1 canary=v2*1/{phase}"), sight, &Wish::Promote, expected);
    }
    grants("stable=v1*1", CALM, &Wish::Promote, "refused: there is no canary to promote");
}

#[test]
fn giving_a_canary_up_takes_its_traffic_in_the_same_step() {
    let wish = "stable=v1*1 canary=v2*1";
    grants(wish, BOTH, &Wish::Abort, "abort v2; route 1:0 v1(1)");
    let decision = Scene::new(wish, BOTH).granted(&Wish::Abort).expect("it is granted");
    let verdict = &decision.releases[0].verdict;
    assert_eq!(*verdict, ReleaseVerdict::Bad { why: "ann gives it up".into() });
    grants("stable=v1*1 canary=v2*1/aborted", CALM, &Wish::Abort, "already so");
    grants("stable=v1*1", CALM, &Wish::Abort, "already so");
}

#[test]
fn giving_up_a_promotion_leaves_stable_as_it_was() {
    let scene = Scene::new("stable=v1*1 canary=v2*1/promoting", BOTH);
    let decision = scene.granted(&Wish::Abort).expect("it is granted");
    assert_eq!(said(&decision), "abort v2; route 1:0 v1(1)");
    assert_eq!(decision.app.stable.map(|it| it.release), Some(Number(1)));
}

#[test]
fn a_held_canary_is_tried_again_by_hand() {
    let idle = "#1 stable v1 up; route 1:0; #2 canary v2 up";
    let back = "retry v2; route 2:1 v1(1) v2(2)";
    grants("stable=v1*1 canary=v2*1/held", idle, &Wish::Retry, back);
    grants(
        "stable=v1*1 canary=v2*1/alerted",
        &format!("{idle}; alert #2"),
        &Wish::Retry,
        &format!("clear 1; {back}"),
    );
    grants(
        "stable=v1*1 canary=v2*1/alerted",
        &format!("{idle}; alert #2"),
        &Wish::ClearAlert { alert: 1 },
        &format!("clear 1; {back}"),
    );
    grants("stable=v1*1 canary=v2*1", BOTH, &Wish::Retry, "already so");
}

#[test]
fn clearing_one_of_two_alerts_gives_nothing_back() {
    grants(
        "stable=v1*1 canary=v2*2/alerted",
        "#1 stable v1 up; route 1:0; #2 canary v2 up; #3 canary v2 up; alert #2; alert #3",
        &Wish::ClearAlert { alert: 1 },
        "clear 1; hold v2",
    );
}

#[test]
fn a_dead_canary_is_tried_again_with_another_instance() {
    let scene = Scene::new(
        "stable=v1*1 canary=v2*1/held",
        "#1 stable v1 up; route 1:0; #2 canary v2 died-thrice",
    );
    let decision = scene.granted(&Wish::Retry).expect("it is granted");
    assert_eq!(said(&decision), "drain 2; retry v2 when healthy");
    let next = scene.after(decision).decided().expect("it goes on");
    assert_eq!(said(&next), "launch 3 canary v2; stop 2");
}

#[test]
fn a_canary_that_was_given_up_begins_anew() {
    let mut scene = Scene::new("stable=v1*1 canary=v2*1@1:1/aborted", CALM);
    let release = scene.releases.get_mut(&Number(2)).expect("the scene has it");
    release.verdict = ReleaseVerdict::Bad { why: "it was bad".into() };
    let decision = scene.granted(&Wish::Retry).expect("it is granted");
    assert_eq!(said(&decision), "canary v2");
    assert_eq!(decision.releases[0].verdict, ReleaseVerdict::Untried);
    assert_eq!(decision.app.rollout.map(|it| it.phase), Some(RolloutPhase::Starting));
}

#[test]
fn steps_are_stopped_and_go_on() {
    let wish = |phase| format!("stable=v1*1 canary=v2*1/{phase}");
    grants(&wish("serving"), BOTH, &Wish::Pause, "pause v2");
    grants(&wish("paused"), BOTH, &Wish::Pause, "already so");
    grants(&wish("paused"), BOTH, &Wish::Resume, "resume v2");
    grants(&wish("serving"), BOTH, &Wish::Resume, "already so");
    let idle = "#1 stable v1 up; route 1:0; #2 canary v2 up";
    let refused = "refused: cannot resume canary #2: it is held";
    grants(&wish("held"), idle, &Wish::Resume, refused);
}

#[test]
fn the_last_approval_promotes() {
    let mut scene = Scene::new("stable=v1*1 canary=v2*1", BOTH);
    let release = scene.releases.get_mut(&Number(2)).expect("the scene has it");
    release.spec.canary.steps = vec![Step::Approve, Step::Approve];
    let at = |scene: &mut Scene, step| {
        scene.app.rollout.as_mut().expect("it has a canary").step = Some(step);
        said(&scene.granted(&Wish::Resume).expect("it is granted"))
    };
    assert!(at(&mut scene, 0).contains("split v2"));
    assert!(at(&mut scene, 1).contains("promote v2"));
}

#[test]
fn a_share_is_set_by_hand() {
    let split = |text: &str| Wish::SetSplit { split: text.parse().expect("it is a split") };
    let wish = "stable=v1*1 canary=v2*1@2:1";
    grants(wish, BOTH, &split("50%"), "split v2 1:1; route 1:1 v1(1) v2(2)");
    grants(wish, BOTH, &split("0%"), "split v2 1:0; route 1:0 v1(1)");
    grants(wish, BOTH, &split("100%"), "split v2 0:1; route 0:1 v1(1) v2(2)");
    grants(wish, BOTH, &split("2:1"), "already so");
}

#[test]
fn rollback_goes_to_the_last_good_release_and_pins() {
    let wish = "good=v1,v2 stable=v3*1";
    let sight = "#1 stable v3 up; route 1:0";
    grants(wish, sight, &Wish::Rollback { to: None }, "rollback v2; pin");
    grants(wish, sight, &Wish::Rollback { to: Some(Number(1)) }, "rollback v1; pin");
    grants(wish, sight, &Wish::Rollback { to: Some(Number(3)) }, "pin");
    grants(
        wish,
        sight,
        &Wish::Rollback { to: Some(Number(7)) },
        "refused: cannot go back to #7: it has never served everyone",
    );
    grants(
        "stable=v1*1",
        CALM,
        &Wish::Rollback { to: None },
        "refused: there is nothing to go back to: no other release has served everyone",
    );
}

#[test]
fn rollback_said_twice_goes_back_once() {
    let scene = Scene::new("good=v1,v2 stable=v3*1", "#1 stable v3 up; route 1:0");
    let first = scene.granted(&Wish::Rollback { to: None }).expect("it is granted");
    let again = scene.after(first).granted(&Wish::Rollback { to: None }).expect("it is granted");
    assert_eq!(again.events, []);
}

#[test]
fn rollback_while_a_release_comes_up_keeps_the_one_that_serves() {
    grants(
        "good=v1 stable=v2>v3*1",
        "#1 stable v2 up; route 1:0",
        &Wish::Rollback { to: None },
        "rollback v2; pin",
    );
    grants(
        "stable=v1*1 canary=v2*1/promoting",
        BOTH,
        &Wish::Rollback { to: None },
        "abort v2; rollback v1; pin; route 1:0 v1(1)",
    );
}

#[test]
fn after_a_rollback_the_next_one_goes_further_back() {
    let scene = Scene::new(
        "good=v1,v2 stable=v3>v2*1 pin=v2",
        "#1 stable v3 up; route 1:0; #2 stable v2 up",
    );
    let decision = scene.decided().expect("it comes up");
    assert_eq!(decision.app.good, [Number(1), Number(2)]);
    let scene = scene.after(decision);
    let next = scene.granted(&Wish::Rollback { to: None }).expect("it is granted");
    assert_eq!(next.app.stable.map(|it| it.release), Some(Number(1)));
}

#[test]
fn the_number_of_instances_is_said_by_a_person_or_by_nobody() {
    grants("stable=v1*1", CALM, &Wish::ScaleTo { count: 3 }, "scale 3");
    let refused = "refused: cannot have 0 instances: it is between 1 and 100";
    grants("stable=v1*1", CALM, &Wish::ScaleTo { count: 0 }, refused);
    grants("stable=v1*1", CALM, &Wish::ScaleFreeze, "scale 1");
    grants("stable=v1*1", CALM, &Wish::ScaleAuto, "already so");
    let scene = Scene::new("stable=v1*1", CALM);
    let decision = scene.granted(&Wish::ScaleTo { count: 3 }).expect("it is granted");
    assert_eq!(decision.app.scale.mode, ScaleMode::Manual);
}

#[test]
fn the_first_to_see_an_alert_is_named() {
    let sight = format!("{CALM}; alert #1");
    grants("stable=v1*1", &sight, &Wish::AckAlert { alert: 1 }, "ack 1");
    let scene = Scene::new("stable=v1*1", &sight);
    let first = scene.granted(&Wish::AckAlert { alert: 1 }).expect("it is granted");
    let again = scene.after(first).granted(&Wish::AckAlert { alert: 1 }).expect("it is granted");
    assert_eq!(again.events, []);
    let refused = "refused: there is no alert/9: it never was, or ended long ago";
    grants("stable=v1*1", &sight, &Wish::AckAlert { alert: 9 }, refused);
}

#[test]
fn what_changed_nothing_is_said_in_words() {
    let scene = Scene::new("stable=v1*1 canary=v2*1/aborted", CALM);
    assert_eq!(already(&scene.app, &Wish::Abort), "nothing to do: canary #2 is aborted already");
    assert_eq!(
        already(&scene.app, &deploy(1, Track::Stable, false)),
        "nothing to do: release #1 serves everyone already"
    );
}

#[test]
fn every_refusal_has_a_hint_and_a_word() {
    let release = Number(1);
    let refusals = [
        Refusal::NoRelease { release },
        Refusal::NoCommand { release },
        Refusal::Pinned { release, by: "ann".into() },
        Refusal::Older { release, newer: Number(2) },
        Refusal::Tried { release },
        Refusal::NoStable { release },
        Refusal::IsStable { release },
        Refusal::NoCanary { verb: "promote" },
        Refusal::WrongPhase { verb: "promote", release, phase: "held" },
        Refusal::NothingBefore,
        Refusal::NotGood { release, why: "it never served".into() },
        Refusal::WrongCount { count: 0, most: 100 },
        Refusal::NoAlert { alert: 3 },
    ];
    let mut codes: Vec<&str> = refusals.iter().map(Refusal::code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), refusals.len());
    assert!(refusals.iter().all(|refusal| !refusal.hint().is_empty()));
}

#[test]
fn a_broken_canary_is_not_drained_while_it_is_routed_to() {
    let scene = Scene::new("stable=v1*1 canary=v2*1/held", "#1 stable v1 up; #2 canary v2 sick");
    let decision = scene.granted(&Wish::Retry).expect("it is granted");
    let instance = decision.app.instances.iter().find(|it| it.id.ordinal() == 2);
    assert!(matches!(instance.map(|it| it.goal), Some(Goal::Drain { .. })));
}
