//! The events of a run: a line of JSON each, as our plugin and ansible-runner write them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An event we know; the others are passed over.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "event", content = "event_data")]
pub(super) enum Event {
    /// A play begins.
    #[serde(rename = "playbook_on_play_start")]
    PlayStarted {
        /// The share of failures after which it is given up for all.
        #[serde(default)]
        max_fail_percentage: Option<f64>,
    },
    /// A play has no machines left.
    #[serde(rename = "playbook_on_no_hosts_remaining")]
    NobodyLeft {},
    /// A task begins.
    #[serde(rename = "playbook_on_task_start")]
    TaskStarted {
        task: String,
        /// `/checkout/ops/site.yml:12`.
        #[serde(default)]
        task_path: Option<String>,
        /// Whether a failure of it ends the run for all.
        #[serde(default)]
        any_errors_fatal: bool,
    },
    /// A task is done on a machine.
    #[serde(rename = "runner_on_ok")]
    Ok(Result),
    /// A task was not for a machine.
    #[serde(rename = "runner_on_skipped")]
    Skipped(Result),
    /// A task failed on a machine.
    #[serde(rename = "runner_on_failed")]
    Failed(Result),
    /// A machine cannot be reached.
    #[serde(rename = "runner_on_unreachable")]
    Unreachable(Result),
    /// The end, with what came of it for each machine.
    #[serde(rename = "playbook_on_stats")]
    Stats(Stats),
}

/// What came of a task on a machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Result {
    pub(super) host: String,
    pub(super) task: String,
    #[serde(default)]
    pub(super) task_path: Option<String>,
    /// In seconds.
    #[serde(default)]
    pub(super) duration: f64,
    /// Whether the playbook goes on all the same.
    #[serde(default)]
    pub(super) ignore_errors: Option<bool>,
    #[serde(default)]
    pub(super) res: Answer,
}

/// What a module answered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) changed: bool,
    pub(super) msg: Option<serde_json::Value>,
    pub(super) stderr: Option<String>,
    pub(super) module_stderr: Option<String>,
    pub(super) rc: Option<i64>,
}

/// How often what happened, by machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) processed: BTreeMap<String, u64>,
    pub(super) failures: BTreeMap<String, u64>,
    /// Machines that could not be reached.
    pub(super) dark: BTreeMap<String, u64>,
}

/// Reads a line; `None` for what is not known, or not whole.
pub(super) fn read(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok()
}

/// How Ansible says that a machine went away in the middle of a task, which counts as failed there.
const CUT_OFF: [&str; 2] =
    ["Failed to connect to the host via ssh", "Data could not be sent to remote host"];

impl Answer {
    /// Whether it is the machine that went away, and not the task that failed.
    pub(super) fn is_cut_off(&self) -> bool {
        let msg = self.msg.as_ref().and_then(serde_json::Value::as_str);
        msg.is_some_and(|msg| CUT_OFF.iter().any(|words| msg.starts_with(words)))
    }

    /// Why it failed, in one line.
    pub(super) fn why(&self) -> String {
        let msg = match &self.msg {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let errors = [&self.stderr, &self.module_stderr];
        let error = errors.into_iter().flatten().find_map(|text| last_line(text));
        let said: Vec<String> =
            msg.as_deref().and_then(first_line).into_iter().chain(error).map(short).collect();
        match (said.is_empty(), self.rc) {
            (true, Some(rc)) => format!("exit code {rc}"),
            (true, None) => "it did not say why".to_owned(),
            (false, Some(rc)) if rc != 0 => format!("{} (exit code {rc})", said.join(": ")),
            (false, _) => said.join(": "),
        }
    }
}

fn first_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn last_line(text: &str) -> Option<String> {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn short(text: String) -> String {
    match text.char_indices().nth(200) {
        None => text,
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_the_module_and_the_command_said() {
        let why = |text: &str| serde_json::from_str::<Answer>(text).expect("an answer").why();
        assert_eq!(
            why(r#"{"msg": "non-zero return code", "rc": 1}"#),
            "non-zero return code (exit code 1)"
        );
        assert_eq!(
            why(r#"{"msg": "non-zero return code", "rc": 2, "stderr": "a\nno such file\n"}"#),
            "non-zero return code: no such file (exit code 2)"
        );
        assert_eq!(why(r#"{"msg": ["a", 1]}"#), r#"["a",1]"#);
        assert_eq!(why("{}"), "it did not say why");
    }

    #[test]
    fn what_is_unknown_or_torn_is_passed_over() {
        assert_eq!(read(r#"{"event": "verbose", "event_data": {}}"#), None);
        assert_eq!(read(r#"{"event": "runner_on_ok", "event_da"#), None);
        assert_eq!(read(""), None);
    }
}
