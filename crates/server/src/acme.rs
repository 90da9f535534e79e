//! Certificates from a CA that speaks ACME (RFC 8555): an account with it, an order for one host, and
//! where what came of it is kept. When to ask, and who shows the CA what it wants to see, is for
//! those above to say.

mod account;
mod ca;
mod http;
mod known;
mod order;
mod proof;
mod settings;
mod shelf;
mod wish;

pub use ca::Ca;
pub use order::{Failed, Issued};
pub use proof::Proof;
pub use settings::Settings;
pub use shelf::Shelf;
