//! What `SQLite` says, in the store's words.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::store::{CommitError, Fault};

/// A read that failed.
pub(super) fn of_read(error: rusqlite::Error) -> Fault {
    Fault { reason: reason(&error), source: Some(Arc::new(error)) }
}

/// A write that failed before it was to be made durable: it was taken back.
pub(super) fn of_write(error: &Arc<rusqlite::Error>) -> CommitError {
    CommitError::Unavailable { reason: reason(error), source: Some(error.clone()) }
}

/// A write that failed while it was made durable. A full disk is told before the last page is
/// written; after anything else the pages may or may not be there when the machine comes up again.
pub(super) fn of_sync(error: &Arc<rusqlite::Error>) -> CommitError {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return of_write(error);
    }
    CommitError::Unknown { reason: reason(error), source: Some(error.clone()) }
}

/// The store is being closed, or its writer died.
pub(super) fn closed() -> CommitError {
    CommitError::Unknown { reason: "the store was closed".to_owned(), source: None }
}

fn reason(error: &rusqlite::Error) -> String {
    let words = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::SystemIoFailure) => "its disk cannot be read or written",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds its file locked"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "its file is damaged",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "its file may not be written",
        Some(ErrorCode::CannotOpen) => "its file cannot be opened",
        _ => "SQLite refused",
    };
    words.to_owned()
}
