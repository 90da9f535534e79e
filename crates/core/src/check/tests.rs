//! A good decision is spoilt in one way after the other; the rule that was broken is named.

use super::*;
use crate::model::{Number, RolloutPhase, ScaleMode, Stable, Target};
use crate::scene::{Scene, addr, before, id};

const WISH: &str = "stable=v1*2 canary=v2*1@2:1";
const SIGHT: &str = "#1 stable v1 up; #2 stable v1 up; #3 canary v2 up; route 2:1";

/// Which rules are broken where `spoil` is what was decided.
fn broken(wish: &str, sight: &str, spoil: impl FnOnce(&mut Scene)) -> Vec<Rule> {
    let scene = Scene::new(wish, sight);
    let mut next = scene.clone();
    spoil(&mut next);
    let mut rules: Vec<Rule> = check(&scene.app, &next.app, scene.situation())
        .into_iter()
        .map(|violation| violation.rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn goal(scene: &mut Scene, ordinal: u64, goal: Goal) {
    for instance in &mut scene.app.instances {
        if instance.id.ordinal() == ordinal {
            instance.goal = goal;
        }
    }
}

fn drain() -> Goal {
    Goal::Drain { until: crate::scene::NOW.plus(std::time::Duration::from_secs(30)) }
}

#[test]
fn nothing_changed_breaks_nothing() {
    assert_eq!(broken(WISH, SIGHT, |_| {}), []);
}

#[test]
fn a_route_to_nobody_is_seen() {
    let rules = broken(WISH, SIGHT, |next| {
        next.app.route.arms[1].targets.clear();
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::NeverToNobody]);
    let rules = broken(WISH, SIGHT, |next| {
        next.app.route.arms.iter_mut().for_each(|arm| arm.weight = 0);
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::NeverToNobody]);
}

#[test]
fn a_route_to_a_stranger_is_seen() {
    let swapped = broken(WISH, SIGHT, |next| {
        let target = next.app.route.arms[1].targets[0].clone();
        next.app.route.arms[0].targets.push(target);
        next.app.route.rev += 1;
    });
    assert_eq!(swapped, [Rule::NeverToStrangers]);
    let unknown = broken(WISH, SIGHT, |next| {
        next.app.route.arms[0].targets.push(Target { instance: id(9), addr: addr(9) });
        next.app.route.rev += 1;
    });
    assert_eq!(unknown, [Rule::NeverToStrangers]);
}

#[test]
fn a_route_to_one_that_never_served_is_seen() {
    let sight = "#1 stable v1 up; route 1:0; #2 stable v1 sick";
    let rules = broken("stable=v1*2", sight, |next| {
        next.app.route.arms[0].targets.push(Target { instance: id(2), addr: addr(2) });
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::NeverToTheUnproven]);
}

#[test]
fn a_route_that_is_gone_is_seen() {
    let rules = broken(WISH, SIGHT, |next| {
        next.app.route.arms.clear();
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::NeverWithoutRoute]);
}

#[test]
fn a_switch_before_all_serve_is_seen() {
    let sight = "#1 stable v1 up; route 1:0; #2 stable v2 up; #3 stable v2 starting";
    let rules = broken("stable=v1>v2*2", sight, |next| {
        next.app.good.push(Number(2));
        next.app.route.arms[0].release = Number(2);
        next.app.route.arms[0].targets = vec![Target { instance: id(2), addr: addr(2) }];
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::AllOrNothing]);
}

#[test]
fn an_end_in_the_middle_of_requests_is_seen() {
    let routed = broken(WISH, SIGHT, |next| goal(next, 2, drain()));
    assert_eq!(routed, [Rule::NeverToStrangers, Rule::NeverEndTheReached]);
    for sight in ["draining 3req", "draining; proxy late", "draining; proxy away"] {
        let sight = format!("#1 stable v2 up; route 1:0; #2 stable v1 up {sight}");
        let rules = broken("good=v1 stable=v2*1", &sight, |next| goal(next, 2, Goal::Stop));
        assert_eq!(rules, [Rule::NeverEndTheReached], "{sight}");
    }
    let sight = "#1 stable v2 up; route 1:0; #2 stable v1 up overdue 3req";
    assert_eq!(broken("good=v1 stable=v2*1", sight, |next| goal(next, 2, Goal::Stop)), []);
}

#[test]
fn the_last_stable_that_serves_is_not_drained() {
    let sight = "#1 stable v1 up; #2 stable v1 sick; route 1:0";
    let rules = broken("stable=v1*2", sight, |next| {
        goal(next, 1, drain());
        next.app.route.arms[0].targets.remove(0);
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::NeverDrainTheLastStable]);
}

#[test]
fn the_living_are_not_forgotten() {
    let sight = "#1 stable v2 up; route 1:0; #2 stable v1 up stopping";
    for (sight, expected) in [
        (sight.to_owned(), vec![Rule::NeverForgetTheLiving]),
        (format!("{sight}; agents silent"), vec![Rule::NeverForgetTheLiving]),
        (sight.replace("v1 up", "v1 stopped"), vec![]),
    ] {
        let rules = broken("good=v1 stable=v2*1", &sight, |next| {
            next.app.instances.retain(|it| it.id.ordinal() != 2);
        });
        assert_eq!(rules, expected, "{sight}");
    }
}

#[test]
fn stable_is_never_at_zero() {
    let rules = broken(WISH, SIGHT, |next| next.app.stable = None);
    assert_eq!(rules, [Rule::NeverStableAtZero]);
    let rules = broken("stable=v1>v2*1", "#1 stable v1 up; #2 stable v2 up; route 1:0", |next| {
        next.app.good.clear();
        next.app.stable = Some(Stable { release: Number(2), since: before(1) });
    });
    assert!(rules.contains(&Rule::NeverStableAtZero), "{rules:?}");
}

#[test]
fn more_than_was_asked_for_is_seen() {
    let rules = broken(WISH, SIGHT, |next| {
        next.app.route.arms[1].weight = 2;
        next.app.route.rev += 1;
    });
    assert_eq!(rules, [Rule::CanaryAtMostWhatWasAsked]);
    let held = broken(WISH, SIGHT, |next| {
        if let Some(rollout) = next.app.rollout.as_mut() {
            rollout.phase = RolloutPhase::Aborted { why: "it was bad".into() };
        }
    });
    assert_eq!(held, [Rule::CanaryAtMostWhatWasAsked]);
}

#[test]
fn an_alert_and_a_share_do_not_go_together() {
    let sight = format!("{SIGHT}; alert #3");
    assert_eq!(broken(WISH, &sight, |_| {}), [Rule::AlertMeansAllStable]);
}

#[test]
fn numbers_that_come_twice_are_seen() {
    let twice = broken(WISH, SIGHT, |next| {
        let mut again = next.app.instances[0].clone();
        again.id = id(2);
        next.app.instances.push(again);
    });
    assert!(twice.contains(&Rule::NumbersGrow), "{twice:?}");
    let changed = broken(WISH, SIGHT, |next| next.app.instances[2].release = Number(3));
    assert!(changed.contains(&Rule::NumbersGrow), "{changed:?}");
    let back = broken(WISH, SIGHT, |next| next.app.next_instance -= 1);
    assert_eq!(back, [Rule::NumbersGrow]);
    let sight = "#1 stable v2 up; route 1:0; #2 stable v1 up stopping";
    let revived = broken("good=v1 stable=v2*1", sight, |next| goal(next, 2, Goal::Run));
    assert_eq!(revived, [Rule::NumbersGrow]);
}

#[test]
fn a_revision_grows_with_a_change_and_only_then() {
    assert_eq!(broken(WISH, SIGHT, |next| next.app.route.rev += 1), [Rule::RevisionGrows]);
    let rules = broken(WISH, SIGHT, |next| next.app.route.arms.truncate(1));
    assert_eq!(rules, [Rule::RevisionGrows]);
}

#[test]
fn a_number_beyond_its_limits_is_seen() {
    assert_eq!(broken(WISH, SIGHT, |next| next.app.scale.wanted = 5), [Rule::WithinLimits]);
    assert_eq!(broken(WISH, SIGHT, |next| next.app.scale.wanted = 0), [Rule::WithinLimits]);
    let by_hand = broken(WISH, SIGHT, |next| {
        next.app.scale.wanted = 50;
        next.app.scale.mode = ScaleMode::Manual;
    });
    assert_eq!(by_hand, []);
}

#[test]
fn an_alert_that_stands_twice_is_seen() {
    let sight = format!("{SIGHT}; alert #1");
    let rules = broken(WISH, &sight, |next| {
        let mut again = next.app.alerts[0].clone();
        again.id += 1;
        next.app.alerts.push(again);
    });
    assert_eq!(rules, [Rule::AlertsAreOrderly]);
}
