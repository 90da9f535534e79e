use std::time::Duration;

use crate::decide::{Memory, decide};
use crate::model::{AlertPhase, EventKind, Reading};
use crate::scene::{Scene, said};
use crate::wish::{Wish, grant};

/// A scene in which time passes: what each instance uses, second by second.
struct Film {
    scene: Scene,
    memory: Memory,
    told: Vec<String>,
}

impl Film {
    fn new(wish: &str, sight: &str) -> Self {
        let mut scene = Scene::new(wish, sight);
        for number in 1..=9 {
            scene.spec(number).scale.max = 1;
            let alerts = &mut scene.spec(number).alerts;
            alerts.retain(|rule| rule.name == "cpu");
            alerts[0].window = Duration::from_secs(6);
            alerts[0].quiet = Duration::from_mins(1);
        }
        Self { scene, memory: Memory::default(), told: Vec::new() }
    }

    /// So many seconds in which an instance uses so much CPU; `None`: it is not read.
    fn roll(&mut self, seconds: u64, ordinal: u64, cpu: Option<f64>) -> String {
        let mut heard = Vec::new();
        for _ in 0..seconds {
            self.scene.now = self.scene.now.plus(Duration::from_secs(1));
            let now = self.scene.now;
            for (id, status) in &mut self.scene.seen.instances {
                let used = if id.ordinal() == ordinal { cpu } else { Some(5.0) };
                status.reading = used.map(|cpu_percent| Reading {
                    at: now,
                    cpu_percent,
                    memory_percent: 5.0,
                    memory_bytes: 1,
                });
            }
            if let Some(decision) = decide(self.scene.situation(), &mut self.memory) {
                heard.push(said(&decision));
                self.note(&decision.events);
                self.scene = self.scene.after(decision);
            }
        }
        heard.join("; ")
    }

    fn note(&mut self, events: &[crate::model::Event]) {
        for event in events {
            if event.facts["notify"].as_array().is_some_and(|list| !list.is_empty()) {
                self.told.push(format!("{}: {}", event.kind, event.text));
            }
        }
    }
}

const BOTH: &str = "#1 stable v1 up; #2 canary v2 up; route 2:1";
const WISH: &str = "stable=v1*1 canary=v2*1";

#[test]
fn a_burning_canary_is_sent_home_and_stays_there() {
    let mut film = Film::new(WISH, BOTH);
    assert_eq!(film.roll(10, 2, Some(20.0)), "");
    assert_eq!(film.roll(10, 2, Some(90.0)), "raise 1; hold v2; route 1:0 v1(1)");
    assert_eq!(film.roll(30, 2, Some(1.0)), "clear 1", "without traffic it looks well");
    let decision = film.scene.granted(&Wish::ClearAlert { alert: 1 }).expect("it is granted");
    assert_eq!(said(&decision), "retry v2; route 2:1 v1(1) v2(2)");
}

#[test]
fn stable_is_only_complained_about() {
    let mut film = Film::new(WISH, BOTH);
    assert_eq!(film.roll(10, 1, Some(90.0)), "raise 1");
    assert_eq!(film.told, ["alert.raised: cpu of web.1 (stable #1) is 90 %, above 45 %"]);
}

#[test]
fn a_lost_memory_clears_nothing_and_raises_nothing() {
    let mut film = Film::new(WISH, BOTH);
    film.roll(10, 1, Some(90.0));
    film.memory = Memory::default();
    assert_eq!(film.roll(2, 1, Some(10.0)), "", "half a window has to be seen first");
    assert_eq!(film.roll(6, 1, Some(10.0)), "clear 1");
}

#[test]
fn an_alert_grows_stale_and_fresh_also_with_a_lost_memory() {
    let mut film = Film::new(WISH, BOTH);
    film.roll(10, 1, Some(90.0));
    film.memory = Memory::default();
    assert_eq!(film.roll(10, 1, None), "alert.stale 1");
    assert_eq!(film.scene.app.alerts[0].phase, AlertPhase::Raised { stale: true });
    assert_eq!(film.roll(1, 1, Some(90.0)), "alert.fresh 1");
}

#[test]
fn a_cleared_alert_is_judged_by_new_samples_alone() {
    let mut film = Film::new(WISH, BOTH);
    film.roll(10, 1, Some(90.0));
    let wish = Wish::ClearAlert { alert: 1 };
    let decision = grant(film.scene.situation(), &wish, "ann").expect("it is granted");
    film.scene = film.scene.after(decision);
    assert_eq!(film.roll(10, 1, Some(10.0)), "", "the hot samples from before do not count");
    assert_eq!(film.roll(10, 1, Some(90.0)), "raise 2");
}

#[test]
fn nobody_gets_two_messages_within_the_quiet_period() {
    let mut film = Film::new(WISH, BOTH);
    film.roll(10, 1, Some(90.0));
    assert_eq!(film.roll(10, 1, Some(5.0)), "clear 1");
    assert_eq!(film.roll(10, 1, Some(90.0)), "raise 2");
    assert_eq!(film.told.len(), 2, "raised and resolved: {:?}", film.told);
    assert_eq!(film.roll(10, 1, Some(5.0)), "clear 2");
    assert_eq!(film.told.len(), 2, "the second was never told, nor is its end");
}

#[test]
fn what_outlasts_the_quiet_period_is_told_then() {
    let mut film = Film::new(WISH, BOTH);
    film.roll(10, 1, Some(90.0));
    film.roll(10, 1, Some(5.0));
    film.roll(30, 1, Some(90.0));
    assert_eq!(film.told.len(), 2);
    assert_eq!(film.roll(30, 1, Some(90.0)), "raise 2", "said again, now with a message");
    assert_eq!(film.told.len(), 3);
    assert!(film.told[2].contains("is above 45 % since 2027-01-15"), "{}", film.told[2]);
    assert_eq!(film.roll(60, 1, Some(90.0)), "", "and only once");
}

#[test]
fn an_alert_ends_with_its_instance() {
    let mut scene = Scene::new(
        "good=v1 stable=v2*1",
        "#1 stable v2 up; route 1:0; #2 stable v1 up draining 3req; alert #2",
    );
    scene.app.alerts[0].release = crate::model::Number(1);
    let decision = scene.decided().expect("it is over");
    assert_eq!(said(&decision), "clear 1");
    let cleared = decision.events.iter().find(|it| it.kind == EventKind::AlertCleared);
    assert_eq!(
        cleared.expect("it is cleared").text,
        "the alert about cpu of web.2 is over: the instance is not used any more"
    );
}
