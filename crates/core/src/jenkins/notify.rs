//! What Jenkins' Notification plugin says of a build, and whether something is to be deployed of it.

use serde::{Deserialize, Serialize};

use crate::model::{BranchName, CommitId};

/// What the plugin posts, as much of it as counts. Everything may be missing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Notification {
    /// The job.
    pub name: Option<String>,
    /// Its build.
    pub build: Told,
}

/// What is said of the build.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Its number in Jenkins.
    pub number: Option<u64>,
    /// When it began, in milliseconds since 1970.
    pub timestamp: Option<u64>,
    /// How far it is: `QUEUED`, `STARTED`, `COMPLETED`, `FINALIZED`.
    pub phase: Option<String>,
    /// How it went: `SUCCESS`, `UNSTABLE`, `FAILURE`, `ABORTED`.
    pub status: Option<String>,
    /// What was built.
    pub scm: Scm,
}

/// What was built.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scm {
    branch: Option<String>,
    commit: Option<String>,
}

/// How far a build of Jenkins is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It will say more.
    OnItsWay,
    /// Its result is known; steps after the build may still run.
    Completed,
    /// All of it is done.
    Finalized,
}

/// What a notification asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Of a build that went well: deploy.
    Deploy {
        /// The commit it built.
        commit: CommitId,
        /// The branch it built.
        branch: Option<BranchName>,
        /// Which build it was.
        ended: Ended,
    },
    /// Nothing, since the build goes on.
    Wait(String),
    /// Nothing, since the build did not go well, or nobody can tell.
    Nothing(String),
    /// It went well, and nobody can tell of which commit: any other would not be what it passed.
    Unclear(String),
}

/// A build of Jenkins that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The job.
    pub job: String,
    /// Its number.
    pub number: u64,
    /// When it began, in milliseconds since 1970; 0 where nobody says.
    pub began_ms: u64,
}

impl Notification {
    /// What is asked for.
    #[must_use]
    pub fn asks(&self) -> Asks {
        let job: String = self.name.as_deref().unwrap_or_default().chars().take(200).collect();
        let number = self.build.number.unwrap_or_default();
        let what = format!("{job} #{number} of Jenkins");
        let said = self.build.phase.as_deref().unwrap_or_default();
        match phase(said) {
            Some(Phase::Completed | Phase::Finalized) => {}
            Some(Phase::OnItsWay) => {
                return Asks::Wait(format!("{what} is {}", said.to_lowercase()));
            }
            None => {
                let said: String = said.chars().take(40).collect();
                return Asks::Nothing(format!("{what} is in a phase nobody knows: {said:?}"));
            }
        }
        match self.build.status.as_deref() {
            Some("SUCCESS") => {}
            Some(status) => {
                let status: String = status.chars().take(40).collect();
                return Asks::Nothing(format!(
                    "{what} ended with {status}: only SUCCESS is deployed"
                ));
            }
            None => return Asks::Nothing(format!("{what} does not say how it ended")),
        }
        let said = self.build.scm.commit.as_deref().map(str::trim).unwrap_or_default();
        if said.is_empty() {
            return Asks::Unclear(format!(
                "{what} does not say which commit it built: let the job take its sources from git"
            ));
        }
        let Ok(commit) = said.parse() else {
            let said: String = said.chars().take(80).collect();
            return Asks::Unclear(format!(
                "{what} says it built {said:?}, which is no whole id of a commit"
            ));
        };
        Asks::Deploy {
            commit,
            branch: self.build.scm.branch.as_deref().and_then(branch),
            ended: Ended { job, number, began_ms: self.build.timestamp.unwrap_or_default() },
        }
    }
}

impl Ended {
    /// Why nothing is to be done where `last` is what was deployed of this job before.
    #[must_use]
    pub fn is_stale(&self, last: &Self) -> Option<String> {
        let is_said = (self.number, self.began_ms) != (0, 0);
        if is_said && (self.number, self.began_ms) == (last.number, last.began_ms) {
            return Some(format!("{} #{} of Jenkins was deployed before", self.job, self.number));
        }
        (self.began_ms != 0 && self.began_ms < last.began_ms).then(|| {
            format!(
                "{} #{} of Jenkins began before #{}, which was deployed",
                self.job, self.number, last.number
            )
        })
    }
}

