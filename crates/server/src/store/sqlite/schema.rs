//! The tables, and their versions.

use rusqlite::Connection;

/// The newest schema this version knows; each step of [`STEPS`] adds one.
pub(super) const VERSION: i64 = 1;

/// Marks the file as ours: `TOEH`.
pub(super) const APPLICATION_ID: i64 = 0x544F_4548;

/// The steps from one schema to the next, the first from an empty file. Never changed once
/// released, only added to.
const STEPS: [&str; 1] = ["
    CREATE TABLE doc (
        key   TEXT PRIMARY KEY NOT NULL,
        rev   INTEGER NOT NULL,
        value TEXT NOT NULL
    ) STRICT;
    CREATE TABLE event (
        rev   INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        op    TEXT NOT NULL CHECK (op IN ('put', 'delete', 'append')),
        key   TEXT NOT NULL,
        actor TEXT NOT NULL,
        op_id TEXT,
        value TEXT
    ) STRICT;
    CREATE TABLE op (
        op_id TEXT PRIMARY KEY NOT NULL,
        rev   INTEGER NOT NULL,
        revs  TEXT NOT NULL
    ) STRICT;
    CREATE TABLE meta (
        name  TEXT PRIMARY KEY NOT NULL,
        value INTEGER NOT NULL
    ) STRICT;
    INSERT INTO meta VALUES ('compacted_history', 0), ('compacted_appended', 0);
"];

/// Brings a file from schema `from` to [`VERSION`], whole or not at all.
pub(super) fn migrate(conn: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(from).unwrap_or(0);
    let txn = conn.transaction()?;
    for step in STEPS.iter().skip(done) {
        txn.execute_batch(step)?;
    }
    txn.pragma_update(None, "application_id", APPLICATION_ID)?;
    txn.pragma_update(None, "user_version", VERSION)?;
    txn.commit()
}

/// The schema of a file of ours; `None` where it is not ours.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    let id: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((id == APPLICATION_ID && version > 0).then_some(version))
}
