//! What one machine can do for Toehold: processes and their trees, cgroups, files that survive a
//! power cut, Unix sockets that carry lines of JSON, TLS by the authorities it trusts. It decides nothing.

pub mod cgroup;
pub mod digest;
pub mod disk;
pub mod durable;
pub mod link;
pub mod lock;
pub mod private;
pub mod process;
pub mod tls;
