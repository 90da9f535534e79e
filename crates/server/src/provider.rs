//! Who gives machines, and how they are reached before their agent calls.
//!
//! A provider is asked for what exists, for one more, and to take one back. Each may be asked again
//! at any time: what is there is found by its name, and what is gone is gone. It decides nothing.

pub mod bring;
pub mod digitalocean;
pub mod host_key;
pub mod shell;
pub mod ssh;

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures_util::future::BoxFuture;
use thiserror::Error;
use toehold_core::machines::{Given, Remedy};
use toehold_core::model::{Access, Machine};

/// What a provider made, or found made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the provider calls it.
    pub provider_id: String,
    /// Where the proxy reaches what runs there.
    pub address: IpAddr,
    /// How it is reached until its agent calls.
    pub access: Access,
}

/// How far a provider has come with a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It is there.
    Made(Made),
    /// It is being made: it is to be asked for again soon.
    Coming {
        /// What the provider calls it, where that is known already.
        provider_id: Option<String>,
    },
}

/// Why a provider did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct ProviderError {
    /// In words, with what to do.
    pub why: String,
    /// What may help.
    pub remedy: Remedy,
}

impl ProviderError {
    /// Asking again may help.
    pub fn transient(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: Remedy::Again }
    }

    /// The whole account is refused; asking again later may help.
    pub fn account(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: Remedy::Account }
    }

    /// Asking again would not help.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: Remedy::Person }
    }
}

/// Whether a provider keeps strangers away from what it made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// Nobody asked it to, or it cannot.
    None,
    /// It was not looked at since this control plane started.
    #[default]
    Unseen,
    /// It stands as it was asked for.
    Stands,
    /// It could not be seen to.
    Failed {
        /// Why, in words.
        why: String,
    },
}

/// Who gives machines.
pub trait Provider: Send + Sync {
    /// Everything the provider has that carries our mark, as it says now: nothing that was heard
    /// before.
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Given>, ProviderError>>;

    /// Sees to it that the machine is made, and says how far it is; it waits for nothing. One that
    /// exists under its name already is the one.
    fn ensure<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<Ensured, ProviderError>>;

    /// Gives the machine back; nothing of it is left when this has succeeded. One that is not there
    /// is given back already.
    fn remove<'a>(&'a self, machine: &'a Machine) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// Gives back one of what [`Provider::observe`] told of. A provider that tells of nothing has
    /// nothing to give back.
    fn discard<'a>(&'a self, given: &'a Given) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// What each size costs an hour; empty where nothing is paid.
    fn prices(&self) -> BoxFuture<'_, Result<BTreeMap<String, f64>, ProviderError>>;

    /// Whether strangers are kept away from what it made, as far as it was seen to.
    fn guard(&self) -> Guard;
}
