//! The builder, on real files, real git and real processes.

#[path = "builder/artifact.rs"]
mod artifact;
#[path = "builder/hostile.rs"]
mod hostile;
#[path = "builder/jasmine.rs"]
mod jasmine;
#[path = "builder/report.rs"]
mod report;
#[path = "builder/stage.rs"]
mod stage;
#[path = "builder/steps.rs"]
mod steps;
