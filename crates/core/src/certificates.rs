//! Certificates for the names that visitors come by: which hosts want one, when one is renewed, when
//! a failed order is tried again, and how all that is said.

mod due;
mod order;
mod public;
mod read;
mod retry;
mod said;
mod wished;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use due::{EXPIRING, is_expiring, renew_at};
pub use order::{Ask, Attempt, Directories, Kept, Told, Trouble, Which};
pub use public::{NotPublic, why_not_public};
pub use read::{Read, read};
pub use retry::{FAILURES_AN_HOUR, FIRST_WAIT, LONGEST_WAIT, tried_again_at};
pub use said::{Challenge, Refusal, expiring, failed, issued, why};
pub use wished::{ASKED_AGAIN, Window, asked_again_at};

/// A certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The DNS names it is good for.
    pub names: Vec<String>,
    /// It is good from then on.
    pub not_before: Timestamp,
    /// It is good until then.
    pub not_after: Timestamp,
    /// Where it came from.
    pub from: Origin,
}

/// Where a certificate came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// A CA was asked for it.
    Acme {
        /// The URL of the CA's directory.
        directory: String,
    },
    /// Somebody put it there; it is never renewed by us.
    File,
}

/// A number from 0 to 1, whatever was handed in.
const fn share(chance: f64) -> f64 {
    if chance.is_nan() { 0.0 } else { chance.clamp(0.0, 1.0) }
}
