//! The core as a whole: exact numbers, properties, stories and a world full of trouble.

#[path = "core/golden_alert.rs"]
mod golden_alert;
#[path = "core/jenkins.rs"]
mod jenkins;
#[path = "core/properties.rs"]
mod properties;
#[path = "core/scenarios.rs"]
mod scenarios;
#[path = "core/simulation.rs"]
mod simulation;
