//! What holds of all bytes, for fuzzers to break.

#[path = "../../tests/it/holds.rs"]
pub mod holds;
#[path = "../../tests/it/oracle.rs"]
pub mod oracle;
#[path = "../../tests/it/reading.rs"]
pub mod reading;
