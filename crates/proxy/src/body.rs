//! Bodies on their way: to an instance and back.

mod download;
mod upload;

pub(crate) use download::{Busy, Download, Stream};
pub(crate) use upload::{Fault, Progress, Upload};
