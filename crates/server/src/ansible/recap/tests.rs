use super::*;
use crate::ansible::event::read;

/// What ansible-runner said of a real run over three machines, without the machines' facts.
const RUNNER: &str = include_str!("../../../tests/ansible/runner-events.jsonl");

/// Takes in events as lines of JSON; gives the run so far, and what was told.
fn heard(lines: &str, checkout: &str) -> (Recap, Vec<Told>) {
    let mut recap = Recap::default();
    let events = lines.lines().filter_map(read);
    let told = events.flat_map(|event| recap.take(event, Path::new(checkout))).collect();
    (recap, told)
}

/// A run in words, a line an event: `play`, `task NAME`, `task! NAME` (a failure ends it for all),
/// `ok web1`, `failed web1`, `ignored web1`, `dark web1`, `end web1 web2 - web2` (processed, then
/// who failed), `nobody left`.
fn run(story: &[&str]) -> Recap {
    let mut lines = String::new();
    for line in story {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let result = |event: &str, more: &str| {
            format!(
                r#"{{"event": "{event}", "event_data": {{"host": "{rest}", "task": "T",
                "task_path": "/c/ops/site.yml:4", "res": {{"msg": "no"}}{more}}}}}"#
            )
            .replace('\n', " ")
        };
        let event = match word {
            "play" => r#"{"event": "playbook_on_play_start", "event_data": {}}"#.to_owned(),
            "task" | "task!" => format!(
                r#"{{"event": "playbook_on_task_start", "event_data": {{"task": "{rest}", "any_errors_fatal": {}}}}}"#,
                word.ends_with('!')
            ),
            "ok" => result("runner_on_ok", ""),
            "failed" => result("runner_on_failed", ""),
            "ignored" => result("runner_on_failed", r#", "ignore_errors": true"#),
            "dark" => result("runner_on_unreachable", ""),
            "nobody" => r#"{"event": "playbook_on_no_hosts_remaining", "event_data": {}}"#.into(),
            "end" => {
                let (processed, failed) = rest.split_once('-').unwrap_or((rest, ""));
                let counts = |names: &str| {
                    let counts: BTreeMap<&str, u64> =
                        names.split_whitespace().map(|name| (name, 1)).collect();
                    serde_json::to_string(&counts).expect("it is JSON")
                };
                format!(
                    r#"{{"event": "playbook_on_stats", "event_data": {{"processed": {}, "failures": {}}}}}"#,
                    counts(processed),
                    counts(failed)
                )
            }
            other => panic!("{other} is no event"),
        };
        lines.push_str(&event);
        lines.push('\n');
    }
    heard(&lines, "/c").0
}

fn name(text: &str) -> MachineName {
    text.parse().expect("a machine's name")
}

/// Why it is not configured; empty where it is.
fn why(story: &[&str], machine: &str, cut_off: Option<&str>) -> String {
    run(story).ended(&name(machine), cut_off).why().unwrap_or_default()
}

#[test]
fn a_run_that_ansible_runner_told_of_is_understood() {
    let (recap, told) = heard(RUNNER, "/srv/app/arunner/project");
    for machine in ["cdh1", "cdh2", "cdh3"] {
        assert_eq!(recap.ended(&name(machine), None), Ended::Configured);
    }
    assert_eq!(recap.ended(&name("cdh4"), None), Ended::NotMeant);
    let done: Vec<String> = told
        .iter()
        .filter_map(|told| match told {
            Told::Done { text, place, .. } => Some(format!("{place} {text}")),
            Told::Began { .. } => None,
        })
        .collect();
    assert_eq!(done.len(), 5);
    assert_eq!(done[1], "play.yml:4 app directory: ok on cdh1 cdh2 cdh3");
    assert_eq!(told[0], Told::Began { task: "Gathering Facts".into() });
}

#[test]
fn one_that_failed_holds_up_no_other() {
    let story = ["play", "task A", "ok a", "failed b", "task B", "ok a", "end a b - b"];
    assert_eq!(why(&story, "a", None), "");
    assert_eq!(why(&story, "b", None), "task \"T\" (ops/site.yml:4) failed: no");
}

#[test]
fn one_that_cannot_be_reached_is_told_from_one_that_failed() {
    let story = ["play", "task A", "ok a", "dark b", "end a - b"];
    assert_eq!(why(&story, "b", None), "Ansible does not reach it: no");
}

#[test]
fn one_that_goes_away_in_the_middle_of_a_task_is_not_said_to_have_failed_it() {
    let line = r#"{"event": "runner_on_failed", "event_data": {"host": "a", "task": "T", "res":
        {"msg": "Failed to connect to the host via ssh: timed out"}}}"#;
    let (recap, _) = heard(&line.replace('\n', " "), "/c");
    let ended = recap.ended(&name("a"), None);
    assert!(matches!(ended, Ended::Unreachable(_)), "{ended:?}");
}

#[test]
fn what_is_ignored_or_rescued_is_no_failure() {
    assert_eq!(why(&["play", "task A", "ignored a", "end a"], "a", None), "");
    assert_eq!(why(&["play", "task A", "failed a", "task R", "ok a", "end a"], "a", None), "");
}

#[test]
fn a_run_that_was_given_up_for_all_configured_nobody() {
    let fatal = ["play", "task! A", "ok a", "failed b", "end a b - b"];
    assert!(why(&fatal, "a", None).contains("given up because of a failure on another"));
    let left = ["play", "task A", "failed b", "nobody left", "end b - b"];
    assert!(why(&left, "a", None).contains("given up because"), "it never came to a");
    let serial = ["play", "task A", "failed b", "end b - b"];
    assert!(why(&serial, "a", None).contains("before it came to this machine"));
}

#[test]
fn a_playbook_about_others_did_nothing_here() {
    assert!(why(&["play", "end b"], "a", None).contains("no play of it is about this machine"));
}

#[test]
fn one_that_was_cut_off_says_where() {
    let story = ["play", "task A", "ok a", "task Wait for ever"];
    assert_eq!(
        why(&story, "a", Some("the playbook did not end within 9 s")),
        "the playbook did not end within 9 s, in task \"Wait for ever\" ()"
    );
    let story = ["play", "task A", "failed a", "ok b"];
    assert!(why(&story, "a", Some("late")).starts_with("task \"T\""), "it had failed before");
    assert!(why(&story, "b", None).starts_with("ansible-playbook ended early, in task"));
}
