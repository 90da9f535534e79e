//! Files that are not as they were left.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::PathBuf;

use tempfile::TempDir;
use toehold_server::store::{OpenError, SqliteStore};

use crate::parts::{Stage, done, put, txn};

/// A folder with a store that was closed, and some hundred documents in it.
async fn closed() -> (TempDir, PathBuf) {
    let Stage { store, dir } = Stage::new();
    for n in 0..50 {
        let some = (0..8).map(|m| put(&format!("doc/{n}-{m}"), n));
        done(&store, txn(some)).await;
    }
    drop(store);
    let path = dir.path().join(SqliteStore::FILE);
    (dir, path)
}

fn refused(dir: &TempDir) -> OpenError {
    match SqliteStore::open(dir.path()) {
        Err(error) => error,
        Ok(_) => panic!("it was opened"),
    }
}

/// Refused as damaged, with the file named, and left as it is.
fn refused_as_damaged(dir: &TempDir, path: &PathBuf) {
    let before = fs::read(path).ok();
    let error = refused(dir);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("copy"), "{text}");
    assert_eq!(fs::read(path).ok(), before, "it was changed");
}

#[tokio::test]
async fn a_file_cut_off_anywhere_is_refused() {
    let (dir, path) = closed().await;
    let whole = fs::metadata(&path).expect("it is there").len();
    for keep in [whole - 1, whole - 4096, whole / 2, 4096, 100, 1, 0] {
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(keep))
            .expect("cut");
        refused_as_damaged(&dir, &path);
    }
}

#[tokio::test]
async fn a_file_that_was_written_over_is_refused() {
    for page in [0, 1, 2, 5] {
        let (dir, path) = closed().await;
        let mut file = OpenOptions::new().write(true).open(&path).expect("it is there");
        file.seek(SeekFrom::Start(page * 4096)).expect("seek");
        file.write_all(&[0xA5; 4096]).expect("write");
        refused_as_damaged(&dir, &path);
    }
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(SqliteStore::FILE);
    fs::write(&path, "not a database, but a text that somebody keeps here").expect("write");
    refused_as_damaged(&dir, &path);
}

#[tokio::test]
async fn a_file_that_went_away_is_not_made_anew_while_its_log_is_there() {
    let (dir, path) = closed().await;
    fs::rename(&path, path.with_extension("db-wal")).expect("rename");
    refused_as_damaged(&dir, &path);
}

#[tokio::test]
async fn a_making_that_was_interrupted_begins_anew() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("store.db-new"), "half of it").expect("write");
    assert!(SqliteStore::open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_a_clear_word() {
    let (dir, path) = closed().await;
    let newer = std::process::Command::new("sqlite3")
        .arg(&path)
        .arg("PRAGMA user_version = 99")
        .status()
        .expect("these tests need the command sqlite3 (Debian: sqlite3)");
    assert!(newer.success());
    let error = refused(&dir);
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("newer Toehold"), "{error}");
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_others_process() {
    let stage = Stage::new();
    let error = refused(&stage.dir);
    let OpenError::InUse { pid, .. } = error else { panic!("{error:?}") };
    assert_eq!(pid, Some(std::process::id()));
    let Stage { store, dir } = stage;
    drop(store);
    assert!(SqliteStore::open(dir.path()).is_ok(), "it is free once the other is gone");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let in_a_file = dir.path().join("file");
    fs::write(&in_a_file, "").expect("write");
    let Err(error) = SqliteStore::open(&in_a_file.join("state")) else {
        panic!("it was opened");
    };
    assert!(error.to_string().contains(&in_a_file.display().to_string()), "{error}");
}