fn phase(said: &str) -> Option<Phase> {
    match said {
        "QUEUED" | "STARTED" | "NONE" => Some(Phase::OnItsWay),
        "COMPLETED" => Some(Phase::Completed),
        "FINALIZED" => Some(Phase::Finalized),
        _ => None,
    }
}

/// `main` of `origin/main`, `refs/heads/main` or `*/main`.
pub(super) fn branch(said: &str) -> Option<BranchName> {
    let prefixes = ["refs/heads/", "refs/remotes/", "remotes/", "origin/", "*/"];
    let mut name = said.trim();
    for prefix in prefixes {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(build: &str) -> Asks {
        let text = format!(r#"{{"name": "shop", "build": {{"number": 7, {build}}}, "more": 1}}"#);
        serde_json::from_str::<Notification>(&text).expect("it is JSON").asks()
    }

    #[test]
    fn a_build_that_went_well_is_deployed() {
        let commit = "5".repeat(40);
        for phase in ["COMPLETED", "FINALIZED"] {
            let said = format!(
                r#""phase": "{phase}", "status": "SUCCESS", "timestamp": 9,
                "scm": {{"branch": "origin/M3", "commit": "{commit}"}}"#
            );
            let ended = Ended { job: "shop".into(), number: 7, began_ms: 9 };
            let (commit, branch) = (commit.parse().expect("a commit"), "M3".parse().ok());
            assert_eq!(asks(&said), Asks::Deploy { commit, branch, ended });
        }
    }

    #[test]
    fn nothing_else_is() {
        let wait = |text: &str| Asks::Wait(text.into());
        let nothing = |text: &str| Asks::Nothing(text.into());
        for (said, what) in [
            (r#""phase": "STARTED""#, wait("shop #7 of Jenkins is started")),
            (r#""phase": "QUEUED", "status": "SUCCESS""#, wait("shop #7 of Jenkins is queued")),
            (
                r#""phase": "FINALIZED", "status": "UNSTABLE""#,
                nothing("shop #7 of Jenkins ended with UNSTABLE: only SUCCESS is deployed"),
            ),
            (
                r#""phase": "COMPLETED", "status": null"#,
                nothing("shop #7 of Jenkins does not say how it ended"),
            ),
            (
                r#""phase": "success""#,
                nothing("shop #7 of Jenkins is in a phase nobody knows: \"success\""),
            ),
        ] {
            assert_eq!(asks(said), what);
        }
    }

    #[test]
    fn what_names_no_commit_is_refused_and_never_something_else_deployed() {
        for (scm, what) in [
            ("{}", "does not say which commit"),
            (r#"{"branch": "origin/main"}"#, "does not say which commit"),
            (r#"{"commit": null}"#, "does not say which commit"),
            (r#"{"commit": " "}"#, "does not say which commit"),
            (r#"{"commit": "5f3a2b1"}"#, "no whole id of a commit"),
            (r#"{"commit": "1234"}"#, "no whole id of a commit"),
            (r#"{"commit": "--upload-pack=x"}"#, "no whole id of a commit"),
        ] {
            let said = format!(r#""phase": "FINALIZED", "status": "SUCCESS", "scm": {scm}"#);
            let Asks::Unclear(why) = asks(&said) else { panic!("{scm} asks for something") };
            assert!(why.starts_with("shop #7 of Jenkins") && why.contains(what), "{scm}: {why}");
        }
    }

    #[test]
    fn a_build_is_deployed_once_and_none_goes_back_behind_a_later_one() {
        let build = |number, began_ms| Ended { job: "shop".into(), number, began_ms };
        let stale = |this: Ended, last: Ended| this.is_stale(&last).is_some();
        assert!(stale(build(7, 9), build(7, 9)), "COMPLETED came before FINALIZED");
        assert!(stale(build(6, 5), build(7, 9)), "it took longer than the one after it");
        assert!(!stale(build(8, 12), build(7, 9)));
        assert!(!stale(build(1, 20), build(7, 9)), "the job was made anew");
        assert!(!stale(build(8, 0), build(7, 9)), "nobody says when it began");
    }

    #[test]
    fn a_branch_is_named_in_many_ways() {
        for said in ["main", "origin/main", "refs/heads/main", "refs/remotes/origin/main", "*/main"]
        {
            assert_eq!(branch(said).map(|it| it.to_string()), Some("main".into()), "{said}");
        }
        assert_eq!(branch("**"), None);
        assert_eq!(branch("origin/feature/a").map(|it| it.to_string()), Some("feature/a".into()));
    }
}
