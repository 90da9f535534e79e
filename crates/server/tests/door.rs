//! The door on real sockets: a whole control plane in a folder of its own, asked over HTTP.

#[path = "door/ask.rs"]
mod ask;
#[path = "door/front.rs"]
mod front;
#[path = "door/pebble.rs"]
mod pebble;
#[path = "door/pretend.rs"]
mod pretend;
#[path = "door/redis_server.rs"]
mod redis_server;
#[path = "door/shop.rs"]
mod shop;
#[path = "door/stage.rs"]
mod stage;
#[path = "door/webdriver.rs"]
mod webdriver;
#[path = "door/wishes.rs"]
mod wishes;

#[path = "door/acme.rs"]
mod acme;
#[path = "door/act.rs"]
mod act;
#[path = "door/alertmanager.rs"]
mod alertmanager;
#[path = "door/browser.rs"]
mod browser;
#[path = "door/dashboard.rs"]
mod dashboard;
#[path = "door/evaluation.rs"]
mod evaluation;
#[path = "door/flood.rs"]
mod flood;
#[path = "door/foreign.rs"]
mod foreign;
#[path = "door/forge.rs"]
mod forge;
#[path = "door/jenkins.rs"]
mod jenkins;
#[path = "door/limits.rs"]
mod limits;
#[path = "door/locks.rs"]
mod locks;
#[path = "door/logs.rs"]
mod logs;
#[path = "door/look.rs"]
mod look;
#[path = "door/machines.rs"]
mod machines;
#[path = "door/metrics.rs"]
mod metrics;
#[path = "door/origin.rs"]
mod origin;
#[path = "door/people.rs"]
mod people;
#[path = "door/poll.rs"]
mod poll;
#[path = "door/redis.rs"]
mod redis;
#[path = "door/streams.rs"]
mod streams;
