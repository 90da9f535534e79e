//! The source room on real git: real pushes, real hooks, real fetches.

#[path = "source/stage.rs"]
mod stage;

#[path = "source/fetching.rs"]
mod fetching;
#[path = "source/pushing.rs"]
mod pushing;
#[path = "source/reading.rs"]
mod reading;
#[path = "source/worktrees.rs"]
mod worktrees;
