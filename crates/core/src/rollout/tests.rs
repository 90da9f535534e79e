use std::time::Duration;

use crate::model::{RolloutPhase, Split};
use crate::scene::{Scene, before, decides, said};
use crate::spec::Step;

#[test]
fn a_canary_gets_its_share_when_all_of_it_serves() {
    decides(
        "stable=v1*1 canary=v2*2@2:1/starting",
        "#1 stable v1 up; route 1:0; #2 canary v2 up; #3 canary v2 starting",
        "nothing",
    );
    decides(
        "stable=v1*1 canary=v2*2@2:1/starting",
        "#1 stable v1 up; route 1:0; #2 canary v2 up; #3 canary v2 up",
        "split v2 2:1; route 2:1 v1(1) v2(2 3)",
    );
}

#[test]
fn an_alert_on_the_canary_sends_everyone_back() {
    for phase in ["serving", "paused"] {
        decides(
            &format!("stable=v1*2 canary=v2*1@2:1/{phase}"),
            "#1 stable v1 up; #2 stable v1 up; #3 canary v2 up; route 2:1; alert #3",
            "hold v2; route 1:0 v1(1 2)",
        );
    }
}

#[test]
fn an_alert_on_stable_leaves_the_canary_alone() {
    decides(
        "stable=v1*1 canary=v2*1@2:1",
        "#1 stable v1 up; #2 canary v2 up; route 2:1; alert #1",
        "nothing",
    );
}

#[test]
fn a_canary_that_starts_with_an_alert_gets_no_traffic() {
    decides(
        "stable=v1*1 canary=v2*1@2:1/starting",
        "#1 stable v1 up; route 1:0; #2 canary v2 up; alert #2",
        "hold v2",
    );
}

#[test]
fn a_canary_with_nobody_left_is_held() {
    let beside = |how: &str| format!("#1 stable v1 up; #2 canary v2 {how}; route 2:1");
    for (how, expected) in [
        ("dead", "hold v2; route 1:0 v1(1)"),
        ("failed", "hold v2; route 1:0 v1(1)"),
        ("unseen", "hold v2; route 1:0 v1(1)"),
        ("sick", "hold v2; route 1:0 v1(1)"),
        ("unseen; agents silent", "nothing"),
    ] {
        decides("stable=v1*1 canary=v2*1@2:1", &beside(how), expected);
    }
}

#[test]
fn one_of_two_canaries_serves_on() {
    decides(
        "stable=v1*1 canary=v2*2@2:1",
        "#1 stable v1 up; #2 canary v2 dead; #3 canary v2 up; route 2:1",
        "route 2:1 v1(1) v2(3)",
    );
}

#[test]
fn a_held_canary_stays_held_though_all_is_well() {
    decides(
        "stable=v1*1 canary=v2*1@2:1/alerted",
        "#1 stable v1 up; route 1:0; #2 canary v2 up",
        "nothing",
    );
}

#[test]
fn a_canary_that_never_serves_is_given_up() {
    for how in ["failed", "died-thrice"] {
        let scene = Scene::new(
            "stable=v1*1 canary=v2*1@2:1/starting",
            &format!("#1 stable v1 up; route 1:0; #2 canary v2 {how}"),
        );
        let decision = scene.decided().expect("it is given up");
        assert_eq!(said(&decision), "abort v2; drain 2; stop 2", "{how}");
    }
}

#[test]
fn an_alert_while_it_becomes_stable_gives_it_up() {
    decides(
        "stable=v1*1 canary=v2*1@2:1/promoting",
        "#1 stable v1 up; #2 canary v2 up; #3 stable v2 starting; route 2:1; alert #2",
        "abort v2; route 1:0 v1(1); drain 2; drain 3",
    );
}

#[test]
fn a_canary_given_up_as_stable_is_given_up_as_a_canary() {
    decides(
        "stable=v1*1 canary=v2*1@2:1/promoting",
        "#1 stable v1 up; #2 canary v2 up; #3 stable v2 failed; route 2:1",
        "failed v2; abort v2; route 1:0 v1(1); drain 2; drain 3",
    );
}

fn stepping(at: usize, since_s: u64) -> Scene {
    let mut scene =
        Scene::new("stable=v1*1 canary=v2*1@19:1", "#1 stable v1 up; #2 canary v2 up; route 19:1");
    let share = |text: &str, hold| Step::Share {
        split: text.parse().expect("it is a split"),
        hold: Duration::from_secs(hold),
    };
    scene.spec(2).canary.steps =
        vec![share("5%", 120), share("33%", 600), Step::Approve, share("50%", 60)];
    if let Some(rollout) = scene.app.rollout.as_mut() {
        rollout.step = Some(at);
        rollout.step_since = before(since_s);
    }
    scene
}

fn next(scene: &Scene) -> String {
    scene.decided().map_or_else(|| "nothing".to_owned(), |decision| said(&decision))
}

#[test]
fn steps_go_on_with_time() {
    assert_eq!(next(&stepping(0, 119)), "nothing");
    assert_eq!(next(&stepping(0, 121)), "split v2 67:33; route 67:33 v1(1) v2(2)");
    assert_eq!(next(&stepping(1, 599)), "nothing");
    assert_eq!(next(&stepping(1, 601)), "split v2 19:1", "it waits for approval, as it is");
    assert_eq!(next(&stepping(2, 9_999)), "nothing", "nobody has approved");
    assert_eq!(next(&stepping(3, 9_999)), "nothing", "it stays at the last");
}

#[test]
fn a_step_ends_only_while_it_is_watched() {
    let mut paused = stepping(0, 121);
    if let Some(rollout) = paused.app.rollout.as_mut() {
        rollout.phase = RolloutPhase::Paused;
    }
    assert_eq!(next(&paused), "nothing");

    let mut blind = stepping(0, 121);
    for machine in blind.seen.machines.values_mut() {
        machine.heard = false;
    }
    assert_eq!(next(&blind), "nothing");

    let scene = stepping(0, 121);
    let mut memory = crate::decide::Memory::default();
    let first = crate::decide::decide(scene.situation(), &mut memory);
    assert_eq!(first, None, "the alerts have not had their window since the control plane began");
}

#[test]
fn a_clock_set_back_begins_the_step_anew() {
    let mut scene = stepping(0, 0);
    if let Some(rollout) = scene.app.rollout.as_mut() {
        rollout.step_since = scene.now.plus(Duration::from_hours(1));
    }
    let decision = scene.decided().expect("it is put right");
    assert_eq!(decision.app.rollout.map(|it| it.step_since), Some(scene.now));
}

#[test]
fn a_share_begins_at_the_first_step() {
    let mut scene = stepping(0, 0);
    assert_eq!(super::first_share(&scene.spec(2).canary).0.to_string(), "19:1");
    scene.spec(2).canary.steps.insert(0, Step::Approve);
    assert_eq!(super::first_share(&scene.spec(2).canary), (Split::ALL_STABLE, Some(0)));
    scene.spec(2).canary.steps.clear();
    assert_eq!(super::first_share(&scene.spec(2).canary), (Split::DEFAULT, None));
}
