//! What could not be done, as `application/problem+json` (RFC 9457) with a stable code.

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use toehold_core::tell::chain;
use toehold_core::wire::api::Problem;
use toehold_core::wish::Refusal;

use crate::control::{ControlError, WebhookError};
use crate::flags::FlagsError;
use crate::fleet::FleetError;
use crate::secret::{Refused, TokenError, VaultError};
use crate::store::CommitError;

/// The media type of a problem.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What could not be done, and why.
#[derive(Clone, Debug)]
pub(crate) struct Unable(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    problem: Problem,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Unable {
    /// A problem without a hint.
    pub(crate) fn new(status: StatusCode, code: &str, title: impl Into<String>) -> Self {
        let (code, title) = (code.to_owned(), title.into());
        let problem = Problem { status: status.as_u16(), code, title, hint: String::new() };
        Self(Box::new(Told { problem, header: None }))
    }

    /// Something in the request cannot be used.
    pub(crate) fn bad_request(code: &str, title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, title)
    }

    /// With one command to try.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.problem.hint = hint.into();
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Nobody knows who asks.
    pub(crate) fn unknown_caller(title: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_authenticated", title)
            .hint("toehold tokens create NAME --scope SCOPE")
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"toehold\""))
    }

    /// Too much was asked for; in `seconds` it may be asked again.
    pub(crate) fn later(status: StatusCode, code: &str, title: &str, seconds: u64) -> Self {
        Self::new(status, code, title).header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// What is sent.
    pub(crate) fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The status it is sent with.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Unable {
    /// The problem also travels beside the answer, so that a page can be made of it.
    fn into_response(self) -> Response {
        let status = self.status();
        let Told { problem, header } = *self.0;
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM)], body).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

impl From<ControlError> for Unable {
    fn from(error: ControlError) -> Self {
        use ControlError as E;
        let title = chain(&error);
        let not_found = |code| Self::new(StatusCode::NOT_FOUND, code, title.clone());
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        let busy = |code| Self::later(StatusCode::SERVICE_UNAVAILABLE, code, &title, 5);
        let ours = |code| Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, title.clone());
        match &error {
            E::NoApp(_) => not_found("app_not_found").hint("toehold status"),
            E::AppExists(_) => conflict("app_exists"),
            E::NoBuild { .. } => not_found("build_not_found").hint("toehold releases"),
            E::NoRelease { .. } => not_found("release_not_found").hint("toehold releases"),
            E::NoInstance(_) => not_found("instance_not_found").hint("toehold status"),
            E::NoCommit { .. } => not_found("commit_not_found").hint("git push toehold HEAD"),
            E::Unclear(_) => Self::bad_request("commit_unclear", title),
            E::Unmapped(_) => conflict("unmapped_branch").hint("toehold deploy --track canary"),
            E::NothingPushed { .. } => conflict("nothing_pushed").hint("git push toehold main"),
            E::Refused(refusal) => of_refusal(refusal, title),
            E::NoMachine(_) => not_found("machine_not_found").hint("toehold machines ls"),
            E::Leaving(_) => conflict("machine_leaving").hint("toehold machines ls"),
            E::NoLonger(_) | E::TakenBefore => conflict("no_longer"),
            E::Contended(_) | E::ContendedMachine(_) => busy("contended"),
            E::QueueFull(_) => busy("queue_full"),
            E::Read(_) => busy("store_unreadable").hint("toehold doctor"),
            E::Commit(error) => of_commit(error, title),
            E::Source(_) => ours("repository_unusable").hint("toehold doctor"),
            E::Unfetched { source, .. } if source.is_transient() => busy("forge_away"),
            E::Unfetched { .. } => conflict("forge_refused"),
            E::Fleet(FleetError::Silent | FleetError::NoAgent { .. }) => {
                busy("agent_away").hint("toehold machines ls")
            }
            E::Fleet(_) => not_found("log_not_found").hint("toehold status"),
            E::Vault(error) => of_vault(error, title),
            _ => ours("internal").hint("toehold doctor"),
        }
    }
}

