//! What came of a run for each machine, by its events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use toehold_core::model::MachineName;

use super::Told;
use super::event::{Event, Result, Stats};

/// What came of a run for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every task was done.
    Configured,
    /// It could not be reached.
    Unreachable(String),
    /// A task failed.
    Failed(String),
    /// No play is about it.
    NotMeant,
    /// The run ended before it was done here: others failed, or time ran out.
    Unfinished(String),
}

impl Ended {
    /// Why the machine is not configured; `None` where it is.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Configured => None,
            Self::Unreachable(why) => Some(format!("Ansible does not reach it: {why}")),
            Self::Failed(why) | Self::Unfinished(why) => Some(why.clone()),
            Self::NotMeant => Some(
                "no play of it is about this machine: `hosts` must name it, a group it is in \
                 (see `toehold inventory --list`), or `all`"
                    .to_owned(),
            ),
        }
    }
}

/// A run, as far as it was heard.
#[derive(Debug, Default)]
pub(super) struct Recap {
    began: bool,
    task: Option<Task>,
    /// A play is given up for all after some failures.
    gives_up: bool,
    given_up: bool,
    failed: BTreeMap<String, Ended>,
    stats: Option<Stats>,
}

/// A task that is being done.
#[derive(Debug)]
struct Task {
    name: String,
    place: String,
    is_fatal: bool,
    /// By what came of it: the machines.
    came_of: BTreeMap<&'static str, BTreeSet<String>>,
    took: f64,
}

impl Recap {
    /// Takes in an event, and says what is worth telling.
    pub(super) fn take(&mut self, event: Event, checkout: &Path) -> Vec<Told> {
        match event {
            Event::PlayStarted { max_fail_percentage } => {
                self.began = true;
                self.gives_up = max_fail_percentage.is_some();
                self.task_done().into_iter().collect()
            }
            Event::NobodyLeft {} => {
                self.given_up = true;
                Vec::new()
            }
            Event::TaskStarted { task, task_path, any_errors_fatal } => {
                let done = self.task_done();
                let place = place(task_path.as_deref(), checkout);
                let began = Told::Began { task: task.clone() };
                self.task = Some(Task {
                    name: task,
                    place,
                    is_fatal: any_errors_fatal || self.gives_up,
                    came_of: BTreeMap::new(),
                    took: 0.0,
                });
                done.into_iter().chain([began]).collect()
            }
            Event::Ok(result) => {
                let word = if result.res.changed { "changed" } else { "ok" };
                self.note(word, &result);
                Vec::new()
            }
            Event::Skipped(result) => {
                self.note("skipped", &result);
                Vec::new()
            }
            Event::Failed(result) if result.ignore_errors == Some(true) => {
                self.note("failed (and that is ignored)", &result);
                Vec::new()
            }
            Event::Failed(result) if result.res.is_cut_off() => {
                self.fails("unreachable", &result, Ended::Unreachable(result.res.why()));
                Vec::new()
            }
            Event::Failed(result) => {
                let at = place(result.task_path.as_deref(), checkout);
                let why = format!("task {:?} ({at}) failed: {}", result.task, result.res.why());
                self.fails("failed", &result, Ended::Failed(why));
                Vec::new()
            }
            Event::Unreachable(result) => {
                self.fails("unreachable", &result, Ended::Unreachable(result.res.why()));
                Vec::new()
            }
            Event::Stats(stats) => {
                self.stats = Some(stats);
                self.task_done().into_iter().collect()
            }
        }
    }

    fn note(&mut self, word: &'static str, result: &Result) {
        if let Some(task) = &mut self.task {
            task.came_of.entry(word).or_default().insert(result.host.clone());
            task.took = task.took.max(result.duration);
        }
    }

    fn fails(&mut self, word: &'static str, result: &Result, ended: Ended) {
        self.note(word, result);
        self.given_up |= self.task.as_ref().is_some_and(|task| task.is_fatal);
        self.failed.insert(result.host.clone(), ended);
    }

    fn task_done(&mut self) -> Option<Told> {
        let task = self.task.take()?;
        let all: Vec<String> = task
            .came_of
            .iter()
            .map(|(word, machines)| {
                let names: Vec<&str> = machines.iter().map(String::as_str).collect();
                format!("{word} on {}", names.join(" "))
            })
            .collect();
        let took = Duration::try_from_secs_f64(task.took).unwrap_or_default();
        let text = format!("{}: {}", task.name, all.join(", "));
        (!all.is_empty()).then_some(Told::Done { text, place: task.place, took })
    }

    /// Whether Ansible came as far as the first play.
    pub(super) const fn has_begun(&self) -> bool {
        self.began
    }

    /// What came of it for a machine. `cut_off` says why the run did not come to its end, where it
    /// did not.
    pub(super) fn ended(&self, machine: &MachineName, cut_off: Option<&str>) -> Ended {
        let name = machine.as_str();
        let has = |all: &BTreeMap<String, u64>| all.get(name).is_some_and(|count| *count > 0);
        let failed = || self.failed.get(name).cloned();
        match (&self.stats, cut_off) {
            (Some(stats), _) if has(&stats.failures) || has(&stats.dark) => {
                failed().unwrap_or_else(|| Ended::Failed("a task failed".to_owned()))
            }
            (Some(stats), None) => {
                let others_failed = !stats.failures.is_empty() || !stats.dark.is_empty();
                match stats.processed.contains_key(name) {
                    _ if others_failed && self.given_up => Ended::Unfinished(
                        "the run was given up because of a failure on another machine".to_owned(),
                    ),
                    true => Ended::Configured,
                    false if others_failed => Ended::Unfinished(
                        "the run ended with a failure before it came to this machine".to_owned(),
                    ),
                    false => Ended::NotMeant,
                }
            }
            (_, Some(why)) => failed().unwrap_or_else(|| Ended::Unfinished(self.last(why))),
            (None, None) => failed()
                .unwrap_or_else(|| Ended::Unfinished(self.last("ansible-playbook ended early"))),
        }
    }

    /// Why it was cut off, and in which task.
    fn last(&self, why: &str) -> String {
        match &self.task {
            None => why.to_owned(),
            Some(task) => format!("{why}, in task {:?} ({})", task.name, task.place),
        }
    }
}

/// Where a task stands, as seen from the repository.
fn place(path: Option<&str>, checkout: &Path) -> String {
    let path = path.unwrap_or_default();
    let within = Path::new(path).strip_prefix(checkout).ok().and_then(Path::to_str);
    within.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests;
