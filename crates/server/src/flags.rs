//! Flags of the apps: kept in the store, read by apps through the `OpenFeature` Remote Evaluation
//! Protocol.

pub mod ofrep;
