//! `toehold deploy`: the work here, or something the control plane knows already.

use toehold_core::model::{AppName, BranchName, CommitId, Number};
use toehold_core::wire::api::{AppView, DeployRequest};
use toehold_server::control::Deployed;
use toehold_server::source::SourceError;
use toehold_server::source::worktree::Worktree;

use crate::args::Deploy;
use crate::cmd::follow;
use crate::context::Context;
use crate::report::{Failure, Outcome};
use crate::show;

/// Brings the work here to Toehold, builds and deploys it, and stays until it serves.
pub fn run(context: &Context, deploy: &Deploy) -> Outcome {
    let client = context.client()?;
    context.block_on(async {
        let app = context.app(&client).await?;
        // Before git is asked: what it says of an app that is not there helps nobody.
        let _: AppView = client.get(&format!("/api/v1/apps/{app}")).await?;
        let request = request(context, deploy, &app).await?;
        let path = format!("/api/v1/apps/{app}/deploy");
        match client.post::<Deployed>(&path, &request).await? {
            Deployed::Done(done) if context.json() => show::json(&done),
            Deployed::Done(done) if deploy.detach => show::line(&done.text),
            Deployed::Done(done) => {
                show::line(&done.text)?;
                watched(follow::serving(&client, &app), None).await
            }
            Deployed::Queued(queued) if deploy.detach => {
                if context.json() {
                    return show::json(&queued);
                }
                show::line(&format!("build {} is queued", queued.number))
            }
            Deployed::Queued(queued) => {
                let style = follow::Style { json: context.json(), verbose: deploy.verbose };
                let watching = follow::build(&client, &app, queued.number, style);
                watched(watching, Some(queued.number)).await
            }
        }
    })
}

/// ^C ends the watching, and nothing else. Who waits for the answer did not get it.
async fn watched(watching: impl Future<Output = Outcome>, build: Option<Number>) -> Outcome {
    tokio::select! {
        ended = watching => ended,
        _ = tokio::signal::ctrl_c() => {
            let left = Failure::no("it goes on without you");
            Err(match build {
                Some(Number(build)) => left.hint(format!(
                    "toehold logs -f {build}; to stop it: toehold cancel {build}"
                )),
                None => left.hint("toehold status -w"),
            })
        }
    }
}

async fn request(
    context: &Context,
    deploy: &Deploy,
    app: &AppName,
) -> Result<DeployRequest, Failure> {
    let mut request = DeployRequest {
        track: deploy.track,
        commit: deploy.commit.clone(),
        branch: deploy.branch.clone(),
        release: deploy.release,
    };
    if deploy.release.is_some() || deploy.branch.is_some() || deploy.commit.is_some() {
        return Ok(request);
    }
    let (commit, branch) = bring(context, deploy, app)
        .await
        .map_err(|error| Failure::user("cannot bring the work here to Toehold").because(&error))?;
    if branch.is_none() && deploy.track.is_none() {
        return Err(Failure::user("no branch is checked out, so nobody said where this is to run")
            .hint("say it: toehold deploy --track stable"));
    }
    // A build has a branch to be known by.
    let main = || "main".parse().expect("the name is fixed and allowed");
    request.commit = Some(commit);
    request.branch = Some(branch.unwrap_or_else(main));
    Ok(request)
}

/// Sends the commit that is checked out, or with `--dirty` all that is here, to the app's
/// repository. Gives the branch that is checked out, where one is.
async fn bring(
    context: &Context,
    deploy: &Deploy,
    app: &AppName,
) -> Result<(CommitId, Option<BranchName>), SourceError> {
    let worktree = Worktree::find(std::path::Path::new(".")).await?;
    let snapshot = worktree.snapshot(deploy.dirty).await?;
    if snapshot.changed_files > 0 && !snapshot.with_changes {
        let files = snapshot.changed_files;
        show::talk(&format!(
            "{files} changed files are not committed and not taken along; --dirty takes them"
        ));
    }
    let repository = match context.elsewhere() {
        None => context.repository(app).into_os_string(),
        Some(base) => format!("{}/git/{app}.git", base.trim_end_matches('/')).into(),
    };
    worktree.send(&snapshot.commit, &repository).await?;
    Ok((snapshot.commit, worktree.branch().await?))
}
