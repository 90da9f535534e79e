//! The agent: one process on every machine, that keeps the instances placed there running.
//!
//! It dials the control plane and does what the last good [placement](toehold_core::wire::agent)
//! says; it keeps that placement on disk and goes on by it for ever when nobody answers. Instances
//! do not need it: each writes its log to a file and leads its own session, so that an agent which
//! is killed, upgraded or started anew finds them running, knows them by process id and start
//! time, and takes them up again.

mod agent;
mod artifact;
mod board;
mod bringing;
mod dial;
mod fetch;
mod identity;
mod join;
mod journal;
mod link;
mod own_log;
mod placement;
mod probe;
mod release;
mod renewal;
mod sample;
#[cfg(test)]
mod scene;
mod shop;
mod supervise;
mod time;

pub use agent::{AgentError, Ending, Settings, run};
pub use dial::{ControlPlane, DialError};
pub use identity::{Identity, Membership};
pub use join::{JoinError, join};
