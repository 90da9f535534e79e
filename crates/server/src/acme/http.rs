//! How a CA is dialled: as every other server somebody gave the URL of, bounded in time and size.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::address::is_no_host;
use crate::site::{Said, Site};

/// The longest a call may take, resolving and connecting included.
const CALL: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes; a chain of certificates is a few thousand.
const ANSWER_BYTES: usize = 256 * 1024;

/// A CA may have its parts on a few hosts.
const HOSTS: usize = 4;

/// The longest that is waited on a CA's word.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Dials a CA.
#[derive(Clone)]
pub(super) struct Http(Arc<Inner>);

struct Inner {
    pem: Option<Vec<u8>>,
    /// By the beginning of their URLs: what TLS needs is read once.
    sites: Mutex<BTreeMap<String, Arc<Site>>>,
    /// For how long the CA wants to hear no more, since it said so last.
    wait: Mutex<Option<Duration>>,
}

impl Http {
    /// For the CA at `directory`, which the authorities of `pem` vouch for where that is given. An
    /// error says what is wrong with either.
    pub(super) fn new(directory: &str, pem: Option<Vec<u8>>) -> Result<Self, String> {
        let inner = Inner { pem, sites: Mutex::default(), wait: Mutex::default() };
        inner.site(&directory.parse().map_err(|_| "it is not a URL")?)?;
        Ok(Self(Arc::new(inner)))
    }

    /// For how long the CA wants to hear no more; asked once, it is forgotten.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.0.wait.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let called = tokio::time::timeout(CALL, inner.call(request)).await;
            let late = || Err(format!("no answer came in {} s", CALL.as_secs()));
            called.unwrap_or_else(|_| late()).map_err(|why| Error::Other(why.into()))
        })
    }
}

impl Inner {
    async fn call(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, String> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
        let site = self.site(&head.uri)?;
        let target = head.uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        // We say who we are ourselves.
        head.headers.remove(USER_AGENT);
        let body = (!body.is_empty()).then_some(body);
        let request = site.request(head.method, target, head.headers, body)?;
        let addresses = site.resolve().await.map_err(|error| error.to_string())?;
        if let Some(address) = addresses.iter().find(|it| is_no_host(it.ip())) {
            return Err(format!("the name leads to {}, which is nobody's", address.ip()));
        }
        let said = site.send(&addresses, request, ANSWER_BYTES).await?;
        self.note(&said);
        let body = said.body.ok_or("its answer is longer than 256 KiB")?;
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = said.status;
        *response.headers_mut() = said.headers;
        Ok(BytesResponse::from(response))
    }

    /// The site of a URL; also one that the CA itself names.
    fn site(&self, url: &Uri) -> Result<Arc<Site>, String> {
        let authority = url.authority().ok_or("the CA names a URL without a host")?;
        if url.scheme_str() != Some("https") {
            return Err(format!("the CA names a URL of {authority} without https://"));
        }
        let base = format!("https://{authority}");
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(&base) {
            return Ok(Arc::clone(site));
        }
        if sites.len() >= HOSTS {
            return Err(format!("the CA names more than {HOSTS} hosts"));
        }
        let site = Arc::new(Site::new(&base, self.pem.as_deref())?);
        sites.insert(base, Arc::clone(&site));
        Ok(site)
    }

    fn note(&self, said: &Said) {
        let too_much = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if too_much.contains(&said.status) {
            let wait = seconds(&said.headers).map(|it| it.min(LONGEST_WAIT));
            *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = wait;
        }
    }
}

/// `Retry-After` in seconds; a date is as good as an hour.
fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    Some(text.parse().map_or(Duration::from_hours(1), Duration::from_secs))
}
