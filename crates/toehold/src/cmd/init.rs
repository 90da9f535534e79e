//! `toehold init`: an app of this repository, and the git remote `toehold`.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use toehold_core::model::AppName;
use toehold_core::wire::api::Done;

use crate::args::Init;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;
use crate::which::{self, REMOTE, git};

/// Makes the app and the remote; run again it changes nothing.
pub fn run(context: &Context, init: &Init) -> Outcome {
    let here = Path::new(".");
    let top = git(here, &["rev-parse", "--show-toplevel"]).ok_or_else(|| {
        Failure::user("there is no git repository here")
            .hint("git init && git add -A && git commit")
    })?;
    let name = name(init, context.named(), &top)?;
    let layout = context.layout()?;
    let client = context.client()?;
    if !client.is_here() {
        return Err(Failure::user("`toehold init` works on the machine Toehold runs on")
            .hint("run it there, or let a forge tell Toehold of pushes: docs/github.md"));
    }
    let done: Done = context.block_on(client.post("/api/v1/apps", &json!({ "name": name })))?;
    let url = layout.repository(&name).display().to_string();
    set_remote(&url)?;
    if context.json() {
        return show::json(&json!({ "app": name, "remote": url, "done": done }));
    }
    show::line(&done.text)?;
    show::line(&format!("remote {REMOTE} → {url}"))?;
    let branch = git(here, &["symbolic-ref", "--short", "HEAD"]).unwrap_or_else(|| "main".into());
    show::line(&format!("next: git push {REMOTE} {branch}"))
}

fn name(init: &Init, named: Option<AppName>, top: &str) -> Result<AppName, Failure> {
    if let Some(name) = init.name.clone().or(named).or_else(which::by_config) {
        return Ok(name);
    }
    let folder = top.rsplit('/').next().unwrap_or(top);
    folder.to_ascii_lowercase().parse().map_err(|error| {
        Failure::user("the folder's name cannot be the app's")
            .because(&error)
            .hint("give one: toehold init NAME")
    })
}

fn set_remote(url: &str) -> Outcome {
    let known = git(Path::new("."), &["remote", "get-url", REMOTE]);
    let verb = match known {
        Some(known) if known == url => return Ok(()),
        Some(known) if known.starts_with('/') => {
            show::talk(&format!("remote {REMOTE} led to {known} before"));
            "set-url"
        }
        Some(known) => {
            return Err(Failure::user(format!(
                "the remote {REMOTE} is taken: it leads to {known}"
            ))
            .hint(format!("git remote rename {REMOTE} another-name")));
        }
        None => "add",
    };
    let done = Command::new("git").args(["remote", verb, REMOTE, url]).status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::world(format!("git could not set the remote: {status}"))),
        Err(error) => Err(Failure::world("cannot run git").because(&error)),
    }
}
