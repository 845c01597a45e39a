//! Alerts: rules that are looked at every minute, and whoever wants to know is told when one is broken,
//! and when it is over.
//!
//! A look measures inside one tenant's own transaction,
//! changes the alerts and queues the notices in it; sending is the queue's work.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::Domain;
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{AlertDestinationId, AlertId, TenantId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        alert::{Alert, Filter, Measure},
        outbox::NewMessage,
    },
    telemetry,
    words::{AlertRule, MessageKind},
};

mod damping;
mod delivery;
mod destination;
mod header;
mod notice;
mod target;

use damping::{Fate, Reading};
pub use delivery::{Tested, deliver, test};
pub use destination::{NewDestination, delete, list_destinations, put};
pub use notice::{Notice, advice};

/// How often the rules are looked at.
pub const EVERY: Duration = Duration::from_secs(60);
/// What ended is kept for as long.
const KEPT: TimeDelta = TimeDelta::days(90);

/// What is too much, or too little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Failures within an hour, of an integration.
    pub failures: u32,
    /// The share, from 0 to 1, of an integration's writes and runs of a day that must succeed.
    pub sync_success: f64,
    /// Of how many it must be, at least, to mean something.
    pub sync_success_of: u32,
    /// Open review items.
    pub review_queue: u32,
    /// Messages that wait or run.
    pub outbox_depth: u32,
    /// The age of what was last read at an integration's provider.
    pub freshness: Duration,
    /// Quarantined deliveries within an hour, of an integration.
    pub quarantine: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            failures: 5,
            sync_success: 0.99,
            sync_success_of: 20,
            review_queue: 10,
            outbox_depth: 50,
            freshness: Duration::from_secs(15 * 60),
            quarantine: 0,
        }
    }
}

impl Thresholds {
    fn of(&self, rule: AlertRule) -> f64 {
        match rule {
            AlertRule::Failures => self.failures.into(),
            AlertRule::SyncSuccess => self.sync_success,
            AlertRule::ReviewQueue => self.review_queue.into(),
            AlertRule::OutboxDepth => self.outbox_depth.into(),
            AlertRule::Freshness => self.freshness.as_secs_f64(),
            AlertRule::Quarantine => self.quarantine.into(),
        }
    }

    fn judge(&self, measure: Measure) -> Reading {
        let Measure { rule, integration, value } = measure;
        let threshold = self.of(rule);
        let is_broken = match rule {
            AlertRule::SyncSuccess => value < threshold,
            AlertRule::Failures
            | AlertRule::ReviewQueue
            | AlertRule::OutboxDepth
            | AlertRule::Freshness
            | AlertRule::Quarantine => value > threshold,
        };
        Reading { rule, integration, value, threshold, is_broken }
    }
}

/// Looks at every tenant's rules, unless another instance has taken this minute's look.
/// One tenant's failure is not another's.
pub async fn evaluate(domain: &Domain, thresholds: &Thresholds, now: DateTime<Utc>) {
    let tenants = match store::alert::take_turn(&domain.store).await {
        Ok(tenants) => tenants,
        Err(error) => return telemetry::log_error("the alert rules are looked at in a minute", &error),
    };
    for tenant in tenants {
        if let Err(error) = check(domain, tenant, thresholds, now).await {
            telemetry::log_error("a tenant's alert rules are looked at in a minute", &error);
        }
    }
}

/// Looks at one tenant's rules.
pub async fn check(
    domain: &Domain,
    tenant: TenantId,
    thresholds: &Thresholds,
    now: DateTime<Utc>,
) -> Result<()> {
    // Whole microseconds are what is kept, and what is told must equal it.
    let now = now.trunc_subsecs(6);
    let mut tx = domain.store.tenant(tenant).await?;
    // A look that took longer than a minute is not overtaken by the next one.
    tx.lock("alerts").await?;
    let at_least = i32::try_from(thresholds.sync_success_of).unwrap_or(i32::MAX);
    let measures = store::alert::measure(&mut tx, now, at_least).await?;
    let readings: Vec<Reading> = measures.into_iter().map(|measure| thresholds.judge(measure)).collect();
    let mut open = store::alert::open(&mut tx).await?;
    for reading in readings {
        let known = open.iter().position(|alert| reading.is_about(alert)).map(|at| open.swap_remove(at));
        settle(&mut tx, damping::next(known, &reading, now), now).await?;
    }
    // What is no longer measured, as with an integration that was disconnected, is no longer wrong.
    for alert in open {
        let reading = Reading::gone(&alert);
        settle(&mut tx, damping::next(Some(alert), &reading, now), now).await?;
    }
    store::alert::sweep(&mut tx, now - KEPT).await?;
    tx.commit().await
}

/// A page of alerts, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<AlertId>,
) -> Result<Paged<Alert, AlertId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::alert::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(found)
}

async fn settle(tx: &mut TenantTx, fate: Fate, now: DateTime<Utc>) -> Result<()> {
    match &fate.alert {
        None => {}
        Some(damping::Row::New(alert)) => store::alert::insert(tx, alert).await?,
        Some(damping::Row::Changed(alert)) => store::alert::save(tx, alert).await?,
        Some(damping::Row::Forgotten(alert)) => store::alert::remove(tx, alert.id).await?,
    }
    if let (Some(told), Some(row)) = (fate.told, &fate.alert) {
        let alert = row.alert();
        let (rule, state) = (alert.rule.as_str(), told.as_str());
        tracing::warn!(tenant.id = %tx.tenant(), alert.id = %alert.id, rule, state, alert.value, "an alert");
        let tenant = store::tenant::current(tx).await?;
        let provider = match alert.integration_id {
            Some(id) => Some(store::integration::find(tx, id).await?.provider),
            None => None,
        };
        let notice = Notice::of(alert, told, &tenant, provider, now);
        for destination in store::alert_destination::enabled(tx).await? {
            let message = message(destination, &notice, now)?;
            store::outbox::push(tx, message).await?;
        }
    }
    Ok(())
}

/// A destination hears in order what there is to hear.
fn message(destination: AlertDestinationId, notice: &Notice, now: DateTime<Utc>) -> Result<NewMessage> {
    let work = delivery::Work { destination_id: destination, notice: notice.clone() };
    Ok(NewMessage {
        kind: MessageKind::AlertDelivery,
        lane: format!("alert_destination/{destination}"),
        payload: serde_json::to_value(work).map_err(Error::internal)?,
        cause: format!("alert/{}", notice.alert_id),
        run_time: now,
        integration: None,
    })
}
