//! What webhooks did not tell: the provider's changes since the last look are read and taken in, and once a
//! day all that is to come is compared, both ways, and what is over is completed.
//!
//! Deliveries get lost, and nobody repeats them. What is found here and was not known is counted as repaired.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    lineage::{self, Certainty, Seen},
    pages::Pager,
    provider_call::{self, Urgency},
    record::{Ground, Record, Stop},
    refresh,
};
use crate::{
    domain::{
        Domain, consent, integration,
        planning::sync::{self, Part},
    },
    error::{Error, Result},
    ids::{IntegrationId, ProjectId, SyncLogId, TenantId},
    provider::{
        calcom::{self, Booking, BookingPage, BookingQuery},
        catalog::Adapter,
    },
    store::{
        self, TenantTx,
        outbox::{Claimed, Outcome},
    },
    telemetry::{self, metrics as names},
    words::{IntegrationState, MessageKind, SyncKind},
};

mod over;
mod sweep;

pub(super) use over::complete;
pub(super) use sweep::sweep;

/// The cursor up to where changes were read.
pub(in crate::domain) const NOUN: &str = "bookings";
/// Bookings of a complete run that had changed lately, apart from those that are to come.
pub(super) const CHANGES: &str = "changed_bookings";
/// Read again each time: a list may come from a replica that lags behind, and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// Attempts of one look; the next one is due soon and does the same.
const ATTEMPTS: i32 = 3;

#[derive(Deserialize)]
struct Order {
    integration_id: IntegrationId,
    #[serde(default)]
    sweep: bool,
    #[serde(default)]
    accept_deletions: bool,
    /// Of a planning tool.
    #[serde(flatten)]
    part: Part,
}

/// Queues a look at what changed.
pub async fn queue(tx: &mut TenantTx, id: IntegrationId, cause: &str, now: DateTime<Utc>) -> Result<()> {
    integration::queue(tx, id, MessageKind::Reconcile, json!({}), cause, now).await
}

/// Queues a complete reading of one project.
pub async fn queue_project(
    tx: &mut TenantTx,
    id: IntegrationId,
    project: ProjectId,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    integration::queue(tx, id, MessageKind::Reconcile, json!({ "project": project }), cause, now).await
}

/// Queues a reading of who is away when.
pub async fn queue_absences(
    tx: &mut TenantTx,
    id: IntegrationId,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    integration::queue(tx, id, MessageKind::Reconcile, json!({ "absences": true }), cause, now).await
}

/// Queues a comparison of all that is to come, both ways.
pub async fn queue_sweep(
    tx: &mut TenantTx,
    id: IntegrationId,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    integration::queue(tx, id, MessageKind::Reconcile, json!({ "sweep": true }), cause, now).await
}

/// The same when a person has said that what is missing there, however much it is, was meant to go.
pub async fn queue_sweep_accepting_deletions(
    tx: &mut TenantTx,
    id: IntegrationId,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let payload = json!({ "sweep": true, "accept_deletions": true });
    integration::queue(tx, id, MessageKind::Reconcile, payload, cause, now).await
}

/// Does what a message asks for. A look that cannot be finished is not buried: it leaves the record of a
/// failed run, and the next one begins where this one was.
pub async fn run(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let ground = Ground::find(domain, message.tenant_id, order.integration_id).await?;
    // Whoever ends the pause, or gives a consent, queues another look.
    if ground.integration.state != IntegrationState::Connected
        || ground.integration.inbound_paused
        || !is_let(&ground).await?
    {
        return Ok(Outcome::Done);
    }
    let is_part = order.part.is_named();
    let kind = if order.sweep || is_part { SyncKind::Scheduled } else { SyncKind::Incremental };
    let cause = format!("outbox/{}", message.id);
    let mut record = Record::begin(SyncLogId::new(), ground.id(), kind, &cause, now);
    let done = async {
        match ground.adapter() {
            Adapter::Asana => sync::look(&ground, &mut record, &order.part, message.id.0).await,
            Adapter::Calcom => {
                changes(&ground, &mut record, NOUN).await?;
                if order.sweep {
                    sweep(&ground, &mut record, message.id.0, order.accept_deletions, now).await?;
                    complete(&ground, &mut record).await?;
                }
                Ok(())
            }
            Adapter::Booking | Adapter::None => Err(Stop::Ended("NO_ADAPTER")),
        }
    };
    match done.await {
        Ok(()) | Err(Stop::Over) => record.end(&ground, None).await?,
        Err(Stop::Later { after, reason }) => {
            // The rest is another run; what this one found is told.
            if !record.is_empty() {
                record.end(&ground, None).await?;
            }
            let after = after.max(Duration::from_secs(1));
            return Ok(Outcome::Release { after, reason: Some(reason.into()) });
        }
        Err(Stop::Ended(reason)) => record.end(&ground, Some(reason)).await?,
        Err(Stop::Failed(error)) if message.attempts < ATTEMPTS => return Err(error),
        Err(Stop::Failed(error)) => {
            telemetry::log_error("the provider's changes could not be read", &error);
            record.end(&ground, Some("PROVIDER_UNREADABLE")).await?;
        }
    }
    Ok(Outcome::Done)
}

