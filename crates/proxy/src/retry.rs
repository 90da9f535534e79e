//! A request is tried until an instance answers, or until trying again would do harm.
//!
//! Nothing was sent: try another instance. It may have been carried out: repeat it only where that
//! is harmless, once, and within a budget that keeps a failing app from being asked twice as much.
//! No instance left: wait a moment for one to come back.

mod attempt;
mod park;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use toehold_core::model::{Number, Track};

use crate::clock;
use crate::meter::{Flight, Meter};
use crate::page::Page;
use crate::retry::attempt::Trouble;
use crate::route::{App, Choice, Table, Tried, choose};
use crate::upload::{Fault, Upload};
use crate::upstream::Lease;
use crate::visit::Visit;
use crate::worker::Worker;

/// The most times in a row that a request nothing was sent of goes to another instance at once.
const MAX_UNSENT: u32 = 2;

/// The most times that a request is repeated which may have been carried out.
const MAX_REPEATED: u32 = 1;

/// A request ready to be sent.
pub(crate) struct Job {
    pub(crate) request: Request<Upload>,
    /// Whether carrying it out twice has the effect of once.
    pub(crate) idempotent: bool,
    /// The arm that the visitor's cookie names.
    pub(crate) kept: Option<(Track, Number)>,
    /// The visitor's side of the upgrade it asks for.
    pub(crate) upgrade: Option<OnUpgrade>,
    pub(crate) http_10: bool,
}

/// An answer of an instance, its body still to come.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    pub(crate) flight: Flight,
    /// The visitor's side of an upgrade that was asked for and agreed to.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Keeps the visitor on the arm that was drawn just now.
    pub(crate) cookie: Option<HeaderValue>,
    /// The visitor knows the end of an answer only by the end of the connection.
    pub(crate) http_10: bool,
}

/// A request under way.
pub(crate) struct Run<'a> {
    worker: &'a Rc<Worker>,
    visit: &'a Visit,
    table: Arc<Table>,
    app: Arc<App>,
    begun: Instant,
    /// When this try began, in microseconds since 1970.
    at_us: u64,
    /// The arm it belongs to, once it is known.
    arm: Option<(Track, Number)>,
    tried: Tried,
    unsent: u32,
    repeated: u32,
    /// A kept connection broke, which is no proof against its instance: that may be tried again.
    forgiving: bool,
    /// A connection broke: no kept one is trusted any more.
    wary: bool,
    /// What to say where no other instance is left.
    page: Page,
    /// Where the try before failed.
    failed_at: Option<Arc<Meter>>,
}

impl<'a> Run<'a> {
    /// A request for `app` that begins now, if that is still there.
    pub(crate) fn new(worker: &'a Rc<Worker>, visit: &'a Visit, app: &App) -> Result<Self, Page> {
        // The moment before the routes: whoever began after they were swapped has seen the new
        // ones.
        let at_us = clock::now_us();
        let table = worker.table();
        let app = table.named(&app.name).ok_or(Page::NO_APP)?.clone();
        Ok(Self {
            worker,
            visit,
            table,
            app,
            begun: Instant::now(),
            at_us,
            arm: None,
            tried: Tried::default(),
            unsent: 0,
            repeated: 0,
            forgiving: false,
            wary: false,
            page: Page::NO_ANSWER,
            failed_at: None,
        })
    }

    /// Sends the request until it is answered; the page says why it is not.
    pub(crate) async fn finish(mut self, job: Job) -> Result<Answered, Page> {
        let Job { request, idempotent, kept, upgrade, http_10 } = job;
        self.arm = kept;
        let spare = if idempotent { again(&request) } else { None };
        let mut request = request;
        loop {
            let choice = self.choose().await?;
            self.arm = Some((choice.track, choice.release));
            let meter = &choice.instance.meter;
            if let Some(failed_at) = self.failed_at.replace(meter.clone()) {
                failed_at.retried(self.worker.index);
            }
            let flight = Flight::begin(meter, self.worker.index, self.at_us);
            let sent = Instant::now();
            match self.attempt(&choice.instance, request, spare.is_some()).await {
                Ok((response, lease)) => {
                    let status = response.status();
                    meter.answered(self.worker.index, status.as_u16(), micros(sent));
                    if choice.instance.answered(sent) {
                        self.worker.shared.taken_back(&choice.instance);
                    }
                    if status == StatusCode::SWITCHING_PROTOCOLS && upgrade.is_none() {
                        return Err(Page::GARBLED);
                    }
                    let cookie = self.cookie(&choice, kept);
                    return Ok(Answered { response, lease, flight, upgrade, cookie, http_10 });
                }
                Err(trouble) => request = self.judge(&choice, trouble, spare.as_ref())?,
            }
            self.look()?;
        }
    }

