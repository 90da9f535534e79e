//! Where what a run says is kept: a folder a run, by app, the newest few of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toehold_core::model::AppName;
use toehold_core::time::Timestamp;
use toehold_host::process::{Marker, Tree, marked};

/// How many runs of an app are kept.
const KEPT: usize = 20;

/// How much of what a run said is shown, in bytes, from its end.
const SHOWN: usize = 1 << 20;

/// The variable by which the processes of a run are found: it holds the run's folder.
const MARKER: &str = "TOEHOLD_PLAYBOOK";

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct Record {
    dir: PathBuf,
    name: String,
}

impl Record {
    /// Makes the folder of a run, and removes those of old ones.
    pub fn create(records: &Path, app: &AppName, now: Timestamp) -> io::Result<Self> {
        let of_app = std::path::absolute(records)?.join(app.as_str());
        fs::create_dir_all(&of_app)?;
        // A clock may be set back; the newest run has the greatest number all the same.
        let newest = prune(&of_app)?;
        let name = newest.map_or(now.as_ms(), |newest| now.as_ms().max(newest + 1)).to_string();
        fs::create_dir(of_app.join(&name))?;
        Ok(Self { dir: of_app.join(&name), name })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file of it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What `ansible-playbook` printed.
    pub(super) fn output(&self) -> PathBuf {
        self.file("output.log")
    }

    /// The events, a line of JSON each.
    pub(super) fn events(&self) -> PathBuf {
        self.file("events.jsonl")
    }

    /// By which its processes are found.
    pub(super) fn marker(&self) -> Marker {
        Marker { name: MARKER.to_owned(), value: self.dir.display().to_string() }
    }
}

/// What a run printed, the end of it; `None` where it is not kept any more.
#[must_use]
pub fn output(records: &Path, app: &AppName, name: &str) -> Option<String> {
    // A name of ours is a number, and leads nowhere else.
    let number: u64 = name.parse().ok()?;
    let path = records.join(app.as_str()).join(number.to_string()).join("output.log");
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(SHOWN)..]).into_owned())
}

/// Ends what runs of an earlier control plane left running. Called before the first run.
pub async fn sweep(records: &Path) -> io::Result<()> {
    let records = std::path::absolute(records)?;
    for (leader, value) in marked(MARKER) {
        if Path::new(&value).starts_with(&records) {
            let marker = Marker { name: MARKER.to_owned(), value };
            Tree::new(leader, marker, None).kill().await.map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// Leaves room for one more; gives the number of the newest.
fn prune(of_app: &Path) -> io::Result<Option<u64>> {
    let number = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u64>().ok();
    let mut all: Vec<(u64, PathBuf)> = fs::read_dir(of_app)?
        .flatten()
        .filter_map(|entry| Some((number(&entry)?, entry.path())))
        .collect();
    all.sort();
    let old = all.len().saturating_sub(KEPT - 1);
    let newest = all.last().map(|(number, _)| *number);
    all.drain(..old).try_for_each(|(_, path)| fs::remove_dir_all(path))?;
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_runs_are_kept_and_read_by_their_name_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let app: AppName = "shop".parse().expect("a name");
        let now = Timestamp::from_ms(1_000);
        let names: Vec<String> = (0..=KEPT)
            .map(|_| Record::create(dir.path(), &app, now).expect("a record"))
            .map(|record| {
                fs::write(record.output(), record.name()).expect("it is written");
                record.name().to_owned()
            })
            .collect();
        assert_eq!(output(dir.path(), &app, &names[0]), None);
        assert_eq!(output(dir.path(), &app, &names[1]), Some(names[1].clone()));
        assert_eq!(output(dir.path(), &app, "../shop/1001"), None);
    }
}
