//! Jenkins, from which teams come: what it says of its builds, and what its jobs are in our words.

mod import;
mod notify;

pub use import::{Imported, MAX_BYTES, NotAJob, Note, import};
pub use notify::{Asks, Ended, Notification, Phase, Told};
