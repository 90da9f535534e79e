//! Builds as they are read: their documents, and what they said.

use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use toehold_core::model::{AppName, Build, Number, Track};

use super::apps::build_key;
use super::{Control, ControlError};

/// The largest piece of a log in one answer, in bytes.
const PIECE: u64 = 256 * 1024;

/// How many of the last builds are looked at one by one.
const LOOKED_AT: usize = 8;

/// A piece of what a build said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The text; what is not UTF-8 is replaced.
    pub text: String,
    /// Where to go on from, in bytes.
    pub next: u64,
    /// Whether the build has ended and this was the last of it.
    pub ended: bool,
}

impl Control {
    /// A build.
    pub async fn build(&self, name: &AppName, number: Number) -> Result<Build, ControlError> {
        let found = self.store().get_as::<Build>(&build_key(name, number)).await?;
        found
            .map(|found| found.value)
            .ok_or_else(|| ControlError::NoBuild { app: name.clone(), number })
    }

    /// The builds of an app that are kept, newest first.
    pub async fn builds(&self, name: &AppName) -> Result<Vec<Build>, ControlError> {
        let (docs, _) = self.store().list_as::<Build>(&format!("build/{name}/")).await?;
        Ok(docs.into_iter().rev().map(|doc| doc.value).collect())
    }

    /// The newest build of a track. It is asked for at every push, and is most often the last or
    /// the one before: only where it is not are all of them read.
    pub(super) async fn newest_of(
        &self,
        name: &AppName,
        track: Track,
    ) -> Result<Option<Build>, ControlError> {
        let next = self.apps.lock().await.get(name)?.app.next_number;
        for number in (1..next).rev().take(LOOKED_AT) {
            let found = self.store().get_as::<Build>(&build_key(name, Number(number))).await?;
            if let Some(found) = found.filter(|found| found.value.track == track) {
                return Ok(Some(found.value));
            }
        }
        let builds = self.builds(name).await?;
        Ok(builds.into_iter().find(|build| build.track == track))
    }

    /// What a build said, from a byte on.
    pub async fn build_log(
        &self,
        name: &AppName,
        number: Number,
        from: u64,
    ) -> Result<LogChunk, ControlError> {
        // Asked before the log is read: what comes after the end would never be seen otherwise.
        let has_ended = self.build(name, number).await?.phase.has_ended();
        let path = self.layout().build_log(name, number);
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || read_piece(&file, from)).await;
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Ok(Err(source)) => return Err(ControlError::File { path, source }),
            Err(error) => {
                return Err(ControlError::File { path, source: std::io::Error::other(error) });
            }
        };
        let whole = whole_lines(&bytes, has_ended);
        let next = from + whole as u64;
        Ok(LogChunk {
            text: String::from_utf8_lossy(&bytes[..whole]).into_owned(),
            next,
            ended: has_ended && (bytes.len() as u64) < PIECE,
        })
    }
}

fn read_piece(path: &std::path::Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How much of a piece ends with a line feed; all of it at the end of the log, and where one line
/// fills the whole piece.
fn whole_lines(bytes: &[u8], ended: bool) -> usize {
    let full = bytes.len() as u64 == PIECE;
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) if !ended || full => last + 1,
        None if !ended && !full => 0,
        _ => bytes.len(),
    }
}
