use super::*;
use crate::model::{Event, EventKind};
use crate::scene::{Scene, said};

const CALM: &str = "#1 stable v1 up; route 1:0";

fn texts(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.text.as_str()).collect()
}

#[test]
fn nothing_to_do_is_no_decision() {
    let scene = Scene::new("stable=v1*1", CALM);
    assert_eq!(decide(scene.situation(), &mut Memory::default()), None);
}

#[test]
fn an_app_of_which_nothing_was_built_needs_nothing() {
    let scene = Scene::new("", "");
    assert_eq!(decide(scene.situation(), &mut Memory::default()), None);
}

#[test]
fn what_the_agents_say_becomes_an_event_once() {
    let mut memory = Memory::default();
    let starting = Scene::new("stable=v1*1", "#1 stable v1 sick; route 1:0");
    assert_eq!(decide(starting.situation(), &mut memory), None, "what is there is known");
    let up = Scene::new("stable=v1*1", CALM);
    let decision = decide(up.situation(), &mut memory).expect("it became healthy");
    assert_eq!(texts(&decision.events), ["web.1 (stable #1) is healthy after 5 s"]);
    assert_eq!(decide(up.situation(), &mut memory), None);
    let dead = Scene::new("stable=v1*1", "#1 stable v1 dead; route 1:0");
    let decision = decide(dead.situation(), &mut memory).expect("it died");
    assert_eq!(texts(&decision.events), ["web.1 (stable #1) died: exit code 1"]);
}

#[test]
fn an_instance_that_is_new_is_told_of_also_when_it_was_quick() {
    let mut memory = Memory::default();
    let alone = Scene::new("", "");
    decide(alone.situation(), &mut memory);
    let up = Scene::new("stable=v1*1", CALM);
    let decision = decide(up.situation(), &mut memory).expect("it became healthy");
    assert_eq!(decision.events[0].kind, EventKind::InstanceHealthy);
}

#[test]
fn events_come_in_causal_order_by_toehold() {
    let scene = Scene::new(
        "stable=v1*1 canary=v2*1",
        "#1 stable v1 up; #2 canary v2 up; route 2:1; alert #2",
    );
    let decision = scene.decided().expect("it is held");
    assert_eq!(said(&decision), "hold v2; route 1:0 v1(1)");
    for event in &decision.events {
        assert_eq!((event.actor.as_str(), event.cause, event.rev), ("toehold", None, 0));
        assert_eq!(event.at, scene.now);
        assert!(event.facts.is_object(), "{}", event.text);
    }
}

#[test]
fn a_canary_that_is_away_for_a_moment_is_not_held() {
    let mut memory = Memory::default();
    let wish = "stable=v1*1 canary=v2*1";
    let well = Scene::new(wish, "#1 stable v1 up; #2 canary v2 up; route 2:1");
    assert_eq!(decide(well.situation(), &mut memory), None);
    let mut scene = Scene::new(wish, "#1 stable v1 up; #2 canary v2 sick; route 2:1");
    let decision = decide(scene.situation(), &mut memory).expect("it leaves the route");
    assert_eq!(said(&decision), "route 1:0 v1(1)");
    scene = scene.after(decision);
    scene.now = scene.now.plus(std::time::Duration::from_secs(4));
    assert_eq!(decide(scene.situation(), &mut memory), None);
    scene.now = scene.now.plus(std::time::Duration::from_secs(1));
    let decision = decide(scene.situation(), &mut memory).expect("it has had its time");
    assert_eq!(said(&decision), "hold v2");
}
