//! The README, kept: the real binary, real git, real Node apps, real HTTP.

mod canary;
mod death;
mod push;
mod stage;
mod story;
mod supersede;
mod wrong;
