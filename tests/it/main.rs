//! Behaviour of the whole program, against a real PostgreSQL: one binary, a file per noun.
//!
//! `support` holds what tests lean on; `catalog` and `tenancy` ask the database, `access` every rpc. Tests whose name begins with
//! `soak` are the long forms that `make soak` runs.

// A test that cannot set itself up should stop right there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod appointments;
mod catalog;
mod faults;
mod logs;
mod patients;
mod support;
mod tenancy;
mod watch;
mod webhooks;
