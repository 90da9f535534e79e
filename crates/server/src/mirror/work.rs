//! Keeping Redis in step: at each change, and twice a second.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::link::{Link, Put};
use super::step::{Step, step};
use super::{Keys, Mirror, News};
use crate::secret::random_bytes;

/// How often it is looked whether somebody else changed something.
const LOOK: Duration = Duration::from_millis(500);

/// How often in one look it is begun anew since somebody else changed what was to be written.
const TRIES: usize = 3;

/// The first wait after it was found away; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

impl Mirror {
    /// Keeps Redis in step with `wanted` until `shutdown`.
    pub async fn run(self, mut wanted: watch::Receiver<Keys>, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.keep(&mut wanted) => {}
        }
    }

    async fn keep(&self, wanted: &mut watch::Receiver<Keys>) {
        let mut wait = FIRST;
        loop {
            let why = match Link::open(&self.way).await {
                Ok(mut link) => {
                    let (worked, why) = self.serve(&mut link, wanted).await;
                    if worked {
                        wait = FIRST;
                    }
                    why
                }
                Err(why) => why,
            };
            self.tell(News::Found(false, why)).await;
            tokio::time::sleep(unlike(wait)).await;
            wait = (wait * 2).min(LONGEST);
        }
    }

    /// Works over one connection until it does not any more: whether it did at all, and why it
    /// ended.
    async fn serve(&self, link: &mut Link, wanted: &mut watch::Receiver<Keys>) -> (bool, String) {
        let mut said = None;
        let mut told = BTreeMap::new();
        loop {
            let keys = wanted.borrow_and_update().clone();
            let says = match self.look(link, &keys, &mut told).await {
                Ok(says) => says,
                Err(why) => return (said.is_some(), why),
            };
            if said.as_ref() != Some(&says) {
                self.tell(News::Found(true, says.clone())).await;
                said = Some(says);
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() {
                    // Nobody wants anything any more.
                    std::future::pending::<()>().await;
                },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Compares, takes over what others changed, and writes what differs.
    async fn look(
        &self,
        link: &mut Link,
        keys: &Keys,
        told: &mut BTreeMap<String, String>,
    ) -> Result<String, String> {
        let role = link.role().await?;
        if !role.is_primary {
            return Err("it is a replica".to_owned());
        }
        // Where others change things all the time, the next look goes on.
        for _ in 0..TRIES {
            if self.put_right(link, keys, told, role.replicas).await? {
                break;
            }
        }
        let count = toehold_core::tell::count(keys.len() as u64, "key");
        let replicas = toehold_core::tell::count(role.replicas as u64, "replica");
        Ok(match (&*link, role.replicas) {
            (Link::Cluster(_), _) => format!("{count} kept in step in the cluster"),
            (Link::One(_), 0) => format!("{count} kept in step"),
            (Link::One(_), _) => format!("{count} kept in step, with {replicas}"),
        })
    }

    /// Once: says whether nobody changed anything meanwhile. `told` is what was taken over from
    /// others, until Redis remembers it too.
    async fn put_right(
        &self,
        link: &mut Link,
        keys: &Keys,
        told: &mut BTreeMap<String, String>,
        replicas: usize,
    ) -> Result<bool, String> {
        let names: Vec<&str> = keys.keys().map(String::as_str).collect();
        let mut held = link.read(&names).await?;
        told.retain(|key, _| keys.contains_key(key));
        for (key, held) in keys.keys().zip(&mut held) {
            if held.was.is_some() && told.get(key) == held.was.as_ref() {
                told.remove(key);
            }
            held.told = told.get(key).cloned();
        }
        let mut writes = Vec::new();
        for ((key, wanted), held) in keys.iter().zip(&held) {
            match step(wanted, held, self.adopt) {
                Step::Leave => {}
                Step::Write => {
                    let (value, is_flag) = (wanted.value.as_str(), wanted.is_flag);
                    writes.push(Put { key, value, is_flag, held });
                }
                Step::Adopt(value) => {
                    told.insert(key.clone(), value.to_string());
                    self.tell(News::Adopt { key: key.clone(), value }).await;
                }
            }
        }
        if writes.is_empty() { Ok(true) } else { link.write(&writes, replicas).await }
    }

    async fn tell(&self, news: News) {
        // Where nobody listens, everything ends soon.
        let _ = self.news.send(news).await;
    }
}

/// Half to all of it, by chance: those who lost the same server do not come back at once.
fn unlike(wait: Duration) -> Duration {
    let [chance] = random_bytes::<1>();
    wait / 2 + wait / 2 * u32::from(chance) / 255
}
