//! The lead: at most one process acts for a name at a time.

use std::any::Any;
use std::fmt;

use futures_util::future::{BoxFuture, FutureExt, Shared};

use crate::store::{Key, Rev};

/// The lead of a name, held until this is dropped.
///
/// Its epoch goes with every order that leaves the process, so that whoever has seen a larger one
/// refuses it; its fence goes with every transaction, so that the store does.
pub struct Lead {
    key: Key,
    epoch: Rev,
    lost: Shared<BoxFuture<'static, ()>>,
    _held: Box<dyn Any + Send + Sync>,
}

impl Lead {
    /// The lead that was taken by writing `key` at revision `epoch`; `lost` ends when it is no
    /// more, and dropping `held` gives it up.
    pub(in crate::store) fn new(
        key: Key,
        epoch: Rev,
        lost: BoxFuture<'static, ()>,
        held: Box<dyn Any + Send + Sync>,
    ) -> Self {
        Self { key, epoch, lost: lost.shared(), _held: held }
    }

    /// Larger than that of every earlier lead of the name, on this machine or another, for ever.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch.0
    }

    /// What a transaction expects, so that it is refused once the lead is lost.
    #[must_use]
    pub fn fence(&self) -> (Key, Rev) {
        (self.key.clone(), self.epoch)
    }

    /// Ends when somebody else leads, or when that can no longer be ruled out.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        self.lost.clone()
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lead");
        shown.field("key", &self.key).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
