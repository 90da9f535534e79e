//! The one writer: a thread that takes what is queued and makes it durable together.
//!
//! Several transactions share one fsync; each has a savepoint of its own, so that a conflict of one
//! does not touch the others. Nobody is answered before the fsync.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::{Clock, SystemClock};
use crate::store::sqlite::apply::{self, Refusal};
use crate::store::sqlite::open::{self, Opened};
use crate::store::sqlite::{fault, read};
use crate::store::{CommitError, Committed, OpenError, Rev, Txn};

/// How many transactions may wait; who comes then waits for a place.
const QUEUE: usize = 1_024;

/// How many transactions share an fsync at most.
const TOGETHER: usize = 128;

type Answer<T> = oneshot::Sender<Result<T, CommitError>>;

enum Job {
    Commit(Txn, Answer<Committed>),
    Compact { history: Rev, appended: Rev, answer: Answer<u64> },
}

/// The writer as others see it. Dropping it waits until all that was queued is done.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    last: watch::Receiver<Rev>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(opened: Opened) -> Result<Self, OpenError> {
        let Opened { path, conn, lock } = opened;
        let engine = |source: rusqlite::Error| OpenError::Engine {
            path: path.clone(),
            source: Arc::new(source),
        };
        let first = read::last(&conn).map_err(engine)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (last_sender, last) = watch::channel(first);
        let writing =
            Writing { path: path.clone(), conn: Some(conn), last: last_sender, _lock: lock };
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writing.run(queue))
            .map_err(|source| OpenError::Io { path, source })?;
        Ok(Self { jobs: Some(jobs), last, thread: Some(thread) })
    }

    /// The last revision, as it grows. Ends with the writer.
    pub(super) fn last(&self) -> watch::Receiver<Rev> {
        self.last.clone()
    }

    pub(super) async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        txn.check()?;
        self.ask(|answer| Job::Commit(txn, answer)).await
    }

    pub(super) async fn compact(&self, history: Rev, appended: Rev) -> Result<u64, CommitError> {
        let mut gone = 0;
        loop {
            match self.ask(|answer| Job::Compact { history, appended, answer }).await? {
                0 => return Ok(gone),
                more => gone += more,
            }
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, CommitError> {
        let (answer, answered) = oneshot::channel();
        let Some(jobs) = &self.jobs else { return Err(fault::closed()) };
        jobs.send(job(answer)).await.map_err(|_| fault::closed())?;
        answered.await.unwrap_or_else(|_| Err(fault::closed()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends as soon as the queue is empty. Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// The writer's own side.
struct Writing {
    path: PathBuf,
    /// `None` after a failure: what `SQLite` holds in memory then is not believed any more.
    conn: Option<Connection>,
    last: watch::Sender<Rev>,
    _lock: File,
}

/// A job that was done within the open SQL transaction, not durable yet.
enum Done {
    Commit(Result<Committed, CommitError>, Answer<Committed>),
    Compact(u64, Answer<u64>),
}

/// Why a whole batch failed, for each of its jobs.
type Failure = Box<dyn Fn() -> CommitError>;

impl Writing {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < TOGETHER
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            self.write_together(jobs);
        }
    }

    fn write_together(&mut self, jobs: Vec<Job>) {
        let mut done = Vec::with_capacity(jobs.len());
        let mut waiting = jobs.into_iter();
        let outcome = self.write(&mut waiting, &mut done);
        match outcome {
            Ok(last) => {
                self.last.send_replace(last);
                for done in done {
                    done.answer();
                }
            }
            Err(failure) => {
                // Dropped, not repaired: the next batch begins from what is truly on disk.
                self.conn = None;
                for done in done {
                    done.fail(&failure);
                }
                for job in waiting {
                    job.fail(&failure);
                }
            }
        }
    }

    /// Does all jobs in one SQL transaction; the answer is the store's last revision then.
    fn write(
        &mut self,
        waiting: &mut impl Iterator<Item = Job>,
        done: &mut Vec<Done>,
    ) -> Result<Rev, Failure> {
        let taken_back = |error: rusqlite::Error| -> Failure {
            let error = Arc::new(error);
            Box::new(move || fault::of_write(&error))
        };
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => open::connect(&self.path).map_err(taken_back)?,
        };
        conn.execute_batch("BEGIN IMMEDIATE").map_err(taken_back)?;
        let at_ms = SystemClock.now().as_ms();
        for job in waiting {
            match job {
                Job::Commit(txn, answer) => match in_savepoint(&conn, &txn, at_ms) {
                    Ok(outcome) => done.push(Done::Commit(outcome, answer)),
                    Err(error) => {
                        let failure = taken_back(error);
                        let _ = answer.send(Err(failure()));
                        return Err(failure);
                    }
                },
                Job::Compact { history, appended, answer } => {
                    match apply::compact(&conn, history, appended) {
                        Ok(gone) => done.push(Done::Compact(gone, answer)),
                        Err(error) => {
                            let failure = taken_back(error);
                            let _ = answer.send(Err(failure()));
                            return Err(failure);
                        }
                    }
                }
            }
        }
        let last = read::last(&conn).map_err(taken_back)?;
        conn.execute_batch("COMMIT").map_err(|error| -> Failure {
            let error = Arc::new(error);
            Box::new(move || fault::of_sync(&error))
        })?;
        self.conn = Some(conn);
        Ok(last)
    }
}

/// Does `txn`, or takes back all of it where the documents are not as it expects.
fn in_savepoint(
    conn: &Connection,
    txn: &Txn,
    at_ms: u64,
) -> rusqlite::Result<Result<Committed, CommitError>> {
    conn.execute_batch("SAVEPOINT txn")?;
    let outcome = match apply::apply(conn, txn, at_ms) {
        Ok(committed) => Ok(committed),
        Err(Refusal::Caller(refusal)) => {
            conn.execute_batch("ROLLBACK TO txn")?;
            Err(refusal)
        }
        Err(Refusal::Engine(error)) => return Err(error),
    };
    conn.execute_batch("RELEASE txn")?;
    Ok(outcome)
}

impl Job {
    fn fail(self, failure: &Failure) {
        // Who asked may have gone; there is nobody else to tell.
        match self {
            Self::Commit(_, answer) => drop(answer.send(Err(failure()))),
            Self::Compact { answer, .. } => drop(answer.send(Err(failure()))),
        }
    }
}

impl Done {
    fn answer(self) {
        match self {
            Self::Commit(outcome, answer) => drop(answer.send(outcome)),
            Self::Compact(gone, answer) => drop(answer.send(Ok(gone))),
        }
    }

    fn fail(self, failure: &Failure) {
        match self {
            Self::Commit(_, answer) => drop(answer.send(Err(failure()))),
            Self::Compact(_, answer) => drop(answer.send(Err(failure()))),
        }
    }
}
