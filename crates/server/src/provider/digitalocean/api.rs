//! The calls, and what their answers mean.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::droplet::{Droplet, Droplets};
use super::gate::Gate;
use crate::dial::{Answer, Base};
use crate::provider::ProviderError;
use crate::secret::Secret;

/// The most pages of a list that are read: 20 000 machines.
const PAGES: u32 = 100;

/// How long is waited where the API asks for patience and does not say for how long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest it is waited for: its limits are by the hour.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// The API, and who asks.
pub(super) struct Api {
    base: Base,
    token: Secret,
    /// Closed where nothing may be asked.
    pub(super) all: Gate,
    /// Closed where nothing may be made.
    pub(super) making: Gate,
}

/// An error as the API says it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    id: String,
    message: String,
}

/// Why a Droplet was not made, or perhaps not.
#[derive(Debug)]
pub(super) enum MakeError {
    /// It was not.
    Refused(ProviderError),
    /// It may have been: what came back says nothing of that.
    Unclear(ProviderError),
}

#[derive(Deserialize)]
struct MadeDroplet {
    droplet: Id,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

#[derive(Deserialize)]
struct Sizes {
    sizes: Vec<Size>,
}

#[derive(Deserialize)]
struct Size {
    slug: String,
    price_hourly: f64,
}

impl Api {
    pub(super) fn new(url: &str, token: Secret) -> Result<Self, String> {
        let (all, making) = (Gate::default(), Gate::default());
        Ok(Self { base: Base::new(url)?, token, all, making })
    }

    /// Every Droplet with a tag.
    pub(super) async fn list(&self, tag: &str) -> Result<Vec<Droplet>, ProviderError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/v2/droplets?tag_name={tag}&per_page=200&page={page}");
            let found: Droplets = self.get(&path).await?;
            all.extend(found.droplets);
            if !found.links.has_next() {
                break;
            }
        }
        Ok(all)
    }

    /// Asks for a Droplet, and says its id.
    pub(super) async fn make(&self, body: &Value) -> Result<u64, MakeError> {
        self.all.pass().and_then(|()| self.making.pass()).map_err(MakeError::Refused)?;
        let answer = self.ask(Method::POST, "/v2/droplets", Some(body)).await;
        let answer = answer.map_err(MakeError::Unclear)?;
        if answer.status != 202 {
            let error = if is_full(&answer) { self.full(&answer) } else { self.refused(&answer) };
            let is_clear = (400..500).contains(&answer.status);
            return Err(if is_clear { MakeError::Refused } else { MakeError::Unclear }(error));
        }
        self.making.was_passed();
        let made: MadeDroplet = read(&answer).map_err(MakeError::Unclear)?;
        Ok(made.droplet.id)
    }

    /// Gives a Droplet back. One that is not there is given back already.
    pub(super) fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let path = format!("/v2/droplets/{id}");
            self.call(Method::DELETE, &path, None, &[204, 404]).await.map(drop)
        })
    }

    /// What each size costs an hour, in US dollars.
    pub(super) async fn prices(&self) -> Result<BTreeMap<String, f64>, ProviderError> {
        let found: Sizes = self.get("/v2/sizes?per_page=200").await?;
        Ok(found.sizes.into_iter().map(|it| (it.slug, it.price_hourly)).collect())
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ProviderError> {
        read(&self.call(Method::GET, path, None, &[200]).await?)
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        good: &[u16],
    ) -> Result<Answer, ProviderError> {
        self.all.pass()?;
        let answer = self.ask(method, path, body).await?;
        if good.contains(&answer.status) {
            return Ok(answer);
        }
        Err(self.refused(&answer))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ProviderError> {
        let mut headers = HeaderMap::new();
        let mut token =
            HeaderValue::from_str(&format!("Bearer {}", self.token.reveal())).map_err(|_| {
                ProviderError::lasting("the token of digitalocean holds what no token holds")
            })?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
        let answer = self.base.call(method, path, headers, body).await;
        let answer = answer.map_err(|error| ProviderError::transient(error.to_string()))?;
        match answer.status {
            401 | 403 | 429 => {}
            _ => self.all.was_passed(),
        }
        self.heed(&answer);
        Ok(answer)
    }

    /// Says what an answer means that is not the one that was asked for.
    fn refused(&self, answer: &Answer) -> ProviderError {
        let said = said(answer);
        match answer.status {
            401 | 403 => self.all.close(
                None,
                format!(
                    "digitalocean does not accept our token ({said}): put one that may write into \
                     the file `token_file` names, and start Toehold again"
                ),
            ),
            429 => {
                let after = seconds(answer, RETRY_AFTER.as_str()).unwrap_or(PATIENCE);
                self.all.close(Some(after.min(LONGEST_PATIENCE)), patience())
            }
            500..=599 => ProviderError::transient(format!("digitalocean is in trouble: {said}")),
            _ => ProviderError::lasting(format!("digitalocean refused: {said}")),
        }
    }

    /// The account may have no more Droplets: no other name would help.
    fn full(&self, answer: &Answer) -> ProviderError {
        let said = said(answer);
        self.making.close(
            None,
            format!(
                "digitalocean refused: {said}; remove Droplets nobody needs there, or have the \
                 limit raised: it is asked again by itself"
            ),
        )
    }

    /// What each answer says of how much may still be asked.
    fn heed(&self, answer: &Answer) {
        if seconds(answer, "ratelimit-remaining") != Some(Duration::ZERO) {
            return;
        }
        let Some(reset) = seconds(answer, "ratelimit-reset") else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wait = reset.saturating_sub(now).min(LONGEST_PATIENCE);
        if !wait.is_zero() {
            self.all.close(Some(wait), patience());
        }
    }
}

/// Whether an answer says that the account has as many Droplets as it may have.
fn is_full(answer: &Answer) -> bool {
    matches!(answer.status, 403 | 422) && said(answer).to_ascii_lowercase().contains("limit")
}

/// An error in the API's own words.
fn said(answer: &Answer) -> String {
    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = match (said.message.is_empty(), said.id.is_empty()) {
        (false, _) => said.message,
        (true, false) => said.id,
        (true, true) => format!("HTTP {}", answer.status),
    };
    said.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn patience() -> String {
    "digitalocean asked for patience: it is asked again when that is over".to_owned()
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        ProviderError::transient(format!("digitalocean answered something else: {error}"))
    })
}

/// A number of seconds that a header says.
fn seconds(answer: &Answer, header: &str) -> Option<Duration> {
    let seconds = answer.headers.get(header)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
