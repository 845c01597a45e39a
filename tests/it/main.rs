//! Behaviour of the whole program, against a real PostgreSQL: one binary, a file per noun.
//!
//! `support` holds what tests lean on; `catalog` and `tenancy` ask the database, `access` every rpc.

// A test that cannot set itself up should stop right there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod catalog;
mod support;
mod tenancy;
