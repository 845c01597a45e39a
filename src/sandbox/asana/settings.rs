//! What a double is started with.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::oauth::Consent;
pub use crate::sandbox::clock::Clock;

/// What the workspaces have paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Custom fields, time tracking, search and start dates answer 402.
    Free,
    #[default]
    Paid,
}

/// How much one authorisation may ask. `None`: any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests per minute; refilled all the time, not once a minute. Refused ones count, too.
    pub per_minute: Option<u32>,
    /// Of a search, beside the general limit.
    pub searches_per_minute: Option<u32>,
    /// GET in flight.
    pub reads: Option<u32>,
    /// Anything else in flight.
    pub writes: Option<u32>,
    /// Records shown per minute: the cost limiter. Charged after the answer, so that it may go below zero;
    /// then everything is refused until it is above.
    pub cost_per_minute: Option<u32>,
}

impl Limits {
    pub fn paid() -> Self {
        Self {
            per_minute: Some(1500),
            searches_per_minute: Some(60),
            reads: Some(50),
            writes: Some(15),
            cost_per_minute: None,
        }
    }

    pub fn free() -> Self {
        Self { per_minute: Some(150), ..Self::paid() }
    }

    pub fn none() -> Self {
        Self { per_minute: None, searches_per_minute: None, reads: None, writes: None, cost_per_minute: None }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::paid()
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub plan: Plan,
    pub limits: Limits,
    pub clock: Clock,
    /// The last so many requests are kept for inspection.
    pub kept_requests: usize,
    /// The last so many webhook deliveries are kept for inspection.
    pub kept_deliveries: usize,
    /// The last so many events can be read again.
    pub kept_events: usize,
    /// How long a webhook's target is waited for; 10 s at Asana.
    pub webhook_timeout: Duration,
    /// How long an event stays unseen by streams and webhooks; on average under a minute at Asana.
    pub event_delay: TimeDelta,
    /// How long an offset can be used.
    pub offset_lifetime: TimeDelta,
    /// How long a sync token can be used.
    pub sync_token_lifetime: TimeDelta,
    /// Whether a task may start on the day it is due. Sources disagree; refusing is the harder case.
    pub one_day_tasks: bool,
    /// Whether listed time entries name their task when asked to; not documented.
    pub listed_entries_name_task: bool,
    /// Whether every change of a task also makes a story, with an event of its own.
    pub stories: bool,
    /// In which `due_on` of a task with a time of day is told.
    pub time_zone: Tz,
    /// Added to the first id, so that two doubles need not use the same ones.
    pub gid_offset: u64,
    /// Of OAuth tokens.
    pub access_token_lifetime: TimeDelta,
    pub consent: Consent,
    /// Whether a refresh returns a new refresh token and ends the old one; sources disagree.
    pub rotates_refresh_tokens: bool,
    /// The file that [`super::Asana::keep`] keeps the world in; what it holds is gone on with. Events,
    /// requests, deliveries and faults are not kept.
    pub kept_in: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plan: Plan::default(),
            limits: Limits::default(),
            clock: Clock::system(),
            kept_requests: 10_000,
            kept_deliveries: 10_000,
            kept_events: 200_000,
            webhook_timeout: Duration::from_secs(10),
            event_delay: TimeDelta::zero(),
            offset_lifetime: TimeDelta::minutes(15),
            sync_token_lifetime: TimeDelta::hours(24),
            one_day_tasks: false,
            listed_entries_name_task: false,
            stories: true,
            time_zone: chrono_tz::Europe::Berlin,
            gid_offset: 0,
            access_token_lifetime: TimeDelta::hours(1),
            consent: Consent::default(),
            rotates_refresh_tokens: false,
            kept_in: None,
        }
    }
}
