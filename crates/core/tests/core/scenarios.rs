//! Stories that a person who knows no Rust can review: what somebody does stands behind `>`, what
//! comes of it below, and the configuration it was done with behind `|`.
//!
//! `TOEHOLD_BLESS=1 cargo test -p toehold-core scenarios` writes what comes of it now into the
//! files; then look at the difference.

use std::fmt::Write as _;

use toehold_core::model::{AppName, InstanceId, Number, Track};
use toehold_core::spec::Spec;
use toehold_core::wish::Wish;
use toehold_core::world::{Luck, Nature, World};

/// Declares the stories; each is a test of its own, and its file has its name.
macro_rules! stories {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                let file = concat!(stringify!($name), ".txt");
                play(file, include_str!(concat!("scenarios/", stringify!($name), ".txt")));
            }
        )*
    };
}

stories! {
    a_first_deploy,
    a_failed_deploy,
    a_canary_takes_a_third,
    an_alert_sends_everyone_back,
    a_canary_dies,
    a_canary_is_promoted,
    a_canary_goes_step_by_step,
    a_canary_is_given_up,
    a_rollback_pins,
    it_scales_out_and_in,
    the_control_plane_is_away,
    an_instance_dies,
}

/// Plays a story and compares what came of it with what stands written.
fn play(file: &str, text: &str) {
    let mut world = World::new(0);
    let (mut spec, mut config, mut told) = (Spec::default(), String::new(), String::new());
    for line in text.lines() {
        if let Some(setting) = line.strip_prefix('|') {
            config.push_str(setting.trim());
            config.push('\n');
            spec = Spec::parse(&config).expect("the configuration can be read");
        } else if let Some(deed) = line.strip_prefix("> ") {
            let _ = writeln!(told, "{line}");
            act(&mut world, &spec, deed, &mut told);
            continue;
        } else if !line.is_empty() && !line.starts_with('#') {
            // What came of it when it was last looked at.
            continue;
        }
        let _ = writeln!(told, "{line}");
    }
    world.assert_safe();
    if told != text {
        bless(file, &told);
    }
    assert_eq!(told, text, "{file} tells another story now; see TOEHOLD_BLESS");
}

/// Does one thing and tells what comes of it.
fn act(world: &mut World, spec: &Spec, deed: &str, told: &mut String) {
    let known = world.events().len();
    let words: Vec<&str> = deed.split_whitespace().collect();
    let answer = match words[..] {
        ["wait", count, "s"] => {
            for _ in 0..number(count) {
                let known = world.events().len();
                world.step(Luck::Plain);
                tell(world, known, told);
            }
            return;
        }
        ["push", "a", nature, "release", "to", track] => {
            let track: Track = track.parse().expect("it is a track");
            world.push_with(track, nature_of(nature), spec.clone()).map(|_| ())
        }
        ["kill", "the", "control", "plane", "for", count, "s"] => {
            world.restart_control(number(count));
            Ok(())
        }
        ["kill", "the", "proxy", "for", count, "s"] => {
            world.kill_proxy(number(count));
            Ok(())
        }
        ["silence", "the", "agent", "for", count, "s"] => {
            world.silence(number(count));
            Ok(())
        }
        ["kill", ordinal] => {
            world.crash(&instance(ordinal));
            Ok(())
        }
        ["load", percent, "%"] => {
            world.load(f64::from(number(percent)));
            Ok(())
        }
        ref words => world.wish(&wish(words)),
    };
    if let Err(refusal) = answer {
        let _ = writeln!(told, "        no: {refusal}");
    }
    tell(world, known, told);
}

fn wish(words: &[&str]) -> Wish {
    match words {
        ["promote"] => Wish::Promote,
        ["abort"] => Wish::Abort,
        ["pause"] => Wish::Pause,
        ["resume"] => Wish::Resume,
        ["retry"] => Wish::Retry,
        ["rollback"] => Wish::Rollback { to: None },
        ["rollback", "to", release] => Wish::Rollback { to: Some(release_of(release)) },
        ["unpin"] => Wish::Unpin,
        ["split", split] => Wish::SetSplit { split: split.parse().expect("it is a split") },
        ["scale", "auto"] => Wish::ScaleAuto,
        ["scale", "freeze"] => Wish::ScaleFreeze,
        ["scale", count] => Wish::ScaleTo { count: number(count) },
        ["clear", "alert", id] => Wish::ClearAlert { alert: number(id).into() },
        _ => panic!("nobody can {words:?}"),
    }
}

fn nature_of(word: &str) -> Nature {
    match word {
        "sound" => Nature::Sound,
        "sick" => Nature::Sick,
        "dying" => Nature::Dies,
        "unstartable" => Nature::Unstartable,
        "burning" => Nature::Burns,
        _ => panic!("no release is {word:?}"),
    }
}

fn number(text: &str) -> u32 {
    text.parse().expect("it is a number")
}

fn release_of(text: &str) -> Number {
    text.parse().expect("a release is written #1")
}

fn instance(text: &str) -> InstanceId {
    let app: AppName = "shop".parse().expect("it is a name");
    let ordinal = text.strip_prefix("web.").expect("an instance is written web.1");
    InstanceId::new(app, number(ordinal).into())
}

fn tell(world: &World, known: usize, told: &mut String) {
    let seconds = world.age().as_secs();
    for event in &world.events()[known..] {
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let _ =
            writeln!(told, "{minutes:>3}:{seconds:02}  {:<18} {}", event.kind.as_str(), event.text);
    }
}

/// Writes what came of it where that is asked for.
#[expect(clippy::disallowed_methods, reason = "a test may write its own golden file")]
fn bless(file: &str, told: &str) {
    if std::env::var("TOEHOLD_BLESS").is_ok() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/scenarios/");
        std::fs::write(format!("{folder}{file}"), told).expect("the file can be written");
    }
}
