//! Behaviour of the whole program, against a real PostgreSQL: one binary, a file per noun.
//!
//! `support` holds what tests lean on; `catalog`, `secrets` and `tenancy` ask the database, `access` every
//! rpc, `dev`, `faults`, `logs` and `program` the program as a process of its own. Tests whose name begins
//! with `soak` are the long forms that `make soak` runs.
//!
//! Who holds a promise of the design says which:
//!
//! - P1: acknowledged means kept.
//! - P2: what is not known to be right is refused.
//! - P3: tenants cannot meet.
//! - P4: nobody's time is given twice.
//! - P5: a change is never written back to where it came from, which it therefore remembers.
//! - P6: a change and the work that it promises commit together.
//! - P8: order inside one entity, none across entities.
//! - P9: late, doubled and reordered events converge.
//! - P10: secrets stay secret.
//! - P11: a person can be forgotten.
//! - P12: nothing fails silently.
//! - P13: everything is bounded.
//! - P14: any number of instances.
//! - P15: freshness is measured.

// A test that cannot set itself up should stop right there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod alerts;
mod appointments;
mod asana;
mod authorizations;
mod calcom;
mod catalog;
mod consents;
mod cron;
mod dead_letters;
mod dev;
mod faults;
mod listeners;
mod logs;
mod metrics;
mod onboarding;
mod outbox;
mod patients;
mod planning;
mod program;
mod protos;
mod provider_calls;
mod providers;
mod reviews;
mod root_keys;
mod secrets;
mod support;
mod tenancy;
mod upkeep;
mod watch;
mod webhooks;