/// Whether data may flow. A look that may not begin is no failure: every five minutes there would be one.
async fn is_let(ground: &Ground<'_>) -> Result<bool> {
    if !ground.integration.consent_required {
        return Ok(true);
    }
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let is_let = consent::opens(&mut tx, &ground.integration).await?;
    tx.end_reading();
    Ok(is_let)
}

/// Takes in what changed at the provider since the last look, counted as `noun`.
pub(super) async fn changes(
    ground: &Ground<'_>,
    record: &mut Record,
    noun: &'static str,
) -> Result<(), Stop> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let watermark = store::sync_log::watermark(&mut tx, ground.id(), NOUN).await?;
    tx.commit().await?;
    let mut pager = Pager::changed(watermark.unwrap_or(ground.integration.create_time) - OVERLAP);
    loop {
        let page = page(ground, pager.query()).await?;
        count_unreadable(record, &page);
        if let Some(total) = page.total.filter(|_| record.count(noun).total.is_none()) {
            record.count(noun).total = Some(total);
        }
        let turned = pager.turn(page);
        take_in(ground, record, &turned.fresh, noun).await?;
        note_reached(ground, &turned.fresh, watermark).await?;
        record.save(ground).await?;
        if turned.is_last {
            return Ok(());
        }
    }
}

/// Moves the watermark to the newest change of the page; never back.
async fn note_reached(ground: &Ground<'_>, read: &[Booking], before: Option<DateTime<Utc>>) -> Result<()> {
    let newest = read.iter().filter_map(|booking| booking.updated_at).max();
    let reached = newest.max(before);
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::sync_log::set_watermark(&mut tx, ground.id(), NOUN, reached, Utc::now()).await?;
    tx.commit().await
}

/// One page of bookings.
pub(super) async fn page(ground: &Ground<'_>, query: BookingQuery) -> Result<BookingPage, Stop> {
    let asked = provider_call::calcom(
        ground.domain,
        ground.tenant,
        ground.id(),
        Urgency::Background,
        |way| async move { way.calcom().bookings(&query).await },
    );
    Ok(asked.await?)
}

pub(super) fn count_unreadable(record: &mut Record, page: &BookingPage) {
    for _ in 0..page.unreadable {
        record.add_error("booking".into(), "UNREADABLE");
    }
}

/// Makes what is here what was read, one booking after the other. One that cannot be taken in does not keep
/// the others out: it is read again on its own.
pub(super) async fn take_in(
    ground: &Ground<'_>,
    record: &mut Record,
    bookings: &[Booking],
    noun: &'static str,
) -> Result<(), Stop> {
    for booking in bookings {
        let cause = record.cause();
        match store::retry_deadlocks(|| take_in_one(ground, &cause, booking)).await {
            Ok(is_news) => {
                let is_repair = is_news && record.is_repair();
                let count = record.count(noun);
                count.processed += 1;
                if is_repair {
                    count.repaired += 1;
                    counter!(names::RECONCILED, "provider" => calcom::PROVIDER).increment(1);
                }
            }
            Err(error) if error.is_momentary() => return Err(error.into()),
            Err(error) => {
                telemetry::log_error("a booking could not be taken in", &error);
                record.add_error(subject(booking), "INTERNAL");
                let mut tx = ground.domain.store.tenant(ground.tenant).await?;
                refresh::queue(&mut tx, ground.id(), &booking.uid, &cause, Utc::now()).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(())
}

/// Returns whether it was news.
async fn take_in_one(ground: &Ground<'_>, cause: &str, booking: &Booking) -> Result<bool> {
    let now = Utc::now();
    let context = lineage::Context {
        key: ground.key.clone(),
        integration: ground.id(),
        cause: cause.into(),
        certainty: Certainty::Read,
        now,
    };
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let applied = lineage::apply(&mut tx, &context, Seen::of(booking)).await?;
    if applied.outcome == lineage::Outcome::NeedsLook {
        refresh::queue(&mut tx, ground.id(), &booking.uid, cause, now).await?;
    } else {
        refresh::settle_dead(&mut tx, ground.id(), &booking.uid).await?;
    }
    tx.commit().await?;
    Ok(applied.outcome == lineage::Outcome::Changed)
}

/// By the number, because the uid is a secret.
fn subject(booking: &Booking) -> String {
    booking.id.map_or_else(|| "booking".into(), |id| format!("booking/{id}"))
}

/// Leaves the record of a failed run: no attempt came to an end.
pub async fn give_up(domain: &Domain, tenant: TenantId, payload: &Value, now: DateTime<Utc>) -> Result<()> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let ground = Ground::find(domain, tenant, order.integration_id).await?;
    let kind = if order.sweep { SyncKind::Scheduled } else { SyncKind::Incremental };
    Record::begin(SyncLogId::new(), ground.id(), kind, "system", now).end(&ground, Some("INTERNAL")).await
}
