//! Connections of HTTP/2 to instances, shared by the calls of a thread: one for each, and more where
//! more calls are under way than one takes.

mod sent;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::here::Here;
use crate::instance::Instance;
use crate::limits::Limits;

pub(crate) use crate::channels::sent::{Sent, SoFar};

/// How long an instance may say nothing while calls are under way before it is asked whether it is
/// still there, and how long it may take to say so.
const ASK_AFTER: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(5);

/// How much of an answer an instance may send ahead, in bytes, and the same for all answers of a
/// connection: no bound, since calls that nobody reads would use it up for those of others.
const WINDOW: (u32, u32) = (256 * 1024, (1 << 31) - 1);

/// The connections of one thread.
#[derive(Debug)]
pub(crate) struct Channels {
    open: RefCell<BTreeMap<u64, Vec<Channel>>>,
    /// The instances that have answered a call.
    speak: RefCell<BTreeSet<u64>>,
    connect: Duration,
}

/// A connection.
#[derive(Clone, Debug)]
struct Channel {
    sender: SendRequest<Sent>,
    calls: Place,
}

/// A call's place on a connection, for as long as this lives; the connection holds one itself. It
/// knows how many the instance takes.
#[derive(Clone, Debug)]
pub(crate) struct Place(Rc<Cell<usize>>);

impl Channel {
    /// Whether the instance takes one more call on it at once.
    fn is_free(&self) -> bool {
        let calls = Rc::strong_count(&self.calls.0) - 1;
        !self.sender.is_closed() && calls < self.calls.0.get()
    }
}

/// Why a call was not answered.
pub(crate) enum Failure {
    /// Nothing was sent, and why.
    Unsent(Box<Request<Sent>>, String),
    /// It may have been carried out.
    Sent(hyper::Error),
    /// It broke off, and has answered no call yet: it seems to speak HTTP/1.1 alone, and whoever
    /// calls it nevertheless shows nothing but that.
    Unspoken(hyper::Error),
}

impl Failure {
    fn unspoken(self) -> Self {
        match self {
            Self::Sent(error) => Self::Unspoken(error),
            other => other,
        }
    }
}

impl Channels {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { open: RefCell::default(), speak: RefCell::default(), connect: limits.connect }
    }

    /// Sends a call and waits for the head of its answer; its place is kept until that is through.
    pub(crate) async fn send(
        &self,
        instance: &Instance,
        request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Place), Failure> {
        let sent = self.try_send(instance, request).await;
        let speaks = self.speak.borrow().contains(&instance.key);
        match &sent {
            Ok(_) if !speaks => _ = self.speak.borrow_mut().insert(instance.key),
            Err(Failure::Sent(_)) if !speaks => return sent.map_err(Failure::unspoken),
            _ => {}
        }
        sent
    }

    async fn try_send(
        &self,
        instance: &Instance,
        mut request: Request<Sent>,
    ) -> Result<(Response<Incoming>, Place), Failure> {
        let free = |all: &Vec<Channel>| all.iter().find(|it| it.is_free()).cloned();
        let kept = self.open.borrow().get(&instance.key).and_then(free);
        if let Some(Channel { mut sender, calls }) = kept {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, calls)),
                Err(mut failed) => match failed.take_message() {
                    // It closed just then: a fresh one settles it.
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Sent(failed.into_error())),
                },
            }
        }
        let Channel { mut sender, calls } = match self.open(instance).await {
            Ok(channel) => channel,
            Err(why) => return Err(Failure::Unsent(Box::new(request), why)),
        };
        let sent = sender.try_send_request(request).await.map(|response| (response, calls));
        let speaks = self.speak.borrow().contains(&instance.key);
        sent.map_err(|mut failed| match failed.take_message() {
            Some(unsent) if speaks => {
                Failure::Unsent(Box::new(unsent), "it closed a connection at once".to_owned())
            }
            Some(_) | None => Failure::Sent(failed.into_error()),
        })
    }

    async fn open(&self, instance: &Instance) -> Result<Channel, String> {
        let why = |error: &dyn std::error::Error| format!("it cannot be reached: {error}");
        let opening = async {
            let stream = TcpStream::connect(instance.addr).await?;
            stream.set_nodelay(true)?;
            let mut builder = Builder::new(Here);
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(WINDOW.0)
                .initial_connection_window_size(WINDOW.1)
                .keep_alive_interval(ASK_AFTER)
                .keep_alive_timeout(ANSWER);
            builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)
        };
        let (sender, connection) = timeout(self.connect, opening)
            .await
            .map_err(|_| "it takes no connection in time".to_owned())?
            .map_err(|error| why(&error))?;
        let most = Rc::new(Cell::new(connection.current_max_send_streams()));
        let said = Rc::downgrade(&most);
        tokio::task::spawn_local(async move {
            let mut connection = pin!(connection);
            let ended = poll_fn(|cx| {
                let ended = connection.as_mut().poll(cx);
                if let Some(most) = said.upgrade() {
                    most.set(connection.current_max_send_streams());
                }
                ended
            });
            // Whoever sent a call hears of it as well, and decides what to do.
            if let Err(error) = ended.await {
                tracing::trace!(%error, "a connection to an instance ended");
            }
        });
        let channel = Channel { sender, calls: Place(most) };
        self.open.borrow_mut().entry(instance.key).or_default().push(channel.clone());
        Ok(channel)
    }

    /// Lets go of what was closed, and of instances that `serves` does not know: calls under way go
    /// on.
    pub(crate) fn sweep(&self, serves: impl Fn(u64) -> bool) {
        self.open.borrow_mut().retain(|&key, all| {
            all.retain(|it| !it.sender.is_closed());
            !all.is_empty() && serves(key)
        });
        self.speak.borrow_mut().retain(|&key| serves(key));
    }
}
