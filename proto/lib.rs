//! stellwerk's wire types, generated from `stellwerk/v1`: messages, servers and clients. The feature `client`
//! adds a transport for the clients, `rules` the field rules.

#![allow(clippy::all, clippy::expect_used, unreachable_pub, rustdoc::all)]

tonic::include_proto!("stellwerk.v1");

/// Our descriptors with their options, as reflection serves them.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// One `impl Validate` per request, generated from the protos' annotations.
#[cfg(feature = "rules")]
mod rules {
    mod stellwerk {
        pub(super) use crate as v1;
    }
    include!(concat!(env!("OUT_DIR"), "/validate_impl.rs"));
}
