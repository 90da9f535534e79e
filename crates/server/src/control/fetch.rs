//! Bringing a commit that a forge spoke of into the app's repository.

use std::time::Duration;

use toehold_core::model::{AppName, Build, CommitId, Trigger};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Control, ControlError};
use crate::secret::Secret;
use crate::settings::ForgeSettings;
use crate::source::SourceError;
use crate::source::remote::Remote;
use crate::source::repository::{Login, Repository, Wanted};
use crate::source::webhook::Forge;

/// The waits before a forge that does not answer is asked again, while the build waits. What is
/// still not there then is found by the poll.
const WAITS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)];

/// How long somebody who asks for a commit waits for each forge that may have it.
const ASKED: Duration = Duration::from_mins(1);

impl Control {
    /// Brings the commit of a build into the app's repository, where it came from a forge.
    pub(super) async fn fetch(
        &self,
        build: &Build,
        cancel: &CancellationToken,
    ) -> Result<(), ControlError> {
        let (Trigger::Webhook { forge, .. } | Trigger::Poll { forge }) = &build.trigger else {
            return Ok(());
        };
        let repository = self.repository(&build.app)?;
        if repository.has(&build.commit).await? {
            return Ok(());
        }
        let Ok(forge) = forge.parse::<Forge>() else { return Ok(()) };
        let Some(set) = self.forge_of(&build.app, forge) else { return Ok(()) };
        let (remote, login) = access(&build.app, forge, set)?;
        let wanted = Wanted::Commit(build.commit.clone());
        let mut waits = WAITS.iter();
        loop {
            let fetching = repository.fetch(&remote, &wanted, login.as_ref());
            let fetched = tokio::select! {
                fetched = fetching => fetched,
                // What comes of it is said by whoever cancelled.
                () = cancel.cancelled() => return Ok(()),
            };
            let Err(error) = fetched else { return Ok(()) };
            let Some(wait) = waits.next().filter(|_| error.is_transient()) else {
                return Err(error.into());
            };
            warn!(app.name = %build.app, build.number = %build.number, %error, "a commit could not be fetched and is asked for again");
            tokio::select! {
                () = self.clock().wait_until(self.clock().now().plus(*wait)) => {}
                () = cancel.cancelled() => return Ok(()),
            }
        }
    }

    /// Brings a commit that somebody asked for into the app's repository, from whichever of the
    /// app's forges has it; says which, if one had.
    pub(super) async fn bring_commit(
        &self,
        name: &AppName,
        repository: &Repository,
        commit: &CommitId,
    ) -> Result<Option<Forge>, ControlError> {
        let Some(app) = self.settings().apps.get(name) else { return Ok(None) };
        let wanted = Wanted::Commit(commit.clone());
        let mut unanswered = None;
        for (forge, set) in app.forges() {
            let (remote, login) = access(name, forge, set)?;
            match repository.fetch_within(ASKED, &remote, &wanted, login.as_ref()).await {
                Ok(_) => return Ok(Some(forge)),
                // It is not tried again: the next one may have it.
                Err(SourceError::NotThere { .. }) => {}
                Err(source) => unanswered = Some(ControlError::Unfetched { forge, source }),
            }
        }
        unanswered.map_or(Ok(None), Err)
    }
}

/// Where to fetch from, and what lets us in.
pub(super) fn access(
    app: &AppName,
    forge: Forge,
    set: &ForgeSettings,
) -> Result<(Remote, Option<Login>), ControlError> {
    let remote =
        set.url.parse().map_err(|source| ControlError::Remote { app: app.clone(), source })?;
    // The others take any name beside a token.
    let user = match forge {
        Forge::Bitbucket => "x-token-auth",
        Forge::Github | Forge::Gitlab | Forge::Gitea | Forge::Forgejo => "x-access-token",
    };
    Ok((remote, token(set)?.map(|token| Login { user, token })))
}

/// The token of a forge, read each time, so that a new one counts at once.
fn token(set: &ForgeSettings) -> Result<Option<Secret>, ControlError> {
    let Some(path) = &set.token_file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| ControlError::File { path: path.clone(), source })?;
    let token = text.lines().next().unwrap_or_default().trim();
    Ok((!token.is_empty()).then(|| Secret::new(token)))
}