/// Everything the rules say no to is a conflict with how things are; what is not there is not
/// found.
fn of_refusal(refusal: &Refusal, title: String) -> Unable {
    let (status, code, hint) = match refusal {
        Refusal::NoRelease { .. } => {
            (StatusCode::NOT_FOUND, "release_not_found", "toehold releases")
        }
        Refusal::NoAlert { .. } => (StatusCode::NOT_FOUND, "alert_not_found", "toehold alerts ls"),
        Refusal::WrongHours { .. } => {
            (StatusCode::BAD_REQUEST, "wrong_hours", "toehold alerts silence ID --hours 4")
        }
        Refusal::WrongCount { .. } => {
            (StatusCode::BAD_REQUEST, "wrong_count", "toehold scale auto")
        }
        Refusal::Pinned { .. } => (StatusCode::CONFLICT, "pinned", "toehold unpin"),
        Refusal::NoCanary { .. } => (StatusCode::CONFLICT, "no_canary", "toehold rollout status"),
        Refusal::WrongPhase { .. } => {
            (StatusCode::CONFLICT, "wrong_phase", "toehold rollout status")
        }
        _ => (StatusCode::CONFLICT, "refused", "toehold status"),
    };
    Unable::new(status, code, title).hint(hint)
}

fn of_commit(error: &CommitError, title: String) -> Unable {
    match error {
        CommitError::Conflict { .. } => Unable::new(StatusCode::CONFLICT, "contended", title),
        CommitError::Unavailable { .. } | CommitError::Unknown { .. } => {
            Unable::later(StatusCode::SERVICE_UNAVAILABLE, "store_unwritable", &title, 5)
                .hint("toehold doctor")
        }
        CommitError::TooLarge { .. } | CommitError::Invalid { .. } => {
            Unable::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", title)
        }
    }
}

fn of_vault(error: &VaultError, title: String) -> Unable {
    match error {
        VaultError::Name { .. } | VaultError::Value { .. } => {
            Unable::bad_request("secret_unusable", title)
        }
        VaultError::NotFound { .. } | VaultError::File(_) => {
            Unable::new(StatusCode::INTERNAL_SERVER_ERROR, "secrets_unreadable", title)
                .hint("toehold doctor")
        }
    }
}

impl From<FlagsError> for Unable {
    fn from(error: FlagsError) -> Self {
        let title = chain(&error);
        match &error {
            FlagsError::NoFlag { .. } => {
                Self::new(StatusCode::NOT_FOUND, "flag_not_found", title).hint("toehold flags ls")
            }
            FlagsError::TooMany { .. } => {
                Self::new(StatusCode::CONFLICT, "too_many_flags", title).hint("toehold flags ls")
            }
            FlagsError::Contended { .. } => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "contended", &title, 1)
            }
            FlagsError::Write { source, .. } => of_commit(source, title),
            _ if error.is_transient() => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "store_unreadable", &title, 5)
            }
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", title)
                .hint("toehold doctor"),
        }
    }
}

impl From<VaultError> for Unable {
    fn from(error: VaultError) -> Self {
        let title = chain(&error);
        of_vault(&error, title)
    }
}

impl From<CommitError> for Unable {
    fn from(error: CommitError) -> Self {
        let title = chain(&error);
        of_commit(&error, title)
    }
}

impl From<TokenError> for Unable {
    fn from(error: TokenError) -> Self {
        let title = chain(&error);
        match &error {
            TokenError::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, "token_not_found", title).hint("toehold tokens ls")
            }
            TokenError::Commit(error) => of_commit(error, title),
            TokenError::Read(_) => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "store_unreadable", &title, 5)
            }
        }
    }
}

impl From<Refused> for Unable {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(_) => {
                let title = chain(&refused);
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "store_unreadable", &title, 5)
            }
            // Which of the two it is helps nobody who has no right to know.
            Refused::Unknown | Refused::Expired { .. } => {
                Self::unknown_caller("this token is not known here, or has ended")
            }
        }
    }
}

impl From<WebhookError> for Unable {
    fn from(error: WebhookError) -> Self {
        let title = chain(&error);
        let (status, code) = match error {
            WebhookError::Refused(refusal) => (refusal.status(), "webhook_refused"),
            WebhookError::Malformed(error) => (error.status(), "webhook_unreadable"),
            WebhookError::Control(error) => return error.into(),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, code, title)
    }
}
