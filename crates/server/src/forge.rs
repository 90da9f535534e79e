//! Telling a forge what came of a push: statuses of its commit, deployments, checks.
//!
//! Who decides that the forge should be told writes the report in the same transaction as what it
//! speaks of ([`report_write`]), and is done. A [`Lane`] sends what waits for one repository, again
//! and again, so that nothing is lost; a newer report of the same thing takes the place of an older
//! one that still waits. What is sent is looked for first where sending it twice would show.

mod answer;
mod client;
mod credentials;
mod dialect;
mod github;
mod lane;
mod place;
mod report;

pub use client::Client;
pub use credentials::{App, Credentials};
pub use lane::Lane;
pub use place::{Api, Place};
pub use report::{
    About, Annotation, Check, Conclusion, Context, Deployment, Report, Stage, State, Status,
    report_write,
};
