//! What is so, mirrored into a Redis that apps read: flags and the canary's alert as plain keys.
//!
//! Our store is the truth and Redis a projection of it. What should be there is compared with what
//! is there, at each change and twice a second, and the difference is written in one step. So an
//! outage, a flush, and a failover that lost a write are all the same case. Nothing of ours waits
//! for Redis, and nothing fails where it is away.

mod link;
mod settings;
mod step;
mod work;

use std::collections::BTreeMap;

use tokio::sync::mpsc;

pub use settings::Settings;
pub use step::Wanted;

use settings::Way;

/// What the mirror has to say to whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// How Redis was found: whether it is well, and what was seen.
    Found(bool, String),
    /// Somebody else set a flag to this.
    Adopt {
        /// The flag's key in Redis.
        key: String,
        /// What it is there now.
        value: bool,
    },
}

/// Every key that should be there, with what it should be.
pub type Keys = BTreeMap<String, Wanted>;

/// A Redis that is kept in step.
pub struct Mirror {
    way: Way,
    adopt: bool,
    news: mpsc::Sender<News>,
}

impl Mirror {
    /// The one of the settings; it tells its `news`. An error says what is wrong with the settings.
    pub fn new(settings: &Settings, news: mpsc::Sender<News>) -> Result<Self, String> {
        Ok(Self { way: settings.way()?, adopt: settings.adopt, news })
    }
}
