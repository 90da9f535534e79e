//! What a job did with what came of a build.

use super::Job;
use crate::jenkins::import::script;
use crate::jenkins::import::tree::Element;

impl Job {
    pub(super) fn publisher(&mut self, it: &Element) {
        match it.short() {
            "CheckStylePublisher" => self.report(it, "checkstyle", "pattern"),
            "JUnitResultArchiver" => self.report(it, "junit", "testResults"),
            "TapPublisher" => self.report(it, "tap", "testResults"),
            "IssuesRecorder" => self.issues(it),
            "PostbuildTask" => self.tasks(it),
            "Mailer" => {
                let to = it.said("recipients").unwrap_or_default().to_owned();
                let then =
                    format!("mail is set up once for all apps, in [mail] of server.toml: {to}");
                self.note(it, "Mailer", &then);
            }
            "ExtendedEmailPublisher" => {
                let to = it.said("recipientList").unwrap_or_default().to_owned();
                let then =
                    format!("mail is set up once for all apps, in [mail] of server.toml: {to}");
                self.note(it, "ExtendedEmailPublisher", &then);
            }
            "ArtifactArchiver" => {
                let files = it.said("artifacts").unwrap_or_default().to_owned();
                let then = format!(
                    "the whole checkout is the artifact ({files}): what must not be in it goes into \
                     [build] exclude"
                );
                self.note(it, "ArtifactArchiver", &then);
            }
            "BuildTrigger" => {
                let next = it.said("childProjects").unwrap_or_default().to_owned();
                self.note(it, "BuildTrigger", &format!("no other job is begun after it: {next}"));
            }
            name => {
                let name = name.to_owned();
                self.note(it, &name, "not carried over");
            }
        }
    }

    fn report(&mut self, it: &Element, key: &'static str, member: &str) {
        let Some(patterns) = it.said(member) else {
            let then = format!("it names no files: put them into [build.reports] {key}");
            let name = it.short().to_owned();
            self.note(it, &name, &then);
            return;
        };
        let patterns = patterns.split([',', ' ']).map(str::trim).filter(|it| !it.is_empty());
        self.reports.entry(key).or_default().extend(patterns.map(str::to_owned));
        let thresholds = ["healthy", "unHealthy", "failedTotalAll", "unstableTotalAll"];
        if thresholds.iter().any(|name| it.all(name).iter().any(|it| !it.text.trim().is_empty())) {
            let name = it.short().to_owned();
            let then = "thresholds are not carried over: a style check passes or fails by its exit \
                        code; [build] lint_ratchet lets old findings pass";
            self.note(it, &name, then);
        }
    }

    /// The plugin that came after the one for checkstyle.
    fn issues(&mut self, it: &Element) {
        let tools = it.child("analysisTools").map(|it| it.children.as_slice()).unwrap_or_default();
        for tool in tools {
            match (tool.short(), tool.said("pattern")) {
                ("CheckStyle" | "EsLint" | "JsHint", Some(_)) => {
                    self.report(tool, "checkstyle", "pattern");
                }
                ("Sarif", Some(_)) => self.report(tool, "sarif", "pattern"),
                (name, _) => {
                    let then =
                        format!("{name} is not read: let the tool write checkstyle or SARIF");
                    self.note(tool, "IssuesRecorder", &then);
                }
            }
        }
    }

    fn tasks(&mut self, it: &Element) {
        for task in it.all("script") {
            let mut known = false;
            for line in script::lines(&task.text) {
                if let Some(call) = script::call(&line) {
                    self.calls.push(call);
                    known = true;
                } else {
                    let line: String = line.chars().take(80).collect();
                    let then =
                        format!("`{line}` is not carried over: nothing is run after a build");
                    self.note(task, "PostbuildTask", &then);
                }
            }
            if known {
                let then = "the call of /deploy or /canary is carried over: what passes is deployed by \
                            [branches]";
                self.note(task, "PostbuildTask", then);
            }
        }
    }
}
