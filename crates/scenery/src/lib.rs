//! The world around a Toehold, made on one machine: hosts with a real `sshd`, a cloud whose
//! Droplets they are, a forge, a mail server. `toehold demo --machines ssh` plays before it, and so
//! do the tests of what is elsewhere. It knows nothing of Toehold: it is what Toehold meets.

mod cloud;
mod command;
mod error;
mod forge;
mod host;
mod mail;
mod network;

pub use cloud::{Called, Cloud, Contract, Fault, published};
pub use error::SceneryError;
pub use forge::Forge;
pub use host::Host;
pub use mail::MailServer;
pub use network::Network;
