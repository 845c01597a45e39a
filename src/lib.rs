//! stellwerk, a signal box for a company's integrations.
//! `main` reads arguments; everything else is here, room by room.

pub mod app;
pub mod caller;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod egress;
pub mod error;
pub mod fold;
pub mod grpc;
pub mod ids;
pub mod issuer;
pub mod page;
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

/// The wire types, generated from `proto/stellwerk/v1`.
#[allow(clippy::all, clippy::expect_used, unreachable_pub, rustdoc::all)]
pub mod proto {
    tonic::include_proto!("stellwerk.v1");

    /// The field rules: one `impl Validate` per request, generated from the protos' annotations.
    mod rules {
        mod stellwerk {
            pub(super) use crate::proto as v1;
        }
        include!(concat!(env!("OUT_DIR"), "/validate_impl.rs"));
    }
}
