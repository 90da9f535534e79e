//! The access log: a line for each request, written by a thread of its own. Whoever serves never
//! waits for it: where the lines come faster than they can be written, some are dropped and counted.

mod line;
mod write;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use toehold_core::model::{AppName, InstanceId, Number, Track};
use toehold_http::{Request, Version};

use crate::access::write::Writer;
use crate::clock;
use crate::headers::Id;
use crate::instance::Instance;

/// The most lines that wait to be written.
const QUEUE: usize = 4096;

/// The most bytes of a path, a referrer or a user agent that are kept.
const MAX_BYTES: usize = 2048;

/// The longest the last lines may take to be written, where the proxy ends.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How often is looked whether they are.
const LOOK: Duration = Duration::from_millis(5);

/// Where the access log goes, and in which form.
#[derive(Debug)]
pub struct AccessLog {
    /// Where it goes.
    pub to: AccessTo,
    /// What a line looks like.
    pub format: AccessFormat,
}

/// Where an access log goes.
#[derive(Debug)]
pub enum AccessTo {
    /// A file, which is opened anew once another one, or none, is at this path.
    Path(PathBuf),
    /// Something that is open.
    Open(File),
}

/// What a line of an access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// An object in JSON.
    #[default]
    Json,
    /// The combined format, which many programs read.
    Combined,
}

/// The access log, as whoever serves knows it.
#[derive(Debug)]
pub(crate) struct Access {
    queue: SyncSender<Option<Entry>>,
    dropped: AtomicU64,
}

/// The thread that writes.
pub(crate) struct Writing(thread::JoinHandle<()>);

/// What is written of a request.
#[derive(Debug)]
pub(crate) struct Entry {
    method: Box<str>,
    target: Box<[u8]>,
    version: &'static str,
    referrer: Option<Box<[u8]>>,
    agent: Option<Box<[u8]>>,
    begun: Instant,
    app: Option<AppName>,
    /// What answered, or was asked last.
    asked: Option<Asked>,
    tries: u32,
    pub(crate) status: u16,
    end: Option<End>,
}

#[derive(Debug)]
struct Asked {
    instance: InstanceId,
    track: Track,
    release: Number,
}

/// What is known at the end.
#[derive(Debug)]
struct End {
    at_us: u64,
    took: Duration,
    client: Box<str>,
    id: Box<str>,
    /// Bytes of the body.
    bytes: u64,
    /// All that was to be said was.
    whole: bool,
}

impl Access {
    /// Opens the log, and starts the thread that writes it.
    pub(crate) fn open(log: AccessLog) -> std::io::Result<(Self, Writing)> {
        let writer = Writer::open(log)?;
        let (queue, entries) = sync_channel(QUEUE);
        let thread =
            thread::Builder::new().name("access-log".into()).spawn(move || writer.run(&entries))?;
        Ok((Self { queue, dropped: AtomicU64::new(0) }, Writing(thread)))
    }

    /// A request is through.
    pub(crate) fn say(&self, entry: Entry) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(Some(entry))
            && self.dropped.fetch_add(1, Ordering::Relaxed).is_power_of_two()
        {
            tracing::warn!("the access log cannot be written fast enough: lines are dropped");
        }
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Nothing more is said: what waits is written, for a moment.
    pub(crate) fn end(&self, writing: &Writing) {
        let until = Instant::now() + LAST_LINES;
        let mut told = false;
        while !writing.0.is_finished() && Instant::now() < until {
            told = told || self.queue.try_send(None).is_ok();
            thread::sleep(LOOK);
        }
    }
}

impl Entry {
    /// Of a request that begins.
    pub(crate) fn of(request: &Request<'_, '_>, app: Option<&AppName>, begun: Instant) -> Self {
        let field = |name: &str| {
            let mut fields = request.fields.iter();
            let field = fields.find(|it| it.name.eq_ignore_ascii_case(name));
            field.map(|it| kept(it.value))
        };
        let (slash, path) = (request.slash.as_bytes(), request.path.as_bytes());
        Self {
            method: request.method.into(),
            target: kept(&[slash, path].concat()),
            version: match request.version {
                Version::Http10 => "HTTP/1.0",
                Version::Http11 => "HTTP/1.1",
            },
            referrer: field("referer"),
            agent: field("user-agent"),
            begun,
            app: app.cloned(),
            asked: None,
            tries: 0,
            status: 0,
            end: None,
        }
    }

    /// The same of a call of gRPC.
    pub(crate) fn of_call<B>(call: &hyper::Request<B>, begun: Instant) -> Self {
        let path = call.uri().path_and_query().map_or("", |path| path.as_str());
        let agent = call.headers().get(hyper::header::USER_AGENT);
        Self {
            method: call.method().as_str().into(),
            target: kept(path.as_bytes()),
            version: "HTTP/2.0",
            agent: agent.map(|agent| kept(agent.as_bytes())),
            ..Self::unread(begun)
        }
    }

    /// It came by HTTP/2.
    pub(crate) const fn is_http_2(&mut self) {
        self.version = "HTTP/2.0";
    }

    /// It is for this app.
    pub(crate) fn is_for(&mut self, app: &AppName) {
        self.app = Some(app.clone());
    }

    /// Of something that was refused before it could be read.
    pub(crate) fn unread(begun: Instant) -> Self {
        Self {
            method: "-".into(),
            target: Box::from(*b"-"),
            version: "-",
            referrer: None,
            agent: None,
            begun,
            app: None,
            asked: None,
            tries: 0,
            status: 0,
            end: None,
        }
    }

    /// An instance is asked.
    pub(crate) fn asks(&mut self, instance: &Instance, track: Track, release: Number) {
        self.asked = Some(Asked { instance: instance.id.clone(), track, release });
        self.tries += 1;
    }

    /// It is through.
    pub(crate) fn ends(&mut self, client: &str, id: &Id, bytes: u64, whole: bool) {
        self.end = Some(End {
            at_us: clock::now_us(),
            took: self.begun.elapsed(),
            client: client.into(),
            id: id.as_str().into(),
            bytes,
            whole,
        });
    }
}

/// What is kept of something a visitor said.
fn kept(bytes: &[u8]) -> Box<[u8]> {
    match bytes.get(..MAX_BYTES) {
        Some(begin) if bytes.len() > MAX_BYTES => [begin, b"..."].concat().into(),
        _ => bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_waits_for_no_line_and_those_that_are_dropped_are_counted() {
        let (queue, entries) = sync_channel(2);
        let access = Access { queue, dropped: AtomicU64::new(0) };
        for _ in 0..5 {
            access.say(Entry::unread(Instant::now()));
        }
        assert_eq!((entries.try_iter().count(), access.dropped()), (2, 3));
        drop(entries);
        access.say(Entry::unread(Instant::now()));
        assert_eq!(access.dropped(), 4);
    }
}
