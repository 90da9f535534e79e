//! The calls, and what their answers mean.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::droplet::{Droplet, Droplets};
use crate::dial::{Answer, Base};
use crate::provider::ProviderError;
use crate::secret::Secret;

/// The most pages of a list that are read: 20 000 machines.
const PAGES: u32 = 100;

/// How long is waited where the API asks for patience and does not say for how long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The API, and who asks.
pub(super) struct Api {
    base: Base,
    token: Secret,
    /// The API asked for patience until then.
    quiet_until: Mutex<Option<Instant>>,
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
        Ok(Self { base: Base::new(url)?, token, quiet_until: Mutex::default() })
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
        self.may_ask().map_err(MakeError::Refused)?;
        let answer = self.ask(Method::POST, "/v2/droplets", Some(body)).await;
        let answer = answer.map_err(MakeError::Unclear)?;
        if answer.status != 202 {
            let error = self.refused(&answer);
            let is_clear = (400..500).contains(&answer.status);
            return Err(if is_clear { MakeError::Refused } else { MakeError::Unclear }(error));
        }
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
        self.may_ask()?;
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
        answer.map_err(|error| ProviderError::transient(error.to_string()))
    }

    fn may_ask(&self) -> Result<(), ProviderError> {
        let quiet = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        match quiet.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if !left.is_zero() => Err(patience()),
            Some(_) | None => Ok(()),
        }
    }

    fn refused(&self, answer: &Answer) -> ProviderError {
        let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
        let said = match (said.message.is_empty(), said.id.is_empty()) {
            (false, _) => said.message,
            (true, false) => said.id,
            (true, true) => format!("HTTP {}", answer.status),
        };
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        match answer.status {
            401 | 403 => ProviderError::lasting(format!(
                "digitalocean does not accept our token ({said}): put one that may write into the \
                 file `token_file` names"
            )),
            429 => {
                let after = retry_after(answer).unwrap_or(PATIENCE);
                let until = Instant::now() + after;
                *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                patience()
            }
            500..=599 => ProviderError::transient(format!("digitalocean is in trouble: {said}")),
            _ => ProviderError::lasting(format!("digitalocean refused: {said}")),
        }
    }
}

/// The same words for as long as it lasts: words that count would be news each time.
fn patience() -> ProviderError {
    ProviderError::transient("digitalocean asked for patience: it is asked again when that is over")
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        ProviderError::transient(format!("digitalocean answered something else: {error}"))
    })
}

/// For how long the API wants to be left alone, an hour at most: its limits are by the hour.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(Duration::from_hours(1)))
}
