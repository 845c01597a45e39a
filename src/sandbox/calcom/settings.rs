//! What a double is started with.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::sandbox::clock::Clock;

/// The two ways of Cal.com's public source to tell a subscriber; both are met in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// The request that changes a booking calls the subscribers itself, and waits for them before it answers.
    #[default]
    Inline,
    /// The change is queued; a worker reads the booking again and sends.
    Queued,
}

/// How many requests are taken before 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per window of one API key; `None` for any number.
    pub per_key: Option<u32>,
    /// Requests per window without a key, per address; `None` for any number.
    pub anonymous: Option<u32>,
    pub window_seconds: u32,
    /// How long a caller who exceeded is refused.
    pub block_seconds: u32,
}

impl Limits {
    /// Any number of requests.
    pub fn none() -> Self {
        Self { per_key: None, anonymous: None, ..Self::default() }
    }
}

/// Cal.com's own: 120 a minute, then refused for a minute.
impl Default for Limits {
    fn default() -> Self {
        Self { per_key: Some(120), anonymous: Some(120), window_seconds: 60, block_seconds: 60 }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub generation: Generation,
    pub limits: Limits,
    pub clock: Clock,
    /// The last so many requests are kept for inspection.
    pub kept_requests: usize,
    /// The last so many webhook deliveries are kept for inspection.
    pub kept_deliveries: usize,
    /// How long a subscriber is waited for. Cal.com sets no bound of its own.
    pub webhook_timeout: Duration,
    /// Added to every first id, so that two doubles need not use the same numbers. They may: ids of two
    /// instances collide in the field, too.
    pub id_offset: i64,
    /// Whether BOOKING_REQUESTED after a reschedule names the booking it replaces; older versions do not.
    pub requests_name_predecessor: bool,
    /// The file that [`super::Calcom::keep`] keeps the world in; what it holds is gone on with. Requests,
    /// deliveries and faults are not kept.
    pub kept_in: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            generation: Generation::default(),
            limits: Limits::default(),
            clock: Clock::system(),
            kept_requests: 10_000,
            kept_deliveries: 10_000,
            webhook_timeout: Duration::from_secs(30),
            id_offset: 0,
            requests_name_predecessor: true,
            kept_in: None,
        }
    }
}
