//! Connections of HTTP/2 to instances, shared by the calls of a thread: one for each, and more where
//! more calls are under way than one takes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use ::h2::client::{Builder, ResponseFuture, SendRequest};
use ::h2::{Error, SendStream};
use bytes::Bytes;
use hyper::Request;
use hyper::http::request::Parts;

use crate::instance::Instance;
use crate::limits::Limits;
use crate::upstream::{Undialled, dial};

/// How much of an answer an instance may send ahead, in bytes, and the same for all answers of a
/// connection: no bound, since calls that nobody reads would use it up for those of others.
const WINDOW: (u32, u32) = (64 * 1024, (1 << 31) - 1);

/// How much of a call waits to be sent that the instance has room for, in bytes.
const MAX_SENT_AHEAD: usize = 32 * 1024;

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
    sender: SendRequest<Bytes>,
    place: Place,
}

/// A call's place on a connection, for as long as this lives; the connection holds one itself. It
/// knows whether that is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Rc<Cell<bool>>);

/// A call that was begun.
pub(crate) struct Begun {
    /// The head of its answer.
    pub(crate) response: ResponseFuture,
    /// Its body.
    pub(crate) to: SendStream<Bytes>,
    pub(crate) place: Place,
}

impl Channel {
    fn calls(&self) -> usize {
        Rc::strong_count(&self.place.0) - 1
    }

    fn is_gone(&self) -> bool {
        self.place.0.get()
    }

    /// Whether the instance takes one more call on it at once.
    fn is_free(&self) -> bool {
        !self.is_gone() && self.calls() < self.sender.current_max_send_streams()
    }

    /// Begins a call; `ended`: it has no body. An error: nothing of it was sent.
    async fn begin(self, head: &Parts, ended: bool) -> Result<Begun, Error> {
        let mut sender = self.sender.ready().await?;
        let call = Request::from_parts(head.clone(), ());
        let (response, to) = sender.send_request(call, ended)?;
        Ok(Begun { response, to, place: self.place })
    }
}

impl Channels {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { open: RefCell::default(), speak: RefCell::default(), connect: limits.connect }
    }

    /// Begins a call at an instance. An error says why nothing of it could be sent.
    pub(crate) async fn begin(
        &self,
        instance: &Instance,
        head: &Parts,
        ended: bool,
    ) -> Result<Begun, Undialled> {
        let free = |all: &Vec<Channel>| all.iter().find(|it| it.is_free()).cloned();
        let kept = self.open.borrow().get(&instance.key).and_then(free);
        if let Some(channel) = kept
            && let Ok(begun) = channel.begin(head, ended).await
        {
            return Ok(begun);
        }
        // None is there, or it closed just then: a fresh one settles it.
        let fresh = self.open(instance).await?;
        fresh.begin(head, ended).await.map_err(|error| unasked(&error))
    }

    /// An instance has answered a call: it speaks HTTP/2.
    pub(crate) fn spoke(&self, instance: &Instance) {
        self.speak.borrow_mut().insert(instance.key);
    }

    /// Whether an instance has ever answered a call.
    pub(crate) fn speaks(&self, instance: &Instance) -> bool {
        self.speak.borrow().contains(&instance.key)
    }

    async fn open(&self, instance: &Instance) -> Result<Channel, Undialled> {
        let stream = dial(instance, self.connect).await?;
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(WINDOW.0)
            .initial_connection_window_size(WINDOW.1)
            .max_send_buffer_size(MAX_SENT_AHEAD);
        let (sender, connection) =
            builder.handshake(stream).await.map_err(|error| unasked(&error))?;
        let channel = Channel { sender, place: Place::default() };
        let gone = Rc::downgrade(&channel.place.0);
        tokio::task::spawn_local(async move {
            // Whoever began a call hears of it as well, and decides what to do.
            if let Err(error) = connection.await {
                tracing::trace!(%error, "a connection to an instance ended");
            }
            if let Some(gone) = gone.upgrade() {
                gone.set(true);
            }
        });
        self.open.borrow_mut().entry(instance.key).or_default().push(channel.clone());
        Ok(channel)
    }

    /// Lets go of what was closed, of all that nobody needs but one for each instance, and of
    /// instances that `serves` does not know: calls under way go on.
    pub(crate) fn sweep(&self, serves: impl Fn(u64) -> bool) {
        self.open.borrow_mut().retain(|&key, all| {
            let mut spare = 0;
            all.retain(|it| {
                spare += usize::from(it.calls() == 0 && !it.is_gone());
                !it.is_gone() && (it.calls() > 0 || spare <= 1)
            });
            !all.is_empty() && serves(key)
        });
        self.speak.borrow_mut().retain(|&key| serves(key));
    }
}

fn unasked(error: &Error) -> Undialled {
    Undialled::Theirs(format!("it cannot be asked: {error}"))
}
