//! A request is tried until an instance answers, or until trying again would do harm.
//!
//! Nothing was sent: try another instance. It may have been carried out: repeat it only where that
//! is harmless, once, and within a budget that keeps a failing app from being asked twice as much.
//! No instance left: wait a moment for one to come back. No such file: ask another release, once.

mod beside;
mod park;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use toehold_core::balance;
use toehold_core::model::{Number, Track};

use crate::ask::{Ask, Goal, Halt};
use crate::attempt::{Answered, Attempt, Trouble};
use crate::clock;
use crate::meter::{Flight, Meter};
use crate::page::Page;
use crate::retry::beside::Beside;
use crate::route::{Aim, App, Choice, Table, Tried, choose};
use crate::visitor::Visitor;
use crate::worker::Worker;

/// The most times in a row that a request nothing was sent of goes to another instance at once.
const MAX_UNSENT: u32 = 2;

/// The most times that a request is repeated which may have been carried out.
const MAX_REPEATED: u32 = 1;

/// Why a request gets no answer of an instance.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The page says why.
    Page(Page),
    /// The visitor went away: there is nobody to answer.
    Gone,
}

impl From<Page> for Stop {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

/// A request under way.
pub(crate) struct Run<'a> {
    worker: &'a Rc<Worker>,
    goal: &'a Goal,
    /// The routes that were looked at last.
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
    beside: Beside,
    /// Where the try before failed.
    failed_at: Option<Arc<Meter>>,
}

impl<'a> Run<'a> {
    /// A request that came at this moment.
    pub(crate) fn new(worker: &'a Rc<Worker>, goal: &'a Goal, begun: Instant) -> Self {
        Self {
            worker,
            goal,
            table: goal.table.clone(),
            app: goal.app.clone(),
            begun,
            at_us: goal.at_us,
            arm: goal.kept,
            tried: Tried::default(),
            unsent: 0,
            repeated: 0,
            forgiving: false,
            wary: false,
            page: Page::NO_ANSWER,
            beside: Beside::NotYet,
            failed_at: None,
        }
    }

    /// Sends the request until it is answered.
    pub(crate) async fn finish(
        &mut self,
        visitor: &mut Visitor,
        ask: &mut Ask,
    ) -> Result<Answered, Stop> {
        let repeatable = self.goal.idempotent && ask.upload.is_small();
        if repeatable && !ask.upload.has_come() {
            Box::pin(self.read_whole(visitor, ask)).await?;
            // The body may have taken a while to arrive.
            self.look()?;
        }
        loop {
            let choice = self.choose(visitor).await?;
            if self.beside != Beside::Asked {
                self.arm = Some((choice.track, choice.release));
            }
            if let Some(entry) = &mut ask.entry {
                entry.asks(&choice.instance, choice.track, choice.release);
            }
            let meter = &choice.instance.meter;
            let failed_at = self.failed_at.replace(meter.clone());
            if let Some(failed_at) = &failed_at {
                failed_at.retried(self.worker.index);
            }
            // What the routes had no part in says nothing about them.
            let at_us = self.goal.forced.is_none().then_some(self.at_us);
            let flight = Flight::begin(meter, self.worker.index, at_us);
            let sent = match (ask.upload.came(), &failed_at) {
                // Asking for the time again would say the same.
                ((came, true), None) => came,
                _ => Instant::now(),
            };
            let cookie = self.cookie(&choice, visitor);
            let attempt = Attempt {
                worker: self.worker,
                instance: &choice.instance,
                begun: self.begun,
                tried: sent,
                timeout: self.app.timeout,
                repeatable,
                wary: self.wary,
                cookie: cookie.as_deref(),
                beside: self.beside(&choice, repeatable),
            };
            match attempt.run(visitor, ask).await {
                Ok((head, line)) => {
                    self.count(&choice, head.status, sent, head.at);
                    return Ok(Answered { head, line, flight });
                }
                Err(Trouble::Missing { at, .. }) => {
                    // It is its answer, though the visitor may get another: who judges a release
                    // by what it answers should see what it lacks.
                    self.count(&choice, 404, sent, at);
                    self.ask_beside();
                }
                Err(trouble) => {
                    let is_spare = self.beside == Beside::Asked && trouble.is_the_instances();
                    let judged = self.judge(&choice, trouble, repeatable);
                    if is_spare {
                        self.go_back();
                    } else {
                        judged?;
                    }
                }
            }
            ask.upload.rewind();
            self.look()?;
        }
    }

    /// An instance answered with this status, at this moment, what was sent at that.
    fn count(&self, choice: &Choice, status: u16, sent: Instant, at: Instant) {
        let (instance, shared) = (&choice.instance, &self.worker.shared);
        let took = at.saturating_duration_since(sent);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        instance.meter.answered(self.worker.index, status, self.at_us, took_us);
        if balance::is_failure(status) {
            shared.falters(instance, &format!("it answered {status}"));
        } else {
            instance.is_steady();
        }
        if instance.answered(sent) {
            shared.taken_back(instance);
        }
    }

