//! Flags and canary alerts, mirrored into the operator's Redis; what others set there, taken over.

use std::collections::BTreeMap;
use std::sync::Arc;

use toehold_core::alert::on_canary;
use toehold_core::flag::{FlagKey, FlagSet};
use toehold_core::model::AppName;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::{Control, ControlError};
use crate::mirror::{Keys, Mirror, News, Settings, Wanted};

/// The name of whoever sets a flag in Redis, as events show it.
const ACTOR: &str = "redis";

/// How much news may wait.
const WAITING: usize = 16;

/// What a key of Redis is of ours.
type Owners = BTreeMap<String, (AppName, FlagKey)>;

/// What is to be mirrored.
#[derive(Default)]
struct Plan {
    keys: Keys,
    owners: Owners,
    /// Keys that two apps would have: the second's are left out.
    shared: Vec<String>,
}

/// A mirror and what it tells; made before anything runs, so that bad settings are found at once.
pub(super) fn prepare(settings: &Settings) -> Result<(Mirror, mpsc::Receiver<News>), ControlError> {
    let (news, heard) = mpsc::channel(WAITING);
    let mirror = Mirror::new(settings, news).map_err(ControlError::Setting)?;
    Ok((mirror, heard))
}

/// Mirrors until shutdown.
pub(super) async fn run(
    control: Arc<Control>,
    settings: Settings,
    (mirror, mut heard): (Mirror, mpsc::Receiver<News>),
) {
    let mut flags = control.flags().watch_all();
    let mut apps = control.changed.subscribe();
    let mut plan = control.plan_mirror(&settings).await;
    let (wanted, receiver) = watch::channel(plan.keys.clone());
    let keeping = mirror.run(receiver, control.shutdown.clone());
    control.tasks.spawn(keeping);
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            news = heard.recv() => match news {
                Some(News::Found(ok, says)) => control.redis_found(ok, says, &plan.shared).await,
                Some(News::Adopt { key, value }) => control.adopt(&plan.owners, &key, value).await,
                None => return,
            },
            changed = flags.changed() => if changed.is_err() { return },
            changed = apps.changed() => if changed.is_err() { return },
        }
        plan = control.plan_mirror(&settings).await;
        wanted.send_if_modified(|keys| {
            let differs = *keys != plan.keys;
            keys.clone_from(&plan.keys);
            differs
        });
    }
}

impl Control {
    async fn plan_mirror(&self, settings: &Settings) -> Plan {
        let mut plan = Plan::default();
        let sets = self.flags().all();
        let apps = self.apps.lock().await;
        for (name, loaded) in &apps.by_name {
            if settings.app.as_ref().is_some_and(|only| only != name) {
                continue;
            }
            let prefix = settings.prefix.replace("{app}", name.as_str());
            let alert = if on_canary(&loaded.app).next().is_some() { "yes" } else { "no" };
            let wanted = Wanted { value: alert.to_owned(), is_flag: false };
            plan.keys.insert(format!("{prefix}alert:{name}"), wanted);
            if let Some(set) = sets.get(name) {
                plan.add(&prefix, name, set);
            }
        }
        plan
    }

    async fn redis_found(&self, ok: bool, says: String, shared: &[String]) {
        let says = match shared.first() {
            Some(key) if ok => format!(
                "{says}; {key} is of more than one app and mirrored for the first: set `app`, or \
                 `prefix = \"{{app}}:\"`"
            ),
            _ => says,
        };
        self.found("redis", ok, says).await;
    }

    /// Takes over what somebody set; where that cannot be written, it is found again soon.
    async fn adopt(&self, owners: &Owners, key: &str, value: bool) {
        let Some((app, flag)) = owners.get(key) else { return };
        match self.flags().set(app, flag, value, ACTOR).await {
            Ok(changed) if changed.event.is_some() => {
                info!(app.name = %app, flag = flag.as_str(), value, "a flag was set in redis");
            }
            Ok(_) => {}
            Err(error) => {
                warn!(app.name = %app, flag = flag.as_str(), %error, "a flag that was set in redis could not be taken over yet");
            }
        }
    }
}

impl Plan {
    fn add(&mut self, prefix: &str, app: &AppName, set: &FlagSet) {
        for (flag, it) in &set.flags {
            let key = format!("{prefix}{}", flag.as_str());
            if self.keys.contains_key(&key) {
                self.shared.push(key);
                continue;
            }
            let wanted = Wanted { value: it.value.to_string(), is_flag: true };
            self.keys.insert(key.clone(), wanted);
            self.owners.insert(key, (app.clone(), flag.clone()));
        }
    }
}
