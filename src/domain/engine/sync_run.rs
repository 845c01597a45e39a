//! A run that somebody can watch. Of a calendar: event types, then webhooks, so that nothing is missed from
//! here on, then bookings. A planning tool is read as `planning::sync` says.
//!
//! What ends early goes on with the stage it was at. Every step may be done twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    reconcile,
    record::{Ground, Record, Stop},
    subscription,
};
use crate::{
    domain::{Domain, integration, planning},
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId, TenantId},
    provider::catalog::Adapter,
    store::{
        self, TenantTx,
        outbox::{Claimed, NewMessage, Outcome},
        sync_log::SyncLog,
    },
    telemetry,
    words::{IntegrationState, MessageKind, SyncKind, SyncState},
};

mod event_types;

/// Attempts of a run; then it has failed, and somebody may begin another.
const ATTEMPTS: i32 = 5;
/// Refusals that come together are followed by one look at the event types.
const QUIET: TimeDelta = TimeDelta::seconds(5);
const QUIET_AT_MOST: TimeDelta = TimeDelta::seconds(30);

const STAGES: [Stage; 3] = [Stage::EventTypes, Stage::Subscriptions, Stage::Bookings];

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    EventTypes,
    Subscriptions,
    Bookings,
}

#[derive(Serialize, Deserialize)]
struct Order {
    integration_id: IntegrationId,
    /// Of a run that was begun with a record; otherwise it gets one when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sync_log_id: Option<SyncLogId>,
    /// A person said that what is not there any more was meant to go.
    #[serde(default)]
    accept_deletions: bool,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::EventTypes => "event_types",
            Self::Subscriptions => "subscriptions",
            Self::Bookings => "bookings",
        }
    }
}

/// Queues a run of everything whose record is written.
pub async fn queue(tx: &mut TenantTx, log: &SyncLog, now: DateTime<Utc>) -> Result<()> {
    let (id, kind) = (log.integration_id, MessageKind::SyncRun);
    integration::queue(tx, id, kind, json!({ "sync_log_id": log.id }), &log.cause, now).await
}

/// The same when a person has said that what is not there any more, however much it is, was meant to go.
pub async fn queue_accepting_deletions(tx: &mut TenantTx, log: &SyncLog, now: DateTime<Utc>) -> Result<()> {
    let payload = json!({ "sync_log_id": log.id, "accept_deletions": true });
    integration::queue(tx, log.integration_id, MessageKind::SyncRun, payload, &log.cause, now).await
}

/// Queues a look at the event types and their webhooks, as after a refusal:
/// somebody may have changed what can be booked.
pub async fn queue_event_types(
    tx: &mut TenantTx,
    id: IntegrationId,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let message = NewMessage {
        kind: MessageKind::SyncRun,
        // Not among the runs, one of which may wait there: those are not to be merged with it.
        lane: format!("event_types/{id}"),
        payload: json!({ "integration_id": id }),
        cause: cause.into(),
        run_time: now,
        integration: Some(id),
    };
    store::outbox::push_debounced(tx, message, QUIET, QUIET_AT_MOST, now).await?;
    Ok(())
}

