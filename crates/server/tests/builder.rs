//! The builder, on real files, real git and real processes.

#[path = "builder/artifact.rs"]
mod artifact;
#[path = "builder/hostile.rs"]
mod hostile;
#[path = "builder/report.rs"]
mod report;
#[path = "builder/samples.rs"]
mod samples;
#[path = "builder/sarif.rs"]
mod sarif;
#[path = "builder/stage.rs"]
mod stage;
#[path = "builder/steps.rs"]
mod steps;
