//! stellwerk, a signal box for a company's integrations. `main` reads arguments; everything else is here, room by room.

pub mod caller;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod ids;
pub mod page;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod words;

/// The wire types, generated from `proto/stellwerk/v1`.
#[allow(clippy::all, unreachable_pub, missing_docs)]
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
