//! The README, kept: the real binary, real git, real Node apps, real HTTP.

mod canary;
mod cloud;
mod death;
mod droplets;
mod elsewhere;
mod forge;
mod forges;
mod hosts;
mod import;
mod jenkins;
mod languages;
mod link;
mod little;
mod machines;
mod messages;
mod playbook;
mod prometheus;
mod push;
mod remote;
mod stage;
mod steer;
mod story;
mod supersede;
mod webhook;
mod wrong;
