//! What the agent itself says, where it goes to a file of its own: bounded, because nobody else
//! looks after it where there is no systemd.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Beyond this size the file begins anew; the last so much of it is kept beside it, once.
const LARGEST_BYTES: u64 = 8 * 1024 * 1024;

/// Bounds the log beside the agent's folder, apart from what else is done. Whoever writes it appends,
/// and goes on at its new end.
pub(crate) fn bound(dir: &Path) {
    let Some(path) = dir.parent().map(|home| home.join("agent.log")) else { return };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = bound_file(&path, LARGEST_BYTES) {
            tracing::warn!(%error, "The agent's own log could not be bounded: it may grow too large.");
        }
    });
}

fn bound_file(path: &Path, largest: u64) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.is_file() || found.len() <= largest {
        return Ok(());
    }
    let mut whole = File::open(path)?;
    whole.seek(SeekFrom::Start(found.len() - largest))?;
    io::copy(&mut whole.take(largest), &mut File::create(path.with_added_extension("1"))?)?;
    OpenOptions::new().write(true).open(path)?.set_len(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_that_is_too_large_begins_anew_and_its_writer_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("agent.log");
        let mut writer =
            OpenOptions::new().create(true).append(true).open(&path).expect("it opens");
        bound_file(&folder.path().join("none"), 10).expect("there is none");
        writer.write_all(b"0123456789").expect("written");
        bound_file(&path, 10).expect("it is not too large");
        writer.write_all(b"more").expect("written");
        bound_file(&path, 10).expect("it is bounded");
        writer.write_all(b"next").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"next");
        let before = fs::read(folder.path().join("agent.log.1")).expect("there");
        assert_eq!(before, b"456789more", "as much of it as may be");
    }
}
