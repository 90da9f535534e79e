//! A job as the text of a `toehold.toml`.

use std::fmt::Write as _;

use super::Note;
use super::job::Job;
use crate::model::Track;

/// The text. It can be read, whatever stood in the job.
pub(super) fn written(job: &Job) -> String {
    let mut text = String::from("# Made from a job of Jenkins by `toehold import jenkins`.\n");
    for line in job.description.lines().take(10) {
        comment(&mut text, "#", line);
    }
    if let Some(url) = &job.url {
        comment(&mut text, "# The code came from", url);
    }
    branches(job, &mut text);
    build(job, &mut text);
    if !job.notes.is_empty() {
        text.push_str("\n# Of the job, by line:\n");
    }
    for note in &job.notes {
        comment(&mut text, "#  ", &note.to_string());
    }
    text
}

impl std::fmt::Display for Note {
    /// `line 12: Mailer: mail is set up …`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.what, self.then)
    }
}

/// One line, whatever it holds: a comment that went on would be no comment.
fn comment(text: &mut String, before: &str, said: &str) {
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "{before} {}", said.trim_end());
}

fn branches(job: &Job, text: &mut String) {
    if job.branches.is_empty() {
        return;
    }
    let track = match job.track() {
        Track::Stable => "stable",
        Track::Canary => "canary",
    };
    text.push_str("\n[branches]\n");
    let mut written: Vec<&String> = Vec::new();
    for branch in &job.branches {
        if !written.contains(&branch) {
            let _ = writeln!(text, "{} = \"{track}\"", quoted(branch));
            written.push(branch);
        }
    }
}

fn build(job: &Job, text: &mut String) {
    text.push_str("\n[build]\n");
    let steps = [("install", &job.install), ("test", &job.test), ("lint", &job.lint)];
    for (key, commands) in steps {
        if let Some(command) = joined(commands) {
            let _ = writeln!(text, "{key} = {}", quoted(&command));
        }
    }
    if let Some(minutes) = job.timeout {
        let _ = writeln!(text, "timeout = \"{minutes}m\"");
    }
    for hint in &job.hints {
        comment(text, "#", hint);
    }
    if !job.reports.is_empty() {
        text.push_str("\n[build.reports]\n");
    }
    for (key, patterns) in &job.reports {
        let pattern = match patterns.as_slice() {
            [one] => one.clone(),
            several => format!("{{{}}}", several.join(",")),
        };
        let _ = writeln!(text, "{key} = {}", quoted(&pattern));
    }
}

/// One command of many: the first that fails ends it, as Jenkins' shell does.
fn joined(commands: &[String]) -> Option<String> {
    match commands {
        [] => None,
        [one] if one.contains('\n') => Some(format!("set -e\n{one}")),
        several if several.iter().any(|it| it.contains('\n')) => {
            Some(format!("set -e\n{}", several.join("\n")))
        }
        several => Some(several.join(" && ")),
    }
}

fn quoted(text: &str) -> String {
    let kept: String =
        text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    toml::Value::String(kept).to_string()
}
