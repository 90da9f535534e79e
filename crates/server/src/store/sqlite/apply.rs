//! One transaction against the tables.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::sqlite::read;
use crate::store::{CommitError, Committed, Key, Op, Rev, Txn, Write};

/// Why a transaction was not applied.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The documents are not as expected: this one is taken back, its neighbours are not.
    Caller(CommitError),
    /// The engine failed: nothing can be said of its neighbours either.
    Engine(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

/// Does `txn` within the open SQL transaction. On a refusal the caller rolls back.
pub(super) fn apply(conn: &Connection, txn: &Txn, at_ms: u64) -> Result<Committed, Refusal> {
    if let Some(before) = done_before(conn, txn)? {
        return Ok(before);
    }
    for (key, rev) in &txn.expect {
        let found = read::rev(conn, key)?;
        if found != *rev {
            let found = read::get(conn, key)?;
            return Err(Refusal::Caller(CommitError::Conflict { key: key.clone(), found }));
        }
    }
    let mut revs = Vec::with_capacity(txn.writes.len());
    for write in &txn.writes {
        revs.push(apply_one(conn, write, txn, at_ms)?);
    }
    let last = match revs.iter().max() {
        Some(rev) if *rev > Rev::NONE => *rev,
        _ => read::last(conn)?,
    };
    let committed = Committed { rev: last, revs };
    if let Some(op_id) = &txn.op_id {
        remember(conn, op_id, &committed)?;
    }
    Ok(committed)
}

fn apply_one(conn: &Connection, write: &Write, txn: &Txn, at_ms: u64) -> rusqlite::Result<Rev> {
    let log = |op: Op, key: &Key, value: Option<&str>| {
        let sql = "INSERT INTO event (at_ms, op, key, actor, op_id, value) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let row = params![at_ms, op.as_str(), key.as_str(), txn.actor, txn.op_id, value];
        conn.prepare_cached(sql)?.insert(row).map(read::rev_of_sql)
    };
    match write {
        Write::Put { key, value } => {
            let rev = log(Op::Put, key, Some(value))?;
            let sql = "INSERT INTO doc (key, rev, value) VALUES (?1, ?2, ?3) ON CONFLICT (key) \
                       DO UPDATE SET rev = excluded.rev, value = excluded.value";
            let row = params![key.as_str(), read::sql_of_rev(rev), value];
            conn.prepare_cached(sql)?.execute(row)?;
            Ok(rev)
        }
        Write::Delete { key } => {
            let gone = conn
                .prepare_cached("DELETE FROM doc WHERE key = ?1")?
                .execute(params![key.as_str()])?;
            if gone == 0 { Ok(Rev::NONE) } else { log(Op::Delete, key, None) }
        }
        Write::Append { key, value } => log(Op::Append, key, Some(value)),
    }
}

fn done_before(conn: &Connection, txn: &Txn) -> rusqlite::Result<Option<Committed>> {
    let Some(op_id) = &txn.op_id else { return Ok(None) };
    conn.prepare_cached("SELECT rev, revs FROM op WHERE op_id = ?1")?
        .query_row(params![op_id], |row| {
            let revs: String = row.get(1)?;
            let revs = revs.split_whitespace().filter_map(|rev| rev.parse().ok().map(Rev));
            Ok(Committed { rev: read::rev_of_sql(row.get(0)?), revs: revs.collect() })
        })
        .optional()
}

fn remember(conn: &Connection, op_id: &str, committed: &Committed) -> rusqlite::Result<()> {
    let revs: Vec<String> = committed.revs.iter().map(Rev::to_string).collect();
    conn.prepare_cached("INSERT INTO op (op_id, rev, revs) VALUES (?1, ?2, ?3)")?
        .execute(params![op_id, read::sql_of_rev(committed.rev), revs.join(" ")])?;
    Ok(())
}

/// How many entries one step of a compaction takes away: other writes go on in between.
const COMPACTED_AT_ONCE: u32 = 1_000;

/// Takes away some of what is to be forgotten; 0 once nothing is left.
pub(super) fn compact(conn: &Connection, history: Rev, appended: Rev) -> rusqlite::Result<u64> {
    let last = read::last(conn)?;
    let mut gone = 0;
    for (name, through, which) in [
        ("compacted_history", history.min(last), "op <> 'append'"),
        ("compacted_appended", appended.min(last), "op = 'append'"),
    ] {
        let through = read::sql_of_rev(through);
        conn.execute(
            "UPDATE meta SET value = ?2 WHERE name = ?1 AND value < ?2",
            params![name, through],
        )?;
        let sql = format!(
            "DELETE FROM event WHERE rev IN \
             (SELECT rev FROM event WHERE rev <= ?1 AND {which} ORDER BY rev LIMIT ?2)"
        );
        gone += conn.prepare_cached(&sql)?.execute(params![through, COMPACTED_AT_ONCE])?;
    }
    conn.execute("DELETE FROM op WHERE rev <= ?1", params![read::sql_of_rev(history)])?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}
