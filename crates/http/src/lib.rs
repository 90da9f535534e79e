//! HTTP/1.1 as functions over bytes: where a message ends, and what its head says (RFC 9110, 9112).
//!
//! Two readers that disagree where a request ends are how requests are smuggled. So requests are
//! read strictly: what allows two readings is refused rather than repaired. Nothing here does IO,
//! keeps a buffer or copies a byte; whoever calls has the bytes and the sockets.

mod answer;
mod body;
mod chunked;
mod field;
mod head;
mod request;

pub use answer::{Answer, Garbled};
pub use body::{Body, Framing, Taken};
pub use field::{Field, Fields, MAX_FIELDS, Name, fields, options};
pub use head::{Refusal, Version, end};
pub use request::Request;
