//! The agent with real processes, real archives and a control plane that is played by the test.

mod adoption;
mod crash;
mod health;
mod lifecycle;
mod limits;
mod logs;
mod stage;
