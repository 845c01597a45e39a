//! stellwerk, a signal box for a company's integrations.
//! `main` reads arguments; everything else is here, room by room.

pub mod app;
pub mod bodies;
pub mod caller;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod egress;
pub mod error;
pub mod fold;
pub mod gate;
pub mod grpc;
pub mod ids;
pub mod issuer;
pub mod line;
pub mod network;
pub mod page;
pub mod peer;
pub mod provider;
pub mod sandbox;
pub mod serve;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod web;
pub mod words;
pub mod worker;

/// The wire types.
pub use stellwerk_proto as proto;
