//! The control plane: the one place that knows what is wished of every app.
//!
//! Floors, from the ground: [`clock`] and [`secret`]; then the rooms that do work and do not know
//! each other; then [`control`], the only room that knows many; then [`door`].

pub mod acme;
mod address;
pub mod alertmanager;
pub mod ansible;
pub mod authority;
pub mod builder;
pub mod clock;
pub mod control;
pub mod dial;
pub mod door;
pub mod flags;
pub mod fleet;
pub mod forge;
pub mod layout;
pub mod metrics;
pub mod mirror;
pub mod notify;
pub mod outbound;
pub mod provider;
pub mod secret;
pub mod settings;
mod site;
pub mod source;
pub mod store;
