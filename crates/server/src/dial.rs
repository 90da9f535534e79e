//! Asking an API by HTTP for JSON, bounded in time and size.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;
use thiserror::Error;

use crate::address::is_no_host;
use crate::site::Site;

/// The longest a call may take, resolving and connecting included.
const CALL: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Where an API is: `https://api.github.com`, also with a path.
pub struct Base(Site);

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot reach {host}: {why}")]
pub struct Unanswered {
    host: String,
    why: String,
}

impl Base {
    /// A base that can be called. An error says what is wrong with the URL, which may come from a
    /// file that holds secrets and is not repeated.
    pub fn new(url: &str) -> Result<Self, String> {
        let site = Site::new(url.trim_end_matches('/'), None)?;
        if site.url().query().is_some() {
            return Err("it must not hold a query".to_owned());
        }
        Ok(Self(site))
    }

    /// Where it is, without the path.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Asks for `path` below it. `headers` say who asks.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, Unanswered> {
        let answered = tokio::time::timeout(CALL, self.ask(method, path, headers, body)).await;
        answered
            .unwrap_or_else(|_| Err(format!("no answer came in {} s", CALL.as_secs())))
            .map_err(|why| Unanswered { host: self.0.host().to_owned(), why })
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let target = format!("{}{path}", self.0.url().path().trim_end_matches('/'));
        let json = body.map(|body| Bytes::from(body.to_string()));
        let request = self.0.request(method, target, headers, json)?;
        let addresses = self.0.resolve().await.map_err(|error| error.to_string())?;
        if let Some(address) = addresses.iter().find(|it| is_no_host(it.ip())) {
            return Err(format!("the name leads to {}, which is nobody's", address.ip()));
        }
        let said = self.0.send(&addresses, request, ANSWER_BYTES).await?;
        let body = said.body.ok_or("its answer is longer than 1 MiB")?;
        Ok(Answer { status: said.status.as_u16(), headers: said.headers, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_an_address_without_secrets() {
        for bad in ["", "ftp://x", "https://me:secret@x/y", "https://x/y?token=secret"] {
            let why = Base::new(bad).err().expect(bad);
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[tokio::test]
    async fn an_address_of_the_local_link_is_not_dialled() {
        let base = Base::new("http://169.254.169.254").expect("a URL");
        let refused = base.call(Method::GET, "/x", HeaderMap::new(), None).await;
        let why = refused.expect_err("it is refused").to_string();
        assert!(why.contains("nobody's"), "{why}");
    }
}
