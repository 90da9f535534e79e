//! What a job runs.

use super::Job;
use crate::jenkins::import::script::{
    self, Purpose, can_be_parted, is_let_pass, lines, purpose, that_counts,
};
use crate::jenkins::import::tree::Element;

impl Job {
    pub(super) fn step(&mut self, it: &Element) {
        match it.short() {
            "Shell" => {
                let command = it.child("command").unwrap_or(it);
                self.shell(command);
                if let Some(code) = it.said("unstableReturn") {
                    let then = format!("the code {code} does not mean unstable: only 0 passes");
                    self.note(it, "Shell", &then);
                }
            }
            "BatchFile" | "PowerShell" => {
                let name = it.short().to_owned();
                self.note(it, &name, "steps are run by `sh`: write it anew");
            }
            "Maven" => self.maven(it),
            "Gradle" => {
                let tasks = it.said("tasks").unwrap_or("build").to_owned();
                let program = if it.is("useWrapper") { "./gradlew" } else { "gradle" };
                self.test.push(format!("{program} {tasks}"));
            }
            "Ant" => {
                let targets = it.said("targets").unwrap_or_default().to_owned();
                self.test.push(format!("ant {targets}").trim().to_owned());
            }
            name => {
                let name = name.to_owned();
                self.note(
                    it,
                    &name,
                    "not carried over: write what it does as a command of [build]",
                );
            }
        }
    }

    /// The goals of a Maven job or step.
    pub(super) fn maven(&mut self, it: &Element) {
        let goals = it.said("goals").or_else(|| it.said("targets")).unwrap_or("verify");
        let pom = it.said("rootPOM").or_else(|| it.said("pom"));
        let pom = pom.filter(|pom| *pom != "pom.xml").map(|pom| format!(" -f {pom}"));
        self.test.push(format!("mvn -B{} {goals}", pom.unwrap_or_default()));
    }

    fn shell(&mut self, it: &Element) {
        let lines = lines(&it.text);
        for line in lines.iter().filter_map(|line| script::call(line)) {
            self.calls.push(line);
        }
        let lines: Vec<String> =
            lines.into_iter().filter(|it| script::call(it).is_none()).collect();
        for line in lines.iter().filter(|line| is_let_pass(line)) {
            let then = format!(
                "the end of `{}` did not count; here it does, as it would have to for a gate",
                shortened(line)
            );
            self.note(it, "Shell", &then);
        }
        if lines.is_empty() {
            return;
        }
        if !can_be_parted(&lines) {
            let kinds: Vec<Purpose> = lines.iter().map(|line| purpose(line)).collect();
            let only = |kind| kinds.iter().all(|it| *it == kind || *it == Purpose::Unknown);
            let is_lint = only(Purpose::Lint) && kinds.contains(&Purpose::Lint);
            let is_install = only(Purpose::Install) && kinds.contains(&Purpose::Install);
            let (steps, name) = if is_lint {
                (&mut self.lint, "lint")
            } else if is_install {
                (&mut self.install, "install")
            } else {
                (&mut self.test, "test")
            };
            steps.push(it.text.replace('\r', "").trim().to_owned());
            let then =
                format!("a script whose lines belong together became [build] {name} as it is");
            self.note(it, "Shell", &then);
            return;
        }
        for line in lines {
            let command = that_counts(&line).to_owned();
            match purpose(&line) {
                Purpose::Install => self.install.push(command),
                Purpose::Lint => self.lint.push(command),
                Purpose::Test => self.test.push(command),
                Purpose::Unknown => {
                    let then = format!(
                        "nobody can tell what `{}` is for: it is run with the tests",
                        shortened(&command)
                    );
                    self.note(it, "Shell", &then);
                    self.test.push(command);
                }
            }
        }
    }

    /// A Jenkinsfile is a program: what it runs is shown, not carried over.
    pub(super) fn pipeline(&mut self, it: &Element) {
        if let Some(scm) = it.child("scm") {
            self.scm(scm);
        }
        let Some(script) = it.child("script") else {
            let path = it.said("scriptPath").unwrap_or("Jenkinsfile").to_owned();
            let then = format!(
                "what {path} in the repository does is not carried over: write it into [build]"
            );
            self.note(it, "definition", &then);
            return;
        };
        for (at, line) in script.text.lines().enumerate() {
            let line = line.trim();
            let is_hint = ["stage(", "sh ", "sh(", "bat ", "junit", "recordIssues", "checkstyle"];
            if is_hint.iter().any(|word| line.starts_with(word)) {
                self.hints.push(format!("line {}: {line}", script.line + at));
            }
        }
        let then = "a Jenkinsfile is a program and is not carried over: its stages and commands \
                    stand as comments, to be put into [build]";
        self.note(script, "script", then);
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
