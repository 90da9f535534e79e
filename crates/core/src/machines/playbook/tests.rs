use super::*;
use crate::machines::{Limits, decide};
use crate::model::Number;
use crate::scene::Scene;

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

fn app(name: &str) -> AppName {
    name.parse().expect("it is an app's name")
}

fn commit(digit: &str) -> CommitId {
    digit.repeat(40).parse().expect("it is a commit")
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms() - seconds * 1_000)
}

/// A machine whose agent is heard, in words: `a ready`, `a bringing`; `a ready failed=2@40s`, that
/// many tries, the last so long ago; `a ready done`.
fn machine(provider: Provider, line: &str) -> Machine {
    let mut words = line.split(' ');
    let name = words.next().and_then(|name| name.parse().ok()).expect("a name");
    let phase = match words.next().expect("a phase") {
        "ready" => MachinePhase::Ready,
        "bringing" => MachinePhase::Bringing,
        other => panic!("{other} is no phase"),
    };
    let mut configured = BTreeMap::new();
    for word in words {
        let (failed, tries, at) = match word.strip_prefix("failed=") {
            None => (None, 1, NOW),
            Some(how) => {
                let (tries, seconds) = how.split_once('@').expect("tries and a time");
                let seconds = seconds.trim_end_matches('s').parse().expect("seconds");
                (Some("task X".to_owned()), tries.parse().expect("tries"), ago(seconds))
            }
        };
        configured.insert(
            app("shop"),
            Configured { at, failed, tries, log: None, commit: Some(commit("a")) },
        );
    }
    Machine {
        name,
        provider,
        app: provider.is_elastic().then(|| app("shop")),
        goal: MachineGoal::Run,
        phase,
        since: ago(1_000),
        address: None,
        access: None,
        provider_id: None,
        size: None,
        configured,
        trouble: None,
        created_at: ago(1_000),
    }
}

fn site() -> PlaybookSpec {
    PlaybookSpec { path: "ops/site.yml".into(), timeout: Duration::from_mins(15) }
}

fn configures(provider: Provider, digit: &str) -> Configures {
    Configures { app: app("shop"), provider, commit: commit(digit), playbook: site() }
}

