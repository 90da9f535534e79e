//! What a commit says and holds.

use toehold_core::model::CommitId;
use toehold_core::plain;
use toehold_core::time::Timestamp;

use crate::source::SourceError;
use crate::source::repository::{CommitInfo, Quarantine, Repository};

/// The longest subject or author that is kept, in characters.
const TEXT_KEPT: usize = 200;

impl Repository {
    /// What a commit says of itself.
    ///
    /// # Errors
    /// Where the commit is not here.
    pub async fn commit_info(
        &self,
        commit: &CommitId,
        quarantine: Option<&Quarantine>,
    ) -> Result<CommitInfo, SourceError> {
        let what = format!("read commit {}", commit.short());
        let stdout = self
            .reading(&what, quarantine)
            .args(["-c", "i18n.logOutputEncoding=UTF-8"])
            .args(["show", "--no-patch", "--no-show-signature", "--no-notes", "--no-color"])
            .args(["--format=%s%x00%an <%ae>%x00%ct", "--end-of-options", commit.as_str()])
            .run()
            .await?;
        let text = String::from_utf8_lossy(&stdout);
        let mut parts = text.trim_end_matches('\n').splitn(3, '\0');
        let (Some(subject), Some(author), Some(time)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(SourceError::Answer { what, answer: text.chars().take(100).collect() });
        };
        // A commit may claim any time; before 1970 counts as 1970.
        let seconds = time.trim().parse::<i64>().unwrap_or(0).max(0).unsigned_abs();
        Ok(CommitInfo {
            subject: plain::line(subject, TEXT_KEPT),
            author: plain::line(author, TEXT_KEPT),
            time: Timestamp::from_ms(seconds.saturating_mul(1000)),
        })
    }

    /// The whole message of a commit, at most 64 KiB of it.
    ///
    /// # Errors
    /// Where the commit is not here.
    pub async fn commit_message(&self, commit: &CommitId) -> Result<String, SourceError> {
        let what = format!("read the message of {}", commit.short());
        let stdout = self
            .reading(&what, None)
            .args(["-c", "i18n.logOutputEncoding=UTF-8"])
            .args(["show", "--no-patch", "--no-show-signature", "--no-notes", "--no-color"])
            .args(["--format=%B", "--end-of-options", commit.as_str()])
            .run()
            .await?;
        Ok(String::from_utf8_lossy(&stdout[..stdout.len().min(64 * 1024)]).into_owned())
    }

    /// A text file of a commit, such as `toehold.toml`; `None` where the commit has none.
    ///
    /// # Errors
    /// [`SourceError::Unusable`] where it is a link, a folder, longer than `max_bytes` or not
    /// UTF-8; where the commit is not here.
    pub async fn read_file(
        &self,
        commit: &CommitId,
        path: &str,
        max_bytes: usize,
        quarantine: Option<&Quarantine>,
    ) -> Result<Option<String>, SourceError> {
        let what = format!("read {path} of commit {}", commit.short());
        let unusable = |why: String| SourceError::Unusable {
            path: path.to_owned(),
            commit: commit.short().to_owned(),
            why,
        };
        if !is_plain(path) {
            return Err(unusable("it is no path within the repository".to_owned()));
        }
        let listed = self
            .reading(&what, quarantine)
            .args(["--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", "--end-of-options"])
            .args([commit.as_str(), "--", path])
            .run()
            .await?;
        let Some(entry) = Entry::read(&listed, path) else {
            return Ok(None);
        };
        match entry.mode.as_str() {
            "100644" | "100755" => {}
            "120000" => return Err(unusable("it is a link; make it a file".to_owned())),
            _ => return Err(unusable("it is no file".to_owned())),
        }
        if entry.size_bytes > max_bytes {
            let size_bytes = entry.size_bytes;
            return Err(unusable(format!(
                "it has {size_bytes} bytes, at most {max_bytes} are read"
            )));
        }
        let bytes = self
            .reading(&what, quarantine)
            .args(["cat-file", "blob", entry.object.as_str()])
            .max_bytes(max_bytes)
            .run()
            .await?;
        String::from_utf8(bytes).map(Some).map_err(|_| unusable("it is not UTF-8".to_owned()))
    }

    fn reading(&self, what: &str, quarantine: Option<&Quarantine>) -> crate::source::git::Git {
        let git = self.git(what);
        match quarantine {
            None => git,
            Some(Quarantine(objects)) => git
                .env("GIT_OBJECT_DIRECTORY", objects)
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.path.join("objects")),
        }
    }
}

/// One line of `ls-tree -l`: `100644 blob <object>    <size>\t<path>`.
struct Entry {
    mode: String,
    object: String,
    size_bytes: usize,
}

impl Entry {
    fn read(listed: &[u8], path: &str) -> Option<Self> {
        let record = listed.split(|&byte| byte == 0).find(|record| {
            record
                .iter()
                .position(|&byte| byte == b'\t')
                .is_some_and(|at| &record[at + 1..] == path.as_bytes())
        })?;
        let text = String::from_utf8_lossy(record);
        let mut words = text.split_ascii_whitespace();
        let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Self {
            mode: mode.to_owned(),
            object: object.to_owned(),
            // A folder's size is `-`.
            size_bytes: size.parse().unwrap_or(0),
        })
    }
}

fn is_plain(path: &str) -> bool {
    path.len() <= 4000
        && !path.contains('\0')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
