//! What runs by the clock. Every worker looks often; the database gives each occurrence to one of them, and
//! its work is queued in the same moment. An occurrence that nobody was there for is made up for by the first
//! who comes, once.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Datelike, Days, DurationRound, NaiveTime, TimeDelta, Utc, Weekday};
use serde_json::json;

use crate::{
    domain::Domain,
    error::Result,
    provider::{asana, calcom},
    store::{self, schedule::Order},
    telemetry,
    words::MessageKind,
};

/// An outside scheduler's clock may be ahead of ours, and the occurrence that it means a moment away; without
/// this it would find the one before, done long ago, and come back a period later.
const AHEAD: TimeDelta = TimeDelta::seconds(30);

/// How often a worker looks.
pub const EVERY: Duration = Duration::from_secs(20);

/// When something is due, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// Whole minutes that divide a day, counted from midnight.
    EveryMinutes(i64),
    Daily(NaiveTime),
    Weekly(Weekday, NaiveTime),
}

/// What is done.
#[derive(Debug, Clone)]
enum Work {
    /// For every connected integration of a provider.
    Queue(Order),
    /// For every grant that can run out.
    RefreshTokens,
    SweepSyncLogs,
}

struct Schedule {
    name: &'static str,
    cadence: Cadence,
    work: Work,
}

/// What came of asking for a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// As it is spelled here.
    pub name: &'static str,
    pub occurrence: DateTime<Utc>,
    /// For how many integrations work was queued; none at all when the occurrence had been run before.
    pub queued: Option<i64>,
}

/// What this process knows to be done. Only a hint that saves questions: the database decides.
#[derive(Debug, Default)]
pub struct Seen(HashMap<&'static str, DateTime<Utc>>);

impl Cadence {
    /// When it was due last, `now` included.
    pub fn occurrence(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::EveryMinutes(minutes) => now.duration_trunc(TimeDelta::minutes(minutes)).unwrap_or(now),
            Self::Daily(time) => {
                let today = now.date_naive().and_time(time).and_utc();
                if today <= now { today } else { today - Days::new(1) }
            }
            Self::Weekly(weekday, time) => {
                let days = now.weekday().days_since(weekday);
                let this = now.date_naive().and_time(time).and_utc() - Days::new(days.into());
                if this <= now { this } else { this - Days::new(7) }
            }
        }
    }
}

fn schedules() -> Vec<Schedule> {
    let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
    let calcom = |kind, payload| Work::Queue(Order { provider: calcom::PROVIDER, kind, payload });
    let asana = |kind, payload| Work::Queue(Order { provider: asana::PROVIDER, kind, payload });
    let is = |name, cadence, work| Schedule { name, cadence, work };
    vec![
        is("reconcile-calcom", Cadence::EveryMinutes(5), calcom(MessageKind::Reconcile, json!({}))),
        is(
            "sweep-calcom",
            Cadence::Daily(at(3, 30)),
            calcom(MessageKind::Reconcile, json!({ "sweep": true })),
        ),
        is("refresh-event-types", Cadence::Daily(at(4, 0)), calcom(MessageKind::SyncRun, json!({}))),
        is(
            "check-subscriptions",
            Cadence::EveryMinutes(60),
            calcom(MessageKind::SubscriptionCheck, json!({})),
        ),
        is(
            "check-asana-subscriptions",
            Cadence::EveryMinutes(60),
            asana(MessageKind::SubscriptionCheck, json!({})),
        ),
        // By its old name; it is for every provider's tokens.
        is("refresh-asana-tokens", Cadence::EveryMinutes(6 * 60), Work::RefreshTokens),
        is("poll-asana", Cadence::EveryMinutes(5), asana(MessageKind::Reconcile, json!({}))),
        is("sync-asana", Cadence::Daily(at(5, 0)), asana(MessageKind::SyncRun, json!({}))),
        is(
            "sync-asana-hours",
            Cadence::Daily(at(6, 0)),
            asana(MessageKind::Reconcile, json!({ "hours": true })),
        ),
        is(
            "sync-asana-absences",
            Cadence::EveryMinutes(60),
            asana(MessageKind::Reconcile, json!({ "absences": true })),
        ),
        is("cleanup-sync-logs", Cadence::Weekly(Weekday::Sun, at(3, 0)), Work::SweepSyncLogs),
    ]
}

/// Does what is due. One that fails does not keep the others from being done, and is tried again with the
/// next look.
pub async fn run(domain: &Domain, seen: &mut Seen, now: DateTime<Utc>) {
    for schedule in schedules() {
        let occurrence = schedule.cadence.occurrence(now);
        if seen.0.get(schedule.name) == Some(&occurrence) {
            continue;
        }
        match schedule.run(domain, occurrence).await {
            Ok(_) => {
                seen.0.insert(schedule.name, occurrence);
            }
            Err(error) => telemetry::log_error(&format!("{} waits for the next look", schedule.name), &error),
        }
    }
}

/// Runs the current occurrence of a schedule because somebody outside asks for it, unless it was run. None:
/// there is no such schedule.
pub async fn fire(domain: &Domain, name: &str, now: DateTime<Utc>) -> Result<Option<Fired>> {
    let Some(schedule) = schedules().into_iter().find(|schedule| schedule.name == name) else {
        return Ok(None);
    };
    let occurrence = schedule.cadence.occurrence(now + AHEAD);
    let queued = schedule.run(domain, occurrence).await?;
    Ok(Some(Fired { name: schedule.name, occurrence, queued }))
}

impl Schedule {
    /// For how many integrations work was queued; none at all when somebody else had the occurrence.
    async fn run(&self, domain: &Domain, occurrence: DateTime<Utc>) -> Result<Option<i64>> {
        match &self.work {
            Work::Queue(order) => {
                let queued = store::schedule::run(&domain.store, self.name, occurrence, order).await?;
                if let Some(integrations @ 1..) = queued {
                    tracing::debug!(schedule = self.name, integrations, "queued");
                }
                Ok(queued)
            }
            Work::RefreshTokens => {
                let queued = store::schedule::refreshes(&domain.store, self.name, occurrence).await?;
                if let Some(integrations @ 1..) = queued {
                    tracing::debug!(schedule = self.name, integrations, "queued");
                }
                Ok(queued)
            }
            Work::SweepSyncLogs => {
                if !store::schedule::claim(&domain.store, self.name, occurrence).await? {
                    return Ok(None);
                }
                let count = store::schedule::sweep_sync_logs(&domain.store).await?;
                tracing::info!(count, "old records of runs swept");
                Ok(Some(0))
            }
        }
    }
}

#[cfg(test)]
mod tests;
