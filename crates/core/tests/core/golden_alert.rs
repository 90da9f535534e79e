//! The threshold alert equals the golden data, to the event and the second.

use std::time::Duration;

use serde_json::Value;
use toehold_core::alert::{Change, Gauge};
use toehold_core::model::{AlertRule, Metric};
use toehold_core::sample::Window;
use toehold_core::time::Timestamp;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/threshold_alert.json")).expect("it is JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("it is a number")
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().expect("it is a whole number of seconds"))
}

fn rule(golden: &Value) -> AlertRule {
    let rule = &golden["rule"];
    AlertRule {
        name: "cpu".into(),
        metric: Metric::Cpu,
        above: number(&rule["above"]),
        below: number(&rule["clear"]),
        window: seconds(&rule["window_s"]),
        quiet: seconds(&rule["mail_cooldown_s"]),
        notify: vec!["mail".into()],
    }
}

/// What a rule says of samples ten seconds apart: the second, and the word.
fn events(rule: &AlertRule, samples: &[Option<f64>]) -> Vec<(u64, &'static str)> {
    let mut gauge = Gauge::new(rule);
    let mut said = Vec::new();
    for (at, sample) in (0_u64..).step_by(10).zip(samples) {
        for change in gauge.sample(rule, *sample, Timestamp::from_ms(at * 1_000)) {
            let word = match change {
                Change::Raise(_) => "raise",
                Change::Clear(_) => "clear",
                Change::Stale => "stale",
                Change::Fresh => "fresh",
            };
            said.push((at, word));
        }
    }
    said
}

#[test]
fn every_case_says_exactly_what_the_golden_data_say() {
    let golden = golden();
    let rule = rule(&golden);
    let cases = golden["cases"].as_array().expect("there are cases");
    assert_eq!(cases.len(), 10);
    for case in cases {
        let list = case["samples"].as_array().expect("there are samples");
        let samples: Vec<Option<f64>> = list.iter().map(Value::as_f64).collect();
        let expected: Vec<(u64, &str)> = case["events"]
            .as_array()
            .expect("there are events")
            .iter()
            .map(|event| {
                let at = event[0].as_u64().expect("it is a second");
                (at, event[1].as_str().expect("it is a word"))
            })
            .collect();
        assert_eq!(events(&rule, &samples), expected, "{}", case["name"]);
    }
}

#[test]
fn the_pace_and_the_patience_follow_from_the_window() {
    let golden = golden();
    let rule = rule(&golden);
    assert_eq!(Window::period(rule.window), seconds(&golden["rule"]["sample_every_s"]));
    assert_eq!(rule.window / 2, seconds(&golden["rule"]["stale_after_s"]));
}

/// The origin compared strings: 9 raised an alert and 100 did not.
#[test]
fn numbers_are_compared_as_numbers() {
    let golden = golden();
    let rule = rule(&golden);
    for row in golden["seed"]["table"].as_array().expect("there is a table") {
        let cpu = number(&row["cpu"]);
        let raised = events(&rule, &[Some(cpu); 6]).iter().any(|(_, word)| *word == "raise");
        let correct = row["correct_alert"].as_bool().expect("it is yes or no");
        assert_eq!(raised, correct, "at {cpu} %");
    }
}