    /// Reads the body whole, so that the request can be sent again.
    async fn read_whole(&self, visitor: &mut Visitor, ask: &mut Ask) -> Result<(), Stop> {
        match ask.upload.whole(self.worker, visitor, self.begun + self.app.timeout).await {
            Ok(()) => Ok(()),
            Err(Halt::Visitors(fault)) => Err(fault.page().into()),
            Err(_) => Err(Stop::Gone),
        }
    }

    /// The instance to try next; waits for one where none is left.
    async fn choose(&mut self, visitor: &mut Visitor) -> Result<Choice, Stop> {
        loop {
            if !self.app.serves() {
                return Err(Page::NO_INSTANCE.into());
            }
            if self.unsent <= MAX_UNSENT {
                let random = || fastrand::u64(..);
                let by = (self.worker.index, self.at_us);
                if let Some(choice) = choose(&self.app, self.aim(), &self.tried, by, random) {
                    return Ok(choice);
                }
                if self.beside == Beside::Asked {
                    self.go_back();
                    continue;
                }
                if std::mem::take(&mut self.forgiving) {
                    // The same instance over a fresh connection: as if it had not been asked.
                    self.repeated -= 1;
                    self.tried = Tried::default();
                    continue;
                }
            }
            if self.goal.forced.is_some() {
                // Who wants to see this one is told that it cannot be seen.
                return Err(self.page.into());
            }
            let worker = self.worker;
            Box::pin(visitor.while_there(worker, self.park())).await.ok_or(Stop::Gone)??;
        }
    }

    /// The arm to ask.
    fn aim(&self) -> Aim {
        match (self.goal.forced, self.arm) {
            (Some(track), _) => Aim::Forced(track),
            (None, Some((track, _))) if self.beside == Beside::Asked => Aim::Beside(track),
            (None, Some(arm)) => Aim::Kept(arm),
            (None, None) => Aim::Drawn,
        }
    }

    /// What a failed try means: another one, or the end.
    fn judge(&mut self, choice: &Choice, trouble: Trouble, repeatable: bool) -> Result<(), Stop> {
        let instance = &choice.instance;
        let (worker, shared) = (self.worker, &self.worker.shared);
        self.tried.add(instance);
        match trouble {
            Trouble::Ours => Err(Page::BUSY.into()),
            Trouble::Visitors(fault) => Err(fault.page().into()),
            Trouble::Gone => Err(Stop::Gone),
            // It is an answer, and judged as one.
            Trouble::Missing { .. } => Ok(()),
            Trouble::Unsent { why } => {
                instance.meter.failed(worker.index);
                shared.set_aside(instance, &why);
                self.unsent += 1;
                Ok(())
            }
            Trouble::TooSlow => {
                instance.meter.failed(worker.index);
                shared.falters(instance, "it did not answer in time");
                Err(Page::TOO_SLOW.into())
            }
            Trouble::Broken { reused } => {
                instance.meter.failed(worker.index);
                self.forgiving = reused;
                self.wary = true;
                if !reused {
                    shared.set_aside(instance, "it broke off without an answer");
                }
                self.repeat(repeatable, Page::BROKEN, true)
            }
            Trouble::CutOff => {
                instance.meter.failed(worker.index);
                self.wary = true;
                shared.set_aside(instance, "its machine does not answer");
                // Who is cut off is not asked twice as much by it.
                self.repeat(repeatable, Page::BROKEN, false)
            }
            Trouble::Garbled => {
                instance.meter.failed(worker.index);
                shared.falters(instance, "what it said was not HTTP");
                self.repeat(repeatable, Page::GARBLED, true)
            }
        }
    }

    /// The same request once more, where that is harmless and, if it is `paid`, within the budget.
    fn repeat(&mut self, repeatable: bool, page: Page, paid: bool) -> Result<(), Stop> {
        let spent = self.repeated == MAX_REPEATED;
        if !repeatable || spent || paid && !self.app.meter.spend(self.worker.index) {
            return Err(page.into());
        }
        self.repeated += 1;
        self.page = page;
        Ok(())
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

    /// Keeps the visitor on the arm that answers, unless a cookie did so already, or it was named, or
    /// is only asked for a file.
    fn cookie(&self, choice: &Choice, visitor: &Visitor) -> Option<String> {
        let is_chosen = self.goal.forced.is_none() && self.beside != Beside::Asked;
        if !is_chosen
            || !self.app.sticky
            || !self.app.is_split()
            || self.app.serves_arm(self.goal.kept)
        {
            return None;
        }
        let arm = (choice.track, choice.release);
        self.table.key.cookie(&self.app.name, arm, visitor.https)
    }
}
