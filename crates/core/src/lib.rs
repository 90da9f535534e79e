//! What Toehold knows and how it decides.
//!
//! Nothing in here waits, reads a clock, reads the environment or does IO: time, chance and
//! configuration are arguments, and what should be done is an answer. That is what lets the same
//! decisions run in the control loop, in a simulation of ten thousand seeds, and in a test that a
//! person can read.

pub mod alert;
pub mod balance;
pub mod boot;
pub mod certificates;
pub mod check;
pub mod decide;
pub mod draft;
pub mod flag;
pub mod health;
pub mod jenkins;
pub mod machines;
pub mod model;
pub mod offer;
pub mod outside;
pub mod pipeline;
pub mod plain;
pub mod plan;
pub mod rollout;
pub mod sample;
pub mod scale;
pub mod signal;
pub mod situation;
pub mod spec;
pub mod tell;
pub mod time;
pub mod why;
pub mod wire;
pub mod wish;
pub mod world;

#[cfg(test)]
mod scene;
