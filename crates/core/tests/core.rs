//! The core as a whole: exact numbers, properties, stories and a world full of trouble.

#[path = "core/golden_alert.rs"]
mod golden_alert;
#[path = "core/simulation.rs"]
mod simulation;
