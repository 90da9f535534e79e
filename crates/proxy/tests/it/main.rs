//! The proxy on real sockets: instances, visitors and a control plane around it.

mod assets;
mod balance;
mod bodies;
mod boundaries;
mod client;
mod conversations;
mod failures;
mod forced;
mod grpc;
mod h2;
mod handover;
mod heads;
mod link;
mod origin;
mod reports;
mod routes;
mod stage;
mod sticky;
mod tls;
mod upgrades;
