//! One repository's API, asked with what proves that we may.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use toehold_core::time::Timestamp;

use crate::dial::Base;
use crate::forge::answer::{Unsent, judge};
use crate::forge::credentials::{signed_by, token_of};
use crate::forge::{Api, Credentials, Place};
use crate::secret::Secret;

/// How long an installation's token is used; GitHub lets it last an hour.
const TOKEN_KEPT: Duration = Duration::from_mins(50);

/// One repository's API.
pub struct Client {
    pub(super) place: Place,
    base: Base,
    credentials: Credentials,
    /// The installation's token, and until when it is used.
    kept: Mutex<Option<(Secret, Timestamp)>>,
}

/// With what a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The token, else the App.
    Either,
    /// The App: it alone may.
    App,
}

impl Client {
    /// A client for `place`. An error says in words what is wrong with the address.
    pub fn new(place: Place, credentials: Credentials) -> Result<Self, String> {
        let base = Base::new(&place.base)?;
        Ok(Self { place, base, credentials, kept: Mutex::default() })
    }

    /// Whether checks can be reported.
    #[must_use]
    pub const fn has_app(&self) -> bool {
        self.credentials.app.is_some()
    }

    /// Where it is.
    pub(super) fn host(&self) -> &str {
        self.base.host()
    }

    pub(super) async fn call(
        &self,
        (method, path): (Method, &str),
        body: Option<&Value>,
        (by, now): (By, Timestamp),
    ) -> Result<Value, Unsent> {
        if let (Some(file), By::Either) = (&self.credentials.token_file, by) {
            let token = token_of(file).map_err(Unsent::Away)?;
            return self.call_with(&token, (method, path), body, now).await;
        }
        let token = self.installation_token(now).await?;
        match self.call_with(&token, (method.clone(), path), body, now).await {
            // It may have been taken back before its hour was over: one that is got anew is good.
            Err(Unsent::Unknown(_)) => {
                self.forget(&token);
                let token = self.installation_token(now).await?;
                self.call_with(&token, (method, path), body, now).await
            }
            answered => answered,
        }
    }

    async fn call_with(
        &self,
        token: &Secret,
        (method, path): (Method, &str),
        body: Option<&Value>,
        now: Timestamp,
    ) -> Result<Value, Unsent> {
        let headers = self.headers(token)?;
        let answered = self.base.call(method, path, headers, body).await;
        judge(&answered.map_err(|error| Unsent::Away(error.to_string()))?, now)
    }

    /// An installation's token is used no more.
    fn forget(&self, token: &Secret) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|(known, _)| known == token) {
            *kept = None;
        }
    }

    /// What each forge wants to see on every call.
    fn headers(&self, token: &Secret) -> Result<HeaderMap, Unsent> {
        const VERSION: HeaderName = HeaderName::from_static("x-github-api-version");
        const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");
        let (name, words, accept) = match self.place.api {
            Api::Github => (AUTHORIZATION, "Bearer ", "application/vnd.github+json"),
            Api::Gitlab => (PRIVATE_TOKEN, "", "application/json"),
            Api::Gitea => (AUTHORIZATION, "token ", "application/json"),
            Api::BitbucketCloud | Api::BitbucketDataCenter => {
                (AUTHORIZATION, "Bearer ", "application/json")
            }
        };
        let value = HeaderValue::try_from(format!("{words}{}", token.reveal()));
        let mut value =
            value.map_err(|_| Unsent::Away("the token cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(name, value);
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if self.place.api == Api::Github {
            headers.insert(VERSION, HeaderValue::from_static("2022-11-28"));
        }
        Ok(headers)
    }

    async fn installation_token(&self, now: Timestamp) -> Result<Secret, Unsent> {
        let Some(app) = &self.credentials.app else {
            return Err(Unsent::Never("neither a token nor an App is set".to_owned()));
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, _)) = kept.filter(|(_, until)| now < *until) {
            return Ok(token);
        }
        let proof = signed_by(app, now).map_err(Unsent::Away)?;
        let path = format!("/app/installations/{}/access_tokens", app.installation);
        let headers = self.headers(&proof)?;
        let answered = self.base.call(Method::POST, &path, headers, None).await;
        let answer = answered.map_err(|error| Unsent::Away(error.to_string()))?;
        let json = judge(&answer, now)?;
        let Some(token) = json["token"].as_str().map(Secret::new) else {
            return Err(Unsent::Away("it answered without a token".to_owned()));
        };
        let until = now.plus(TOKEN_KEPT);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), until));
        Ok(token)
    }
}
