//! Where a job's code comes from.

use super::Job;
use crate::jenkins::import::tree::Element;
use crate::jenkins::notify::branch;

impl Job {
    pub(super) fn scm(&mut self, it: &Element) {
        match it.short() {
            "GitSCM" => self.git(it),
            "NullSCM" | "scm" => self.note(it, "scm", "the job has no repository of its own"),
            name => {
                let then = format!("{name} is not carried over: Toehold builds from git");
                self.note(it, "scm", &then);
            }
        }
    }

    fn git(&mut self, it: &Element) {
        for remote in it.all("hudson.plugins.git.UserRemoteConfig") {
            let Some(url) = remote.said("url") else { continue };
            if self.url.is_some() {
                let then = format!("a second repository, {url}, is not carried over");
                self.note(remote, "UserRemoteConfig", &then);
                continue;
            }
            self.url = Some(url.to_owned());
            if let Some(id) = remote.child("credentialsId").filter(|it| !it.text.trim().is_empty())
            {
                let then = "credentials do not come along: they are set in server.toml";
                self.note(id, "credentialsId", then);
            }
        }
        for spec in it.all("hudson.plugins.git.BranchSpec") {
            let said = spec.said("name").unwrap_or_default().to_owned();
            if let Some(branch) = branch(&said).filter(|it| !it.as_str().contains('*')) {
                self.branches.push(branch.to_string());
            } else {
                let then = format!("{said:?} names no single branch: name those that are built");
                self.note(spec, "BranchSpec", &then);
            }
        }
        for extension in it.child("extensions").into_iter().flat_map(|it| &it.children) {
            match extension.short() {
                name @ ("CleanBeforeCheckout"
                | "CleanCheckout"
                | "WipeWorkspace"
                | "LocalBranch") => {
                    let name = name.to_owned();
                    self.note(extension, &name, "a checkout is clean by itself");
                }
                name => {
                    let name = name.to_owned();
                    self.note(extension, &name, "not carried over: a checkout is clean and whole");
                }
            }
        }
        for other in &it.children {
            let known =
                ["configVersion", "userRemoteConfigs", "branches", "submoduleCfg", "extensions"];
            let is_default = other.children.is_empty() && matches!(other.text.trim(), "" | "false");
            if !known.contains(&other.name.as_str()) && !is_default {
                let name = other.name.clone();
                self.note(other, &name, "not carried over");
            }
        }
        if it.child("submoduleCfg").is_some_and(|it| !it.children.is_empty()) {
            self.note(it, "submoduleCfg", "submodules are not fetched");
        }
    }
}