    /// The instance to try next; waits for one where none is left.
    async fn choose(&mut self) -> Result<Choice, Page> {
        loop {
            if !self.app.serves() {
                return Err(Page::NO_INSTANCE);
            }
            if self.unsent <= MAX_UNSENT {
                let random = || fastrand::u64(..);
                if let Some(choice) = choose(&self.app, self.arm, &self.tried, random) {
                    return Ok(choice);
                }
                if std::mem::take(&mut self.forgiving) {
                    // The same instance over a fresh connection: as if it had not been asked.
                    self.repeated -= 1;
                    self.tried = Tried::default();
                    continue;
                }
            }
            self.park().await?;
        }
    }

    /// What a failed try means: the request for the next one, or the page that ends it.
    fn judge(
        &mut self,
        choice: &Choice,
        trouble: Trouble,
        spare: Option<&Request<Upload>>,
    ) -> Result<Request<Upload>, Page> {
        let instance = &choice.instance;
        let (worker, shared) = (self.worker, &self.worker.shared);
        self.tried.add(instance);
        match trouble {
            Trouble::Ours => Err(Page::BUSY),
            Trouble::Visitors(fault) => Err(upload_page(fault)),
            Trouble::Unsent { request, why } => {
                instance.meter.failed(worker.index);
                shared.set_aside(instance, &why);
                self.unsent += 1;
                Ok(*request)
            }
            Trouble::TooSlow => {
                instance.meter.failed(worker.index);
                Err(Page::TOO_SLOW)
            }
            Trouble::Broken { reused } => {
                instance.meter.failed(worker.index);
                self.forgiving = reused;
                self.wary = true;
                if !reused {
                    shared.set_aside(instance, "it broke off without an answer");
                }
                self.repeat(spare, Page::BROKEN, true)
            }
            Trouble::CutOff => {
                instance.meter.failed(worker.index);
                self.wary = true;
                shared.set_aside(instance, "its machine does not answer");
                // Who is cut off is not asked twice as much by it.
                self.repeat(spare, Page::BROKEN, false)
            }
            Trouble::Garbled => {
                instance.meter.failed(worker.index);
                self.repeat(spare, Page::GARBLED, true)
            }
        }
    }

    /// The same request once more, where that is harmless and, if it is `paid`, within the budget.
    fn repeat(
        &mut self,
        spare: Option<&Request<Upload>>,
        page: Page,
        paid: bool,
    ) -> Result<Request<Upload>, Page> {
        let request = spare.and_then(again).ok_or(page)?;
        if self.repeated == MAX_REPEATED || paid && !self.app.meter.spend(self.worker.index) {
            return Err(page);
        }
        self.repeated += 1;
        self.page = page;
        Ok(request)
    }

    /// Looks at the routes anew: the next try begins now.
    fn look(&mut self) -> Result<(), Page> {
        self.at_us = clock::now_us();
        let table = self.worker.table();
        if !Arc::ptr_eq(&table, &self.table) {
            self.app = table.named(&self.app.name).ok_or(Page::NO_APP)?.clone();
            self.table = table;
        }
        Ok(())
    }

    /// Keeps the visitor on the arm that answered, unless a cookie did so already.
    fn cookie(&self, choice: &Choice, kept: Option<(Track, Number)>) -> Option<HeaderValue> {
        if !self.app.sticky || !self.app.is_split() || self.app.serves_arm(kept) {
            return None;
        }
        let arm = (choice.track, choice.release);
        self.table.key.cookie(&self.app.name, arm, self.visit.https)
    }
}

/// The same request, where its body is all there.
fn again(request: &Request<Upload>) -> Option<Request<Upload>> {
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// What to say of a body that could not be taken.
pub(crate) const fn upload_page(fault: Fault) -> Page {
    match fault {
        Fault::TooLarge => Page::BODY_TOO_LARGE,
        Fault::Broken => Page::UPLOAD_BROKEN,
        Fault::TooSlow => Page::UPLOAD_TOO_SLOW,
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
