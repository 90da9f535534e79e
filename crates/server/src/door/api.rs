//! What programs ask: `/api/v1`.

pub(crate) mod apps;
pub(crate) mod builds;
pub(crate) mod events;
pub(crate) mod flags;
pub(crate) mod health;
pub(crate) mod instances;
pub(crate) mod machines;
pub(crate) mod people;
pub(crate) mod secrets;
