//! Opening the file: only one process, only a whole file, only a schema that is known.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::OpenError;
use crate::store::sqlite::schema;

/// The name of the file in its folder.
pub(super) const FILE: &str = "store.db";

/// The longest a write waits for another program's lock on the file.
const BUSY: Duration = Duration::from_secs(5);

/// How long another process may take to let go of the folder.
const LET_GO: Duration = Duration::from_secs(1);

/// The wait between two looks whether it did.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The file, checked, with the lock on its folder.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    pub(super) lock: File,
}

pub(super) fn open(dir: &Path) -> Result<Opened, OpenError> {
    let io = |source| OpenError::Io { path: dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    let lock = lock(dir)?;
    let path = dir.join(FILE);
    if !path.try_exists().map_err(io)? {
        create(dir, &path)?;
    }
    let conn = open_whole(&path)?;
    Ok(Opened { path, conn, lock })
}

/// A connection for writing. A missing file is not made anew.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    Ok(conn)
}

/// Keeps other processes out until it is dropped; also by kill -9, as the kernel holds it.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("store.lock");
    let io = |source| OpenError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(io)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            // A process that was just killed may hold it for a moment, and so may a child it was
            // about to start.
            Err(TryLockError::WouldBlock) if begun.elapsed() < LET_GO => thread::sleep(ASK_AGAIN),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Only for the message: the lock is what counts.
                let _ = file.read_to_string(&mut text);
                return Err(OpenError::InUse {
                    dir: dir.to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

/// Makes an empty store under another name and moves it into place, so that `store.db` is whole
/// from the moment it is there and an empty file is always a damaged one.
fn create(dir: &Path, path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let wal = path.with_extension("db-wal");
    if wal.try_exists().map_err(io)? {
        let detail = format!("it is not there, but its {} is", wal.display());
        return Err(OpenError::Damaged { path: path.to_owned(), detail });
    }
    let fresh = path.with_extension("db-new");
    for leftover in [fresh.clone(), path.with_extension("db-new-journal")] {
        match fs::remove_file(&leftover) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(io(source)),
            _ => {}
        }
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(io)?;
    let engine = |source| OpenError::Engine { path: path.to_owned(), source: Arc::new(source) };
    let mut conn =
        Connection::open_with_flags(&fresh, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(engine)?;
    schema::migrate(&mut conn, 0).map_err(engine)?;
    conn.close().map_err(|(_, source)| engine(source))?;
    fs::rename(&fresh, path).map_err(io)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)
}

/// Opens a file that is there: whole, ours, of a schema that is known.
fn open_whole(path: &Path) -> Result<Connection, OpenError> {
    let damaged = |detail: String| OpenError::Damaged { path: path.to_owned(), detail };
    let engine = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(source.to_string()),
        _ => OpenError::Engine { path: path.to_owned(), source: Arc::new(source) },
    };
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    if let Some(what) = cut_off(path).map_err(io)? {
        return Err(damaged(what));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags).map_err(engine)?;
    conn.busy_timeout(BUSY).map_err(engine)?;
    let version = schema::version(&conn).map_err(engine)?;
    let Some(found) = version else {
        return Err(damaged("it is not a store of Toehold's".to_owned()));
    };
    if found > schema::VERSION {
        let known = schema::VERSION;
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    let verdict: String =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(engine)?;
    if verdict != "ok" {
        return Err(damaged(verdict.replace('\n', " ")));
    }
    if found < schema::VERSION {
        schema::migrate(&mut conn, found).map_err(engine)?;
    }
    drop(conn);
    connect(path).map_err(engine)
}

/// Whether the file's end is missing. The engine takes an empty file for a new one and zeroes for
/// what is missing of the last page; here both are a file that lost something.
fn cut_off(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    let mut head = [0; 100];
    if size_bytes < head.len() as u64 {
        return Ok(Some(format!("it has only {size_bytes} bytes")));
    }
    file.read_exact(&mut head)?;
    let wal_bytes = fs::metadata(path.with_extension("db-wal")).map_or(0, |wal| wal.len());
    if wal_bytes > 0 {
        // What is missing may be in there; the engine's own check sees the two together.
        return Ok(None);
    }
    let page_bytes = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u64::from(u32::from_be_bytes([head[28], head[29], head[30], head[31]]));
    let whole = page_bytes * pages;
    Ok((size_bytes != whole).then(|| format!("it has {size_bytes} bytes and should have {whole}")))
}
