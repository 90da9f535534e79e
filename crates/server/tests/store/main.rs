//! The store on real files: what every engine must do, and what this one does when the world goes
//! wrong.

mod conformance;
mod crash;
mod damage;
mod full;
mod parts;
mod sqlite;
