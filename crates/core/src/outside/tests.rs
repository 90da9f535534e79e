use super::{Outcome, Word, hear};
use crate::check::check;
use crate::model::{AlertPhase, Outside, Track};
use crate::scene::{NOW, Scene, said};
use crate::time::Timestamp;
use crate::wish::Wish;

const BOTH: &str = "#1 stable v1 up; #2 canary v2 up; route 2:1";
const WISH: &str = "stable=v1*1 canary=v2*1";

fn word(track: Track, holds: bool) -> Word {
    let told = Outside {
        fingerprint: "f608fd461c8326ee".into(),
        reason: "CPU 91% on h1".into(),
        since: Timestamp::from_ms(NOW.as_ms() - 60_000),
        link: String::new(),
    };
    Word { name: "HighCPU".into(), track, told, holds }
}

/// Says it; what was decided, in words, and what came of it.
fn say(scene: &mut Scene, word: Word) -> (String, Outcome) {
    let (decision, mut outcomes) = hear(scene.situation(), &[word], "alertmanager");
    assert_eq!(check(&scene.app, &decision.app, scene.situation()), []);
    let text = said(&decision);
    *scene = scene.after(decision);
    (text, outcomes.remove(0))
}

#[test]
fn an_alert_about_the_canary_sends_everyone_to_stable_at_once() {
    let mut scene = Scene::new(WISH, BOTH);
    let (text, outcome) = say(&mut scene, word(Track::Canary, true));
    assert_eq!(text, "raise 1; hold v2; route 1:0 v1(1)");
    assert_eq!(outcome, Outcome::Raised);
    assert_eq!(scene.app.alerts[0].finding(), "HighCPU of canary: CPU 91% on h1");
}

#[test]
fn told_again_it_is_no_news_and_over_it_is_cleared() {
    let mut scene = Scene::new(WISH, BOTH);
    say(&mut scene, word(Track::Canary, true));
    let again = say(&mut scene, word(Track::Canary, true));
    assert_eq!(again, ("nothing".into(), Outcome::Known));
    let over = say(&mut scene, word(Track::Canary, false));
    assert_eq!(over, ("clear 1".into(), Outcome::Cleared));
    assert!(matches!(scene.app.alerts[0].phase, AlertPhase::Cleared { .. }));
    let over = say(&mut scene, word(Track::Canary, false));
    assert_eq!(over, ("nothing".into(), Outcome::Known));
}

#[test]
fn what_a_person_cleared_is_not_raised_by_being_told_again() {
    let mut scene = Scene::new(WISH, BOTH);
    say(&mut scene, word(Track::Canary, true));
    let decision = scene.granted(&Wish::ClearAlert { alert: 1 }).expect("it is granted");
    assert_eq!(said(&decision), "clear 1; retry v2; route 2:1 v1(1) v2(2)");
    scene = scene.after(decision);
    assert_eq!(say(&mut scene, word(Track::Canary, true)).1, Outcome::Known);
    let mut anew = word(Track::Canary, true);
    anew.told.since = NOW;
    assert_eq!(say(&mut scene, anew).0, "raise 2; hold v2; route 1:0 v1(1)");
}

#[test]
fn stable_is_only_complained_about() {
    let mut scene = Scene::new(WISH, BOTH);
    assert_eq!(say(&mut scene, word(Track::Stable, true)).0, "raise 1");
}

#[test]
fn without_a_canary_nothing_comes_of_an_alert_about_it() {
    let mut scene = Scene::new("stable=v1*1", "#1 stable v1 up; route 1:0");
    let (text, outcome) = say(&mut scene, word(Track::Canary, true));
    assert_eq!(
        (text.as_str(), outcome),
        ("nothing", Outcome::Nothing("there is no canary".into()))
    );
}

#[test]
fn it_ends_with_its_canary_and_holds_the_next_where_it_goes_on() {
    let mut scene = Scene::new(WISH, BOTH);
    say(&mut scene, word(Track::Canary, true));
    let decision = scene.granted(&Wish::Abort).expect("it is granted");
    scene = scene.after(decision);
    let decision = scene.decided().expect("the alert has nothing to be about");
    assert!(said(&decision).contains("clear 1"), "{}", said(&decision));
}

#[test]
fn an_app_keeps_so_many_and_no_more() {
    let mut scene = Scene::new(WISH, BOTH);
    for nth in 0..30 {
        let mut word = word(Track::Stable, true);
        word.told.fingerprint = format!("{nth}");
        assert_eq!(say(&mut scene, word).1, Outcome::Raised);
    }
    let mut more = word(Track::Stable, true);
    more.told.fingerprint = "more".into();
    assert!(matches!(say(&mut scene, more).1, Outcome::Nothing(_)));
}

#[test]
fn the_document_is_read_again_as_it_was_written() {
    let mut scene = Scene::new(WISH, "#1 stable v1 up; #2 canary v2 up; route 1:0; alert #2");
    say(&mut scene, word(Track::Stable, true));
    let text = serde_json::to_string(&scene.app).expect("JSON");
    let read: crate::model::App = serde_json::from_str(&text).expect("an app");
    assert_eq!(read, scene.app);
}
