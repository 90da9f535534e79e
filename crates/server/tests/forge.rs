//! What forges are told, against servers that hold to their published contracts.

#[path = "forge/double.rs"]
mod double;
#[path = "forge/github.rs"]
mod github;
#[path = "forge/stage.rs"]
mod stage;

#[path = "forge/checks.rs"]
mod checks;
#[path = "forge/lanes.rs"]
mod lanes;
#[path = "forge/others.rs"]
mod others;
