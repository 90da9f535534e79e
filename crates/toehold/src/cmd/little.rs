//! The verbs that take a few lines.

use std::io::Write;

use clap::CommandFactory;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toehold_core::model::Number;
use toehold_core::spec::Spec;
use toehold_core::wire::api::{AppView, Done};

use crate::args::Args;
use crate::cmd::wishes;
use crate::context::Context;
use crate::found;
use crate::report::{Failure, Outcome};
use crate::show;
use crate::which;

/// `toehold version`: of this program, and of what runs where that can be reached.
pub fn version(context: &Context) -> Outcome {
    #[derive(Deserialize, Serialize)]
    struct Version {
        version: String,
    }
    let here = env!("CARGO_PKG_VERSION");
    let client = context.client()?;
    let running = context.block_on(client.get::<Version>("/api/v1/version")).ok();
    if context.json() {
        return show::json(&json!({ "here": here, "running": running.map(|it| it.version) }));
    }
    show::line(&format!("toehold {here}"))?;
    match running {
        Some(running) => show::line(&format!("running {}", running.version)),
        None => Ok(()),
    }
}

/// `toehold completions`.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "toehold", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::world("cannot write the completions").because(&error))
}

/// `toehold open`: a link that opens the dashboard once.
pub fn open(context: &Context) -> Outcome {
    #[derive(Deserialize, Serialize)]
    struct Link {
        url: String,
    }
    let client = context.client()?;
    let link: Link = context.block_on(client.post("/api/v1/login-links", &json!({})))?;
    if context.json() {
        return show::json(&link);
    }
    show::talk("good for ten minutes, and once:");
    show::line(&link.url)
}

/// `toehold cancel`.
pub fn cancel(context: &Context, number: Option<Number>) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let number = if let Some(number) = number {
            number
        } else {
            let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
            view.building.ok_or_else(|| Failure::no("no build runs"))?
        };
        let path = format!("/api/v1/apps/{app}/builds/{}/cancel", number.0);
        let done: Done = client.post(&path, &json!({})).await?;
        wishes::show_done(context, &done)
    })
}

/// `toehold plan`: what a deploy of the work here would do.
pub fn plan(context: &Context) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        let view: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
        let spec = found::in_force(std::path::Path::new("toehold.toml"))?;
        let here = std::path::Path::new(".");
        let branch = which::git(here, &["symbolic-ref", "--short", "HEAD"]);
        let commit = which::git(here, &["rev-parse", "--short", "HEAD"]);
        let changed = which::git(here, &["status", "--porcelain"]).is_some_and(|it| !it.is_empty());
        let track = branch.as_ref().and_then(|branch| spec.branches.get(branch)).copied();
        if context.json() {
            return show::json(&json!({
                "app": app, "branch": branch, "commit": commit, "uncommitted": changed,
                "track": track, "serving": view.serving, "pinned": view.pin.is_some(),
                "steps": steps(&spec), "web": spec.run.web,
            }));
        }
        let what = format!(
            "{}@{}",
            branch.as_deref().unwrap_or("no branch"),
            commit.as_deref().unwrap_or("no commit")
        );
        let serving = view.serving.map_or("nothing yet".into(), |number| format!("release {number}"));
        show::line(&format!("app      {app}, serving {serving}"))?;
        show::line(&format!("build    {what}"))?;
        for (step, command) in steps(&spec) {
            show::line(&format!("{step:<8} {command}"))?;
        }
        match &spec.run.web {
            Some(web) => show::line(&format!("start    {web}"))?,
            None => show::line("start    nothing tells how it is started: write [run] web in toehold.toml")?,
        }
        match track {
            _ if commit.is_none() => show::line("deploy   nothing: there is no commit yet")?,
            Some(track) => show::line(&format!("deploy   to {track}"))?,
            None => show::line("deploy   nothing: this branch goes to no track in [branches]")?,
        }
        if view.pin.is_some() {
            show::line("pinned   a push is built and not deployed; `toehold deploy` deploys, `toehold unpin` ends it")?;
        }
        if changed {
            show::line("note     there are changes that are not committed: only --dirty takes them along")?;
        }
        Ok(())
    })
}

/// The steps that would run, with their commands.
fn steps(spec: &Spec) -> Vec<(&'static str, &str)> {
    let build = &spec.build;
    [("install", &build.install), ("test", &build.test), ("lint", &build.lint)]
        .into_iter()
        .filter_map(|(step, command)| Some((step, command.as_deref()?)))
        .collect()
}