/// What `use_it` makes of these machines, and of the app `shop` that has a playbook.
fn with_yard<T>(provider: Provider, lines: &[&str], use_it: impl FnOnce(Yard<'_>) -> T) -> T {
    let machines: BTreeMap<MachineName, Machine> = lines
        .iter()
        .map(|line| machine(provider, line))
        .map(|machine| (machine.name.clone(), machine))
        .collect();
    let heard = Sight { silent: Some(Duration::ZERO), ..Sight::default() };
    let sights = machines.keys().map(|name| (name.clone(), heard)).collect();
    use_it(Yard {
        machines: &machines,
        sights: &sights,
        given: &BTreeMap::new(),
        refused: &BTreeMap::new(),
        needs: &[],
        playbooks: &[configures(provider, "a")],
        limits: &Limits::default(),
        fresh: &[],
        now: NOW,
    })
}

fn due(provider: Provider, lines: &[&str]) -> String {
    let due = with_yard(provider, lines, to_configure);
    let names = due.values().flatten().map(MachineName::as_str);
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_machine_that_is_new_to_the_app_is_configured_in_one_run() {
    assert_eq!(due(Provider::Ssh, &["a ready", "b bringing", "c ready done", "d ready"]), "a d");
    assert_eq!(due(Provider::DigitalOcean, &["a ready"]), "a");
}

#[test]
fn what_failed_is_tried_again_later_each_time_and_not_for_ever() {
    for (how, is_due) in [
        ("failed=1@29s", false),
        ("failed=1@30s", true),
        ("failed=2@89s", false),
        ("failed=2@90s", true),
        ("failed=3@9999s", false),
    ] {
        let line = format!("a ready {how}");
        assert_eq!(due(Provider::Ssh, &[&line]), if is_due { "a" } else { "" }, "{how}");
    }
}

#[test]
fn a_machine_that_was_made_and_cannot_be_configured_is_given_up() {
    let phases = |provider, line: &str| {
        let verdict = with_yard(provider, &[line], decide);
        let steps = verdict.steps.into_iter().map(|step| step.machine.phase.as_str().to_owned());
        steps.collect::<Vec<_>>()
    };
    assert_eq!(phases(Provider::DigitalOcean, "a ready failed=3@1s"), ["failed"]);
    assert!(phases(Provider::DigitalOcean, "a ready failed=2@1s").is_empty());
    assert!(phases(Provider::Ssh, "a ready failed=3@1s").is_empty(), "it belongs to somebody");
}

#[test]
fn a_person_can_ask_for_another_run() {
    let stuck = machine(Provider::Ssh, "a ready failed=3@1s");
    let step = configure_again(&stuck, Some(&app("shop")), "anna", NOW);
    assert_eq!(step.event.text, "anna lets the playbook of shop run on a again");
    assert!(step.machine.configured.is_empty());
    let other = configure_again(&stuck, Some(&app("blog")), "anna", NOW);
    assert_eq!(other.machine.configured.len(), 1);
    assert!(configure_again(&stuck, None, "anna", NOW).machine.configured.is_empty());
}

#[test]
fn what_came_of_a_run_is_counted_and_said() {
    let played = |failed: Option<&str>| Played {
        failed: failed.map(str::to_owned),
        log: Some("17".to_owned()),
        commit: commit("a"),
        is_asked_again: false,
    };
    let once = machine(Provider::Ssh, "a ready failed=2@1s");
    let step = playbook_outcome(&once, &app("shop"), played(Some("task X")), NOW);
    assert!(step.event.text.contains("3 times"), "{}", step.event.text);
    let step = playbook_outcome(&once, &app("shop"), played(None), NOW);
    assert_eq!(step.event.text, "the playbook of shop ran on a");
    assert_eq!(step.machine.configured[&app("shop")].failed, None);
}

#[test]
fn who_asks_while_it_runs_gets_another_run_and_one_only() {
    let lines = ["a ready done"];
    assert_eq!(due(Provider::Ssh, &lines), "");
    let asked = machine(Provider::Ssh, "a ready failed=3@1s");
    for failed in [None, Some("task X".to_owned())] {
        let ends = |machine: &Machine, is_asked_again| {
            let (failed, log, commit) = (failed.clone(), Some("17".to_owned()), commit("a"));
            let played = Played { failed, log, commit, is_asked_again };
            playbook_outcome(machine, &app("shop"), played, NOW)
        };
        let step = ends(&asked, true);
        assert!(step.event.text.ends_with("and is run once more"), "{}", step.event.text);
        let wish = configures(Provider::Ssh, "a");
        assert!(is_due(&step.machine, &wish, NOW));
        assert!(!is_due(&ends(&step.machine, false).machine, &wish, NOW));
    }
}

#[test]
fn another_commit_is_tried_at_once_and_counted_anew() {
    let stuck = machine(Provider::Ssh, "a ready failed=3@1s");
    let wish = |digit| configures(Provider::Ssh, digit);
    assert!(!is_due(&stuck, &wish("a"), NOW));
    assert!(is_due(&stuck, &wish("b"), NOW));
    let played = Played {
        failed: Some("again".into()),
        log: None,
        commit: commit("b"),
        is_asked_again: false,
    };
    let step = playbook_outcome(&stuck, &app("shop"), played, NOW);
    assert_eq!(step.machine.configured[&app("shop")].tries, 1);
    let done = machine(Provider::Ssh, "a ready done");
    assert!(!is_due(&done, &wish("b"), NOW), "what went through is not run again by itself");
}

#[test]
fn the_newest_release_that_runs_or_is_to_run_says_the_playbook() {
    let mut scene =
        Scene::new("stable=v1*1 canary=v2*1@2:1/serving", "#1 stable v1 up; #2 canary v2 starting");
    let of = |scene: &Scene| Configures::of(&scene.app, &scene.releases);
    assert_eq!(of(&scene), None, "nobody has a playbook");
    scene.spec(1).machines.playbook = Some(site());
    assert_eq!(of(&scene), None, "the newer one has none");
    scene.spec(2).machines.playbook = Some(site());
    let found = of(&scene).expect("the newest has one");
    assert_eq!((found.app, found.commit), (app("shop"), scene.releases[&Number(2)].commit.clone()));
    for instance in &mut scene.app.instances {
        instance.goal = Goal::Stop;
    }
    assert_eq!(of(&scene), None, "nothing is to run");
}
