//! `toehold init`: an app of this repository, and the git remote `toehold`.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use toehold_core::model::AppName;
use toehold_core::wire::api::{AppView, Done};

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
    let client = context.client()?;
    let done = context.block_on(async {
        // Who may push to an app may not be one who may make it.
        if context.elsewhere().is_some()
            && client.get::<AppView>(&format!("/api/v1/apps/{name}")).await.is_ok()
        {
            return Ok(Done { text: format!("there is an app {name}"), event: None });
        }
        client.post("/api/v1/apps", &json!({ "name": name })).await
    })?;
    let url = match context.elsewhere() {
        None => context.layout()?.repository(&name).display().to_string(),
        Some(base) => format!("{}/git/{name}.git", base.trim_end_matches('/')),
    };
    set_remote(&url)?;
    if let Some(base) = context.elsewhere() {
        set_helper(base)?;
    }
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
        Some(known) if known.starts_with('/') || known.contains("/git/") => {
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
    set("the remote", &["remote", verb, REMOTE, url])
}

/// Lets git find the token where the command finds it: in `TOEHOLD_TOKEN`. It is written nowhere;
/// where it is not set, git asks whom it always asks.
fn set_helper(base: &str) -> Outcome {
    let key = format!("credential.{}.helper", base.trim_end_matches('/'));
    set("the credential helper", &["config", "--replace-all", &key, HELPER])
}

const HELPER: &str = "!f() { test \"$1\" = get && test -n \"$TOEHOLD_TOKEN\" && \
                      printf 'username=toehold\\npassword=%s\\n' \"$TOEHOLD_TOKEN\"; }; f";

fn set(what: &str, arguments: &[&str]) -> Outcome {
    match Command::new("git").args(arguments).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::world(format!("git could not set {what}: {status}"))),
        Err(error) => Err(Failure::world("cannot run git").because(&error)),
    }
}
