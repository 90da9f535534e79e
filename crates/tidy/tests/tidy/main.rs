//! The rules of the house, read off the files themselves.
//!
//! Each rule is a function from texts to findings, a test that it holds for this repository, and a
//! test that it can fail: a rule that never fails on anything keeps nothing.

mod circles;
mod code;
mod dependencies;
mod finding;
mod floors;
mod items;
mod libraries;
mod licences;
mod links;
mod lock_files;
mod manifest;
mod names;
mod paths;
mod purity;
mod references;
mod rooms;
mod scripts;
mod sizes;
mod style;
mod test_manners;
mod words;
mod workspace;