/// Does the run that a message asks for, or what is left of it. Errors: what is worth another attempt.
pub async fn run(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let ground = Ground::find(domain, message.tenant_id, order.integration_id).await?;
    let Some(mut record) = record(&ground, message, &order, now).await? else { return Ok(Outcome::Done) };
    let done = match ground.integration.state {
        IntegrationState::Connected => match ground.adapter() {
            Adapter::Asana => planning::sync::full::run(&ground, &mut record, order.accept_deletions).await,
            Adapter::Calcom if order.sync_log_id.is_some() => everything(&ground, &mut record, now).await,
            Adapter::Calcom => what_can_be_booked(&ground, &mut record).await,
            Adapter::Booking | Adapter::None => Err(Stop::Ended("NO_ADAPTER")),
        },
        IntegrationState::NeedsReconnect => Err(Stop::Ended("CREDENTIAL_REFUSED")),
        IntegrationState::Disconnecting | IntegrationState::Disconnected => {
            Err(Stop::Ended("INTEGRATION_DISCONNECTED"))
        }
    };
    match done {
        Ok(()) => record.end(&ground, None).await?,
        Err(Stop::Over) => {}
        Err(Stop::Ended(reason)) => record.end(&ground, Some(reason)).await?,
        Err(Stop::Later { after, reason }) => {
            let after = after.max(Duration::from_secs(1));
            return Ok(Outcome::Release { after, reason: Some(reason.into()) });
        }
        Err(Stop::Failed(error)) if message.attempts < ATTEMPTS => return Err(error),
        Err(Stop::Failed(error)) => {
            telemetry::log_error("a run failed", &error);
            record.end(&ground, Some("PROVIDER_UNREADABLE")).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Ends a run as failed: no attempt is left.
pub async fn give_up(domain: &Domain, tenant: TenantId, payload: &Value) -> Result<()> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let Some(id) = order.sync_log_id else { return Ok(()) };
    let ground = Ground::find(domain, tenant, order.integration_id).await?;
    let mut tx = domain.store.tenant(tenant).await?;
    let log = store::sync_log::find(&mut tx, id).await?;
    tx.commit().await?;
    Record::resume(log).end(&ground, Some("INTERNAL")).await
}

/// The record to go on with; none if the run has ended.
async fn record(
    ground: &Ground<'_>,
    message: &Claimed,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Option<Record>> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let record = match order.sync_log_id {
        Some(id) => {
            let log = store::sync_log::find(&mut tx, id).await?;
            matches!(log.state, SyncState::Queued | SyncState::Running).then(|| Record::resume(log))
        }
        None if ground.adapter() == Adapter::Asana => begin_daily(&mut tx, ground, message, now).await?,
        None => {
            let cause = store::outbox::cause(&mut tx, message.id).await?;
            Some(Record::begin(SyncLogId::new(), ground.id(), SyncKind::Scheduled, &cause, now))
        }
    };
    tx.commit().await?;
    Ok(record)
}

/// The record of a planning tool's daily run, which is kept from its begin: it may take long. None: nothing
/// is to be read yet, or somebody else's run is about to do the same.
async fn begin_daily(
    tx: &mut TenantTx,
    ground: &Ground<'_>,
    message: &Claimed,
    now: DateTime<Utc>,
) -> Result<Option<Record>> {
    let settings = store::planning::settings::find(tx, ground.id()).await?;
    if settings.is_none_or(|settings| settings.initial_sync_time.is_none()) {
        return Ok(None);
    }
    let (id, cause) = (SyncLogId(message.id.0), store::outbox::cause(tx, message.id).await?);
    let log = SyncLog::queued(id, ground.id(), SyncKind::Scheduled, &cause, integration::micros(now));
    store::sync_log::insert(tx, &log).await?;
    let open = store::sync_log::open_of(tx, ground.id()).await?;
    Ok(open.filter(|open| open.id == id).map(Record::resume))
}

async fn everything(ground: &Ground<'_>, record: &mut Record, now: DateTime<Utc>) -> Result<(), Stop> {
    let round = record.id().0;
    let reached = record.stage().and_then(|at| STAGES.iter().position(|stage| stage.as_str() == at));
    for stage in &STAGES[reached.unwrap_or_default()..] {
        record.enter(ground, stage.as_str()).await?;
        match stage {
            Stage::EventTypes => event_types::import(ground, record).await?,
            Stage::Subscriptions => subscription::check(ground, record).await?,
            // Deliveries are kept meanwhile; whoever ends the pause queues a look.
            Stage::Bookings if ground.integration.inbound_paused => {
                record.add_error("bookings".into(), "INBOUND_PAUSED");
            }
            Stage::Bookings => {
                reconcile::sweep(ground, record, round, false, now).await?;
                reconcile::changes(ground, record, reconcile::CHANGES).await?;
                reconcile::complete(ground, record).await?;
            }
        }
        record.save(ground).await?;
    }
    Ok(())
}

async fn what_can_be_booked(ground: &Ground<'_>, record: &mut Record) -> Result<(), Stop> {
    event_types::import(ground, record).await?;
    subscription::check(ground, record).await
}
