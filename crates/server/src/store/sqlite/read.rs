//! Reading: each question is answered from one snapshot, beside the writer and never waiting for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use toehold_core::time::Timestamp;
use tokio::sync::Semaphore;

use crate::store::sqlite::fault;
use crate::store::{Doc, Fault, Key, LogEntry, LogRange, Op, Rev};

/// How many questions are answered at a time; the others wait.
const AT_ONCE: usize = 4;

/// Connections for reading, made as they are needed.
#[derive(Clone)]
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    slots: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        Self { shared: Arc::new(Shared { path, idle: Mutex::default(), slots }) }
    }

    /// Answers `question` from one snapshot, off the runtime's own threads.
    pub(super) fn read<T, F>(
        &self,
        question: F,
    ) -> impl Future<Output = Result<T, Fault>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let shared = self.shared.clone();
        async move {
            let slot = shared.slots.clone().acquire_owned().await;
            let answer = tokio::task::spawn_blocking(move || {
                let _slot = slot;
                shared.answer(question)
            });
            match answer.await {
                Ok(answer) => answer.map_err(fault::of_read),
                Err(_) => Err(Fault { reason: "the store was closed".to_owned(), source: None }),
            }
        }
    }
}

impl Shared {
    fn answer<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect()?,
        };
        let snapshot = conn.transaction()?;
        let answer = question(&snapshot)?;
        snapshot.finish()?;
        // A connection whose question failed is not used again.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        Ok(answer)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }
}

pub(super) fn rev_of_sql(rev: i64) -> Rev {
    Rev(u64::try_from(rev).unwrap_or(0))
}

pub(super) fn sql_of_rev(rev: Rev) -> i64 {
    i64::try_from(rev.0).unwrap_or(i64::MAX)
}

/// The revision of the document at `key`; [`Rev::NONE`] where there is none.
pub(super) fn rev(conn: &Connection, key: &Key) -> rusqlite::Result<Rev> {
    let rev = conn
        .prepare_cached("SELECT rev FROM doc WHERE key = ?1")?
        .query_row(params![key.as_str()], |row| row.get(0).map(rev_of_sql))
        .optional()?;
    Ok(rev.unwrap_or(Rev::NONE))
}

pub(super) fn get(conn: &Connection, key: &Key) -> rusqlite::Result<Option<Doc>> {
    conn.prepare_cached("SELECT key, rev, value FROM doc WHERE key = ?1")?
        .query_row(params![key.as_str()], doc)
        .optional()
}

pub(super) fn list(conn: &Connection, prefix: &str) -> rusqlite::Result<(Vec<Doc>, Rev)> {
    let docs = conn
        .prepare_cached(
            "SELECT key, rev, value FROM doc WHERE key >= ?1 AND key < ?2 ORDER BY key",
        )?
        .query_map(params![prefix, end_of(prefix)], doc)?
        .collect::<Result<_, _>>()?;
    Ok((docs, last(conn)?))
}

/// The last revision that was made, also where its entry is forgotten.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<Rev> {
    let last = conn
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'event'")?
        .query_row([], |row| row.get(0).map(rev_of_sql))
        .optional()?;
    Ok(last.unwrap_or(Rev::NONE))
}

/// Up to which revision entries under `prefix` may be missing.
pub(super) fn compacted(conn: &Connection, prefix: &str) -> rusqlite::Result<Rev> {
    let only_events = prefix.starts_with(Key::EVENTS);
    conn.prepare_cached("SELECT max(value) FROM meta WHERE name IN ('compacted_appended', ?1)")?
        .query_row(
            params![if only_events { "compacted_appended" } else { "compacted_history" }],
            |row| row.get(0).map(rev_of_sql),
        )
}

pub(super) fn log(
    conn: &Connection,
    prefix: &str,
    range: LogRange,
    limit: usize,
) -> rusqlite::Result<Vec<LogEntry>> {
    // The unary plus keeps the search on the revision, which is where the entries lie in order.
    let (sql, bound) = match range {
        LogRange::After(rev) => (
            "SELECT rev, at_ms, op, key, actor, value FROM event \
             WHERE rev > ?1 AND +key >= ?2 AND +key < ?3 ORDER BY rev LIMIT ?4",
            rev,
        ),
        LogRange::Before(rev) => (
            "SELECT rev, at_ms, op, key, actor, value FROM event \
             WHERE rev < ?1 AND +key >= ?2 AND +key < ?3 ORDER BY rev DESC LIMIT ?4",
            rev,
        ),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    conn.prepare_cached(sql)?
        .query_map(params![sql_of_rev(bound), prefix, end_of(prefix), limit], entry)?
        .collect()
}

/// The first text after all that begin with `prefix`, given that keys are ASCII.
fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{7f}")
}

fn doc(row: &Row<'_>) -> rusqlite::Result<Doc> {
    Ok(Doc { key: key(row, 0)?, rev: rev_of_sql(row.get(1)?), value: row.get(2)? })
}

fn entry(row: &Row<'_>) -> rusqlite::Result<LogEntry> {
    let op: String = row.get(2)?;
    let op = match op.as_str() {
        "put" => Op::Put,
        "delete" => Op::Delete,
        "append" => Op::Append,
        other => return Err(unreadable(2, format!("{other:?} is no change"))),
    };
    Ok(LogEntry {
        rev: rev_of_sql(row.get(0)?),
        at: Timestamp::from_ms(u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)),
        key: key(row, 3)?,
        op,
        actor: row.get(4)?,
        value: row.get(5)?,
    })
}

fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Key> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
