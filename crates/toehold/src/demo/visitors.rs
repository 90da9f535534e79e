//! Visitors: so many requests a second, each counted, each answer remembered by what it said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many visitors share the requests, each on a connection of its own.
const VISITORS: u32 = 10;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Requests sent.
    pub sent: u64,
    /// Requests that got no answer, or none of the 2xx.
    pub lost: u64,
    /// What the first of those came to.
    pub first_loss: Option<String>,
    /// Answers by their first line, since last asked.
    pub heard: BTreeMap<String, u64>,
}

/// Visitors who come until they are sent home.
pub struct Visitors {
    count: Arc<Mutex<Count>>,
    home: CancellationToken,
    all: JoinSet<()>,
}

impl Visitors {
    /// Lets visitors in who ask for `path` at the proxy on `port`, `per_second` in all.
    pub fn come(port: u16, host: &str, path: &str, per_second: u32) -> Self {
        let count = Arc::new(Mutex::new(Count::default()));
        let home = CancellationToken::new();
        let mut all = JoinSet::new();
        let each = Duration::from_secs(1) * VISITORS / per_second.max(1);
        for _ in 0..VISITORS.min(per_second) {
            let visitor = Visitor {
                port,
                host: host.to_owned(),
                path: path.to_owned(),
                count: Arc::clone(&count),
            };
            all.spawn(visitor.walk(each, home.clone()));
        }
        Self { count, home, all }
    }

    /// What was heard since last asked, by the first line of each answer.
    pub fn heard(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.locked().heard)
    }

    /// Sends everyone home, after their last answer, and gives what was counted.
    pub async fn go_home(mut self) -> Count {
        self.home.cancel();
        while self.all.join_next().await.is_some() {}
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Visitor {
    port: u16,
    host: String,
    path: String,
    count: Arc<Mutex<Count>>,
}

type Connection = SendRequest<Empty<Bytes>>;

impl Visitor {
    async fn walk(self, each: Duration, home: CancellationToken) {
        let mut tick = tokio::time::interval(each);
        let mut connection = None;
        loop {
            tokio::select! {
                () = home.cancelled() => return,
                _ = tick.tick() => {}
            }
            let answer = tokio::time::timeout(PATIENCE, self.ask(&mut connection)).await;
            let answer = answer.unwrap_or_else(|_| Err("no answer in time".into()));
            if answer.is_err() {
                connection = None;
            }
            self.note(answer);
        }
    }

    async fn ask(
        &self,
        connection: &mut Option<Connection>,
    ) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
        // A connection that was closed between two requests is no request lost: a browser opens
        // another one, too.
        if connection.as_mut().is_none_or(|open| open.is_closed()) {
            *connection = None;
        }
        if let Some(open) = connection
            && open.ready().await.is_err()
        {
            *connection = None;
        }
        let open = if let Some(open) = connection {
            open
        } else {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let (sender, driver) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(driver);
            connection.insert(sender)
        };
        let request = Request::get(self.path.as_str())
            .header(hyper::header::HOST, self.host.as_str())
            .body(Empty::new())?;
        let response = open.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let first = String::from_utf8_lossy(&body).lines().next().unwrap_or("").to_owned();
        Ok((status, first))
    }

    fn note(&self, answer: Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>>) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.sent += 1;
        match answer {
            Ok((status, first)) => {
                if !status.is_success() {
                    count.lost += 1;
                    count.first_loss.get_or_insert(format!("{status}: {first}"));
                }
                // What an app says is heard, also where it has nothing to give.
                if !status.is_server_error() {
                    *count.heard.entry(first).or_default() += 1;
                }
            }
            Err(error) => {
                count.lost += 1;
                count.first_loss.get_or_insert(error.to_string());
            }
        }
    }
}
