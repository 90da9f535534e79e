//! The files that match a pattern in a checkout, read as reports.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use toehold_core::model::Report;
use toehold_core::pipeline::{Format, Found};
use walkdir::WalkDir;

use super::{MAX_BYTES, MAX_ENTRIES, Unreadable, read};

/// More files than any run of tests writes.
const MAX_FILES: usize = 5_000;

/// More than all files of one pattern together hold, in bytes.
const MAX_TOGETHER: usize = 256 * 1024 * 1024;

/// Reads every file in `checkout` that matches `pattern`. Links are not followed, and dependencies'
/// folders not looked into unless the pattern names them.
#[must_use]
pub fn gather(checkout: &Path, format: Format, pattern: &str) -> Found {
    let broken = |file: &Path, why: String| {
        let file = file.strip_prefix(checkout).unwrap_or(file).display().to_string();
        Found::Broken { file, why }
    };
    let files = match files(checkout, pattern) {
        Ok(files) => files,
        Err(error) => return broken(Path::new(pattern), error.to_string()),
    };
    if files.is_empty() {
        return Found::Missing;
    }
    if files.len() > MAX_FILES {
        let why = format!("more than {MAX_FILES} files match the pattern");
        return broken(Path::new(pattern), why);
    }
    let root = checkout.to_string_lossy();
    let mut whole = Report::default();
    let mut together: usize = 0;
    for file in files {
        let bytes = bytes(&file).map_err(|error| error.to_string());
        let report = bytes.and_then(|bytes| {
            together += bytes.len();
            if together > MAX_TOGETHER {
                let most = MAX_TOGETHER >> 20;
                return Err(format!("with it the reports are larger than {most} MiB together"));
            }
            let report = read(format, &bytes, &root).map_err(|error| error.to_string())?;
            let entries = whole.cases.len() + whole.issues.len();
            if entries + report.cases.len() + report.issues.len() > MAX_ENTRIES {
                return Err(Unreadable::TooMany.to_string());
            }
            Ok(report)
        });
        match report {
            Ok(report) => whole.merge(report),
            Err(why) => return broken(&file, why),
        }
    }
    Found::Read(whole)
}

/// Removes every file in `checkout` that matches `pattern`, so that what is found after a step was
/// written by it and did not lie in the repository. Returns how many.
#[must_use]
pub fn remove(checkout: &Path, pattern: &str) -> usize {
    let files = files(checkout, pattern).unwrap_or_default();
    files.iter().filter(|file| fs::remove_file(file).is_ok()).count()
}

/// A matcher of paths relative to the checkout; `*` stays within a folder.
pub(in crate::builder) fn matcher(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).build()?.compile_matcher())
}

fn files(checkout: &Path, pattern: &str) -> Result<Vec<PathBuf>, globset::Error> {
    let matcher = matcher(pattern)?;
    let skipped = |name: &OsStr| {
        [".git", "node_modules", ".packages"].iter().any(|it| name == *it)
            && !pattern.contains(name.to_str().unwrap_or_default())
    };
    let walk = WalkDir::new(checkout).max_depth(40).sort_by_file_name().into_iter();
    Ok(walk
        .filter_entry(|entry| entry.depth() == 0 || !skipped(entry.file_name()))
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.strip_prefix(checkout).is_ok_and(|path| matcher.is_match(path)))
        .take(MAX_FILES + 1)
        .collect())
}

fn bytes(file: &Path) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(std::io::Error::other(Unreadable::TooLarge));
    }
    Ok(bytes)
}
