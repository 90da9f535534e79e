use crate::scene::{Scene, before, decides, said};

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    decides("stable=v1*2", "#1 stable v1 up; #2 stable v1 up; route 1:0", "nothing");
    decides(
        "stable=v1*1 canary=v2*1@2:1",
        "#1 stable v1 up; #2 canary v2 up; route 2:1",
        "nothing",
    );
}

#[test]
fn a_first_release_is_started_and_gets_traffic_when_all_of_it_serves() {
    decides("stable=>v1*2", "", "launch 1 stable v1; launch 2 stable v1");
    decides("stable=>v1*2", "#1 stable v1 up; #2 stable v1 starting", "nothing");
    decides("stable=>v1*2", "#1 stable v1 up; #2 stable v1 up", "done v1; route 1:0 v1(1 2)");
}

#[test]
fn a_new_release_gets_everyone_at_once_or_nobody() {
    let old = "#1 stable v1 up; #2 stable v1 up; route 1:0";
    decides("stable=v1>v2*2", old, "launch 3 stable v2; launch 4 stable v2");
    decides("stable=v1>v2*2", &format!("{old}; #3 stable v2 up; #4 stable v2 starting"), "nothing");
    decides(
        "stable=v1>v2*2",
        &format!("{old}; #3 stable v2 up; #4 stable v2 up"),
        "done v2; route 1:0 v2(3 4); drain 1; drain 2",
    );
}

#[test]
fn a_machine_that_runs_something_else_does_not_count() {
    decides("stable=v1>v2*1", "#1 stable v1 up; route 1:0; #2 stable v2 up wrong", "nothing");
}

#[test]
fn a_release_that_cannot_come_up_is_given_up_and_the_one_before_goes_on() {
    for how in ["failed", "died-thrice", "sick old"] {
        let scene = Scene::new(
            "stable=v1>v2*1",
            &format!("#1 stable v1 up; route 1:0; #2 stable v2 {how}"),
        );
        let mut scene = scene;
        if let Some(stable) = scene.app.stable.as_mut() {
            stable.since = before(300);
        }
        let decision = scene.decided().expect("it is given up");
        let words = said(&decision);
        assert!(words.ends_with("failed v2; drain 2; stop 2"), "{how}: {words}");
        assert_eq!(decision.app.stable.map(|it| it.release), scene.app.serving());
        let release = &decision.releases[0];
        assert!(matches!(release.verdict, crate::model::ReleaseVerdict::Bad { .. }));
    }
}

#[test]
fn the_first_release_has_none_to_go_back_to() {
    let scene = Scene::new("stable=>v1*1", "#1 stable v1 failed");
    let decision = scene.decided().expect("it is given up");
    assert_eq!(decision.app.stable, None);
    let failed = &decision.events[1];
    assert_eq!(
        failed.text,
        "release #1 cannot serve: web.1 cannot be started: no such program; \
         it was the first, so nothing serves yet"
    );
}

#[test]
fn nobody_is_blamed_while_nobody_watches() {
    let scene = Scene::new("stable=v1>v2*1", "#1 stable v1 up; route 1:0; #2 stable v2 unseen old");
    let mut memory = crate::decide::Memory::default();
    let decision = crate::decide::decide(scene.situation(), &mut memory);
    assert_eq!(decision, None, "the agents were heard for the first time just now");
}

#[test]
fn silence_of_the_agents_changes_no_route() {
    decides(
        "stable=v1*2",
        "agents silent; #1 stable v1 unseen; #2 stable v1 unseen; route 1:0",
        "nothing",
    );
}

#[test]
fn an_instance_that_does_not_serve_leaves_the_route_unless_it_is_the_last() {
    decides("stable=v1*2", "#1 stable v1 up; #2 stable v1 sick; route 1:0", "route 1:0 v1(1)");
    for how in ["sick", "dead", "unseen", "failed"] {
        let scene = Scene::new("stable=v1*1", &format!("#1 stable v1 {how}; route 1:0"));
        let words = scene.decided().map_or_else(String::new, |decision| said(&decision));
        assert!(!words.contains("route"), "{how}: {words}");
    }
}

#[test]
fn an_instance_joins_when_it_serves_and_disturbs_nobody() {
    decides("stable=v1*2", "#1 stable v1 up; route 1:0", "launch 2 stable v1");
    decides("stable=v1*2", "#1 stable v1 up; route 1:0; #2 stable v1 up", "route 1:0 v1(1 2)");
}

#[test]
fn the_newest_with_the_fewest_requests_goes_first_and_never_the_last_that_serves() {
    let three = "#1 stable v1 up 4req; #2 stable v1 up 1req; #3 stable v1 up 1req; route 1:0";
    decides("stable=v1*2", three, "route 1:0 v1(1 2); drain 3");
    decides(
        "stable=v1*1",
        "#1 stable v1 sick 9req; #2 stable v1 up; route 1:0",
        "route 1:0 v1(2); drain 1",
    );
}

#[test]
fn what_is_drained_ends_when_nobody_can_reach_it_any_more() {
    let draining = |how: &str| format!("#1 stable v2 up; route 1:0; #2 stable v1 up {how}");
    for (how, expected) in [
        ("draining", "stop 2"),
        ("draining 3req", "nothing"),
        ("draining; proxy late", "nothing"),
        ("draining; proxy away", "nothing"),
        ("overdue 3req", "stop 2"),
        ("overdue; proxy away", "stop 2"),
    ] {
        decides("good=v1 stable=v2*1", &draining(how), expected);
    }
}

#[test]
fn what_has_ended_is_forgotten_when_an_agent_says_so() {
    let ending = |how: &str| format!("#1 stable v2 up; route 1:0; #2 stable v1 stopping {how}");
    for (how, expected) in [
        ("stopped", "forget 2"),
        ("unseen", "forget 2"),
        ("up", "nothing"),
        ("unseen; agents silent", "nothing"),
    ] {
        decides("good=v1 stable=v2*1", &ending(how), expected);
    }
}

#[test]
fn going_back_in_time_takes_the_old_instances_back() {
    decides(
        "good=v1,v2 stable=v2>v1*1",
        "#1 stable v1 up draining; #2 stable v2 up; route 1:0",
        "launch 1 stable v1; done v1; route 1:0 v1(1); drain 2",
    );
}

#[test]
fn an_instance_that_cannot_be_started_any_more_is_replaced() {
    let lost = "#1 stable v1 failed old; route 1:0";
    decides("stable=v1*1", lost, "launch 2 stable v1");
    decides("stable=v1*1", &format!("{lost}; #2 stable v1 up"), "route 1:0 v1(2); drain 1");
}

#[test]
fn a_canary_that_becomes_stable_keeps_its_share_until_then() {
    let wish = "stable=v1*1 canary=v2*1@2:1/promoting";
    let both = "#1 stable v1 up; #2 canary v2 up; route 2:1";
    decides(wish, both, "launch 3 stable v2");
    decides(
        wish,
        &format!("{both}; #3 stable v2 up"),
        "done v2; promoted v2; route 1:0 v2(3); drain 1; drain 2",
    );
}

#[test]
fn a_drain_that_would_last_for_ever_begins_anew() {
    let mut scene = Scene::new(
        "good=v1 stable=v2*1",
        "#1 stable v2 up; route 1:0; #2 stable v1 up draining 1req",
    );
    scene.app.instances[1].goal =
        crate::model::Goal::Drain { until: scene.now.plus(std::time::Duration::from_hours(9)) };
    let decision = scene.decided().expect("the clock was set back");
    assert_eq!(said(&decision), "drain 2");
}
