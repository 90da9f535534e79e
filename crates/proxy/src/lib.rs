//! The data plane: takes visitors' requests and passes each on to an instance of the right release.
//!
//! It knows nothing of how routes come to be. They arrive over a link, or stand in a file where it
//! works alone, are put in force by one pointer, and stay in force, also over a restart, for as
//! long as nobody sends newer ones. Each
//! core has a thread of its own with its own listening sockets and its own connections to
//! instances; threads share the routes, and counters that each writes alone.

mod access;
mod alone;
mod ask;
mod attempt;
mod busy;
mod channels;
mod clock;
mod exchange;
mod forced;
mod grpc;
mod guests;
mod h2;
mod handover;
mod headers;
mod host;
mod instance;
mod limits;
mod link;
mod listen;
mod look;
mod meet;
mod meter;
mod pace;
mod page;
mod pipe;
mod probe;
mod registry;
mod relay;
mod retry;
mod route;
mod run;
mod serve;
mod socket;
mod sticky;
mod stream;
mod tls;
mod tunnel;
mod upstream;
mod visitor;
mod watch;
mod worker;

pub use access::{AccessFormat, AccessLog, AccessTo};
pub use alone::BackendsError;
pub use handover::{Handover, Patience};
pub use limits::Limits;
pub use run::{ProxyError, Settings, Source, run};
pub use tls::FilesError;
