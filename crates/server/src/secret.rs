//! What nobody else may know: keys, tokens, sessions and the secrets of apps.
//!
//! Files are readable by their owner alone; of tokens and sessions the store holds only hashes; the
//! values of apps' secrets are never in the store.

pub mod file;
mod keys;
mod link;
mod random;
mod scope;
mod session;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod vault;

pub use file::FileError;
pub use keys::{Keys, made_once};
pub use link::{NotOurs, Ticket};
pub use random::{random_bytes, random_id, random_text};
pub use scope::{Apps, Principal, Scope, ScopeError};
pub use session::Sessions;
pub use text::Secret;
pub use token::{Refused, TokenError, Tokens};
pub use vault::{Vault, VaultError};
